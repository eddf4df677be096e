#include "target/kernel_orders.h"

#include <algorithm>

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

std::vector<int64_t> depthwise_order(const DepthwiseKernel& kernel, int64_t block) {
  std::vector<int64_t> order;
  for (int64_t first = 0; first < kernel.channels; first += block)
    for (int64_t j = 0; j < kernel.multiplier; ++j)
      for (int64_t c = first; c < std::min(first + block, kernel.channels); ++c)
        order.push_back(c * kernel.multiplier + j);
  return order;
}

const StreamFormat* stream_format(std::string_view isa) { return row_of(isa).streams; }

}  // namespace fold8::target
