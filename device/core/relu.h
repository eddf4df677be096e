// The kernels of layers whose results have the zero point -128: whatever is negative before it is added saturates to
// -128, so its rounding does not count. An ISA to which that saves instructions has them as Isa::Relu.
#pragma once

namespace f8k {
inline namespace v0_1 {

template <class Isa, bool kRelu>
struct ReluKernels {
  using Type = Isa;
};

template <class Isa>
struct ReluKernels<Isa, true> {
  using Type = typename Isa::Relu;
};

template <class Isa, bool kRelu>
using KernelsOf = typename ReluKernels<Isa, kRelu>::Type;

}  // namespace v0_1
}  // namespace f8k
