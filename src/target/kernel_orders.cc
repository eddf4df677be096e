#include "target/kernel_orders.h"

#include "isa/dsp/order.h"
#include "isa/mve/order.h"
#include "isa/v6m/order.h"
#include "isa/v7m/order.h"
#include "target/dsp/dsp_stream.h"
#include "target/mve/mve_stream.h"
#include "target/stream.h"
#include "target/v6m/v6m_stream.h"
#include "target/v7m/v7m_stream.h"

namespace fold8::target {
namespace {

struct Row {
  const char* isa;
  f8k::WeightOrder gemm;
  const StreamFormat* streams;
};

// The one place where the compiler names ISAs: each row repeats what the ISA's own folder states.
constexpr Row kRows[] = {
    {"v6m", f8k::v6m::kGemmOrder, &kV6mStreams},
    {"v7m", f8k::v7m::kGemmOrder, &kV7mStreams},
    {"dsp", f8k::dsp::kGemmOrder, &kDspStreams},
    {"mve", f8k::mve::kGemmOrder, &kMveStreams},
};

const Row& row_of(std::string_view isa) {
  for (const Row& row : kRows)
    if (isa == row.isa) return row;
  throw CompilerBug("every ISA of targets.list has its row of weight orders");
}

}  // namespace

f8k::WeightOrder gemm_order(const Target& target) { return row_of(target.isa).gemm; }

const StreamFormat* stream_format(std::string_view isa) { return row_of(isa).streams; }

}  // namespace fold8::target
