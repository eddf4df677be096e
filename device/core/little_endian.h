// The first of what every model needs. Weights are stored as a little-endian core reads them.
#pragma once

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "these tables and kernels are for a little-endian core"
#endif
