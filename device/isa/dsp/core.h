// What the compiler must be set to.
#pragma once

#if !defined(__thumb__) || !defined(__ARM_ARCH_PROFILE) || __ARM_ARCH_PROFILE != 'M' || !defined(__ARM_FEATURE_DSP)
#error "these kernels need the DSP extension: compile with -mcpu=cortex-m4, cortex-m7 or cortex-m33, and -mthumb"
#endif
