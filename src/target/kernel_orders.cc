#include "target/kernel_orders.h"

#include "isa/dsp/order.h"
#include "isa/mve/order.h"
#include "isa/v6m/order.h"
#include "isa/v7m/order.h"

namespace fold8::target {
namespace {

struct Row {
  const char* isa;
  f8k::WeightOrder gemm;
};

// The one place where the compiler names ISAs: each row repeats what the ISA's own folder states.
constexpr Row kRows[] = {
    {"v6m", f8k::v6m::kGemmOrder},
    {"v7m", f8k::v7m::kGemmOrder},
    {"dsp", f8k::dsp::kGemmOrder},
    {"mve", f8k::mve::kGemmOrder},
};

}  // namespace

f8k::WeightOrder gemm_order(const Target& target) {
  for (const Row& row : kRows)
    if (target.isa == row.isa) return row.gemm;
  throw CompilerBug("every ISA of targets.list has its row of weight orders");
}

}  // namespace fold8::target
