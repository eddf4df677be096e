// What the compiler must be set to; asked before <arm_mve.h>, which has errors of its own.
#pragma once

#if defined(__SOFTFP__)
#error "these kernels need MVE, which a soft float ABI turns off: compile with -mfloat-abi=hard, or softfp"
#elif !defined(__ARM_FEATURE_MVE)
#error "these kernels need MVE: compile with -mcpu=cortex-m55 or cortex-m85, and -mthumb"
#endif
