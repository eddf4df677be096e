// What the compiler must be set to. Other machines have the kernels' form in C++.
#pragma once

#if defined(__arm__) && (!defined(__thumb__) || !defined(__ARM_ARCH_PROFILE) || __ARM_ARCH_PROFILE != 'M' || \
                         defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__))
#error "these kernels are for Cortex-M3 and above: compile with -mcpu=cortex-m3 -mthumb, or take another fold8 --target"
#endif
