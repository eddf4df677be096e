// What the compiler must be set to. Every Cortex-M runs these instructions. Other machines have the kernels' form in C++.
#pragma once

#if defined(__arm__) && (!defined(__thumb__) || !defined(__ARM_ARCH_PROFILE) || __ARM_ARCH_PROFILE != 'M')
#error "these kernels are for Cortex-M: compile with -mcpu=cortex-m0, cortex-m0plus or cortex-m23, and -mthumb"
#endif
