// Whole networks against PyTorch: outputs end to end, every node alone on PyTorch's own integers, and the boards.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "driver/compiler.h"
#include "driver/npy.h"
#include "driver/samples.h"
#include "driver/verify.h"
#include "fixtures.h"
#include "interp/interpreter.h"
#include "ops/ops.h"
#include "source_dir.h"

namespace fold8::models {
namespace {

using namespace ir;

// Distances between two lists of int8, in steps.
struct Steps {
  int64_t elements = 0;
  int64_t differing = 0;
  int64_t largest = 0;
  int64_t sum = 0;

  void add(std::span<const int8_t> got, std::span<const int8_t> want) {
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i) {
      const int64_t step = std::abs(got[i] - want[i]);
      ++elements;
      differing += step > 0;
      largest = std::max(largest, step);
      sum += step;
    }
  }
  std::string text() const {
    return fmt::format("{:>7} of {:>7} differ ({:5.2f} %), largest {}, mean {:.4f}", differing, elements,
                       100.0 * static_cast<double>(differing) / static_cast<double>(std::max<int64_t>(elements, 1)),
                       largest, static_cast<double>(sum) / static_cast<double>(std::max<int64_t>(elements, 1)));
  }
};

// A network in int8 form: as it is compiled, and before layout and channels, where values are still PyTorch's.
struct Network {
  Program compiled;
  Program as_exported;
  driver::Samples inputs;           // of `compiled`
  driver::Samples exported_inputs;  // of `as_exported`
};

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(format(result.errors()));
  return std::move(*result);
}

Network load(const Fixture& fixture) {
  Network network;
  network.compiled = expect(driver::load(fixture.archive, {}));
  passes::Context context{.core = ops::core()};
  context.after_pass = [&](std::string_view pass, const Program& p) {
    if (pass == "drop_float_ends") network.as_exported = p;
  };
  expect(passes::lower(network.compiled, context, passes::Ends::int8));
  network.inputs = expect(driver::read_samples(network.compiled, {fixture.inputs.string()}));
  network.exported_inputs = expect(driver::read_samples(network.as_exported, {fixture.inputs.string()}));
  return network;
}

std::span<const int8_t> row(const Tensor& array, size_t index, size_t rows) {
  const size_t width = array.as<int8_t>().size() / rows;
  return array.as<int8_t>().subspan(index * width, width);
}

// Whether both have their maximum at the same place; where one has it at several, at any of them.
bool same_top(std::span<const int8_t> a, std::span<const int8_t> b) {
  const int8_t top_a = *std::ranges::max_element(a);
  const int8_t top_b = *std::ranges::max_element(b);
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i] == top_a && b[i] == top_b) return true;
  return false;
}

// ---- end to end

// Results for every sample: the program's output, and that of its last op with weights (the logits, under a softmax).
struct Ends {
  std::vector<Tensor> outputs, logits;
};

Ends run_all(const Program& p, const driver::Samples& samples) {
  Ends ends;
  for (const auto& sample : samples.inputs) {
    Tensor logits;
    ends.outputs.push_back(interp::run(p, sample, [&](const Node& node, std::span<const Tensor* const> results) {
      if (node.op->quant.weights) logits = *results[0];
    })[0]);
    ends.logits.push_back(std::move(logits));
  }
  return ends;
}

struct Comparison {
  Steps steps;
  size_t same_top = 0;  // samples of which the top class is the same
};

Comparison compare(const std::string& name, const std::filesystem::path& file, const std::vector<Tensor>& got) {
  const Tensor want = expect(driver::read_npy(file));
  Comparison result;
  for (size_t i = 0; i < got.size(); ++i) {
    result.steps.add(got[i].as<int8_t>(), row(want, i, got.size()));
    result.same_top += same_top(got[i].as<int8_t>(), row(want, i, got.size()));
  }
  fmt::print("  {:<21} {:<32}{}; top-1 {} of {}\n", name, file.filename().string(), result.steps.text(),
             result.same_top, got.size());
  return result;
}

class Models : public testing::TestWithParam<Fixture> {};

TEST_P(Models, EndToEnd) {
  const Network network = load(GetParam());
  const Ends ends = run_all(network.compiled, network.inputs);
  const Ends exported = run_all(network.as_exported, network.exported_inputs);
  EXPECT_EQ(ends.outputs, exported.outputs) << "layout and dropped channels change no result";
  int compared = 0;
  for (const auto& [suffix, got] : {std::pair("_outq.npy", &ends.outputs),
                                    {"_outq64.npy", &ends.outputs},
                                    {"_logitq.npy", &ends.logits},
                                    {"_logitq64.npy", &ends.logits}}) {
    const auto file = GetParam().beside(suffix);
    if (!std::filesystem::exists(file)) continue;
    EXPECT_GE(compare(GetParam().name, file, *got).same_top, got->size() - 1) << suffix;
    ++compared;
  }
  EXPECT_GT(compared, 0) << "there is something to compare with";
}

// ---- node by node

struct NodeResults {
  std::map<std::string, Steps> by_op;
  int64_t traced = 0;
};

// Each node on PyTorch's integers for its operands; where PyTorch has none (a view that a pass quantized), on what the
// nodes before made of PyTorch's.
NodeResults run_nodes(const Program& p, const std::vector<Tensor>& inputs, const std::map<std::string, Tensor>& trace) {
  NodeResults results;
  IndexedVector<ValueId, Tensor> values(p.values.size());
  IndexedVector<ValueId, bool> known(p.values.size());
  for (size_t i = 0; i < p.inputs.size(); ++i) values[p.inputs[i]] = inputs[i];
  for (ValueId id : p.inputs) known[id] = true;
  for (const Node& node : p.nodes) {
    Evaluation e{p, node, {}, {}};
    bool alone = true;
    for (ValueId id : node.inputs) {
      const bool constant = id == ValueId::none || p[id].is_constant();
      e.in.push_back(id == ValueId::none ? nullptr : constant ? p[id].constant.get() : &values[id]);
      alone = alone && (constant || known[id]);
    }
    const ValueId y = node.outputs[0];
    Tensor result(p.type(y).elem, p.type(y).shape);
    e.out.push_back(&result);
    node.op->evaluate(e);
    const auto recorded = trace.find(p[y].name);
    if (recorded != trace.end()) {
      EXPECT_EQ(recorded->second.shape, result.shape) << p[y].name.text();
      Steps steps;
      steps.add(result.as<int8_t>(), recorded->second.as<int8_t>());
      EXPECT_LE(steps.largest, alone ? 1 : 2) << node.op->name << " " << p[y].name.text();
      results.by_op[std::string(node.op->name)].add(result.as<int8_t>(), recorded->second.as<int8_t>());
      ++results.traced;
      known[y] = true;
      result = recorded->second;
    }
    values[y] = std::move(result);
  }
  return results;
}

TEST_P(Models, NodeByNode) {
  const auto file = GetParam().beside("_trace0.npz");
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no trace of " << GetParam().name;
  const auto trace = expect(read_npz(file));
  const Network network = load(GetParam());
  const NodeResults results = run_nodes(network.as_exported, network.exported_inputs.inputs[0], trace);
  for (const auto& [op, steps] : results.by_op) fmt::print("  {:<22}{:<14}{}\n", GetParam().name, op, steps.text());
  EXPECT_GE(results.traced, static_cast<int64_t>(network.as_exported.nodes.size()) * 2 / 3)
      << "most nodes have a record";
}

// ---- boards

void expect_equal_on(const char* cpu, const Network& network) {
  const auto target = expect(target::find_target(cpu));
  const driver::Verdict verdict = expect(driver::verify(network.compiled, target, network.inputs, {}));
  EXPECT_EQ(verdict.isa, target.isa);
  EXPECT_GT(verdict.compared_bytes, 0) << cpu;
  EXPECT_EQ(verdict.differing_bytes, 0) << cpu << ": " << verdict.difference;
}

// Every ISA and every sample for the first variant of each network; the others hold the same convolutions.
TEST_P(Models, Boards) {
  if (auto tools = board::check_tools(); !tools) GTEST_SKIP() << format(tools.errors());
  Network network = load(GetParam());
  const bool first_variant = GetParam().name.ends_with("_int8");
  if (!first_variant) network.inputs.inputs.resize(2);
  for (const char* cpu : {"cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m55"})
    if (first_variant || cpu == std::string("cortex-m4")) expect_equal_on(cpu, network);
}

INSTANTIATE_TEST_SUITE_P(Exported, Models, testing::ValuesIn(fixtures()),
                         [](const auto& instance) { return instance.param.name; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Models);

// ---- the networks beside this checkout

TEST(Examples, SameClassAsPyTorch) {
  for (const std::string network : {"digits/digits_mlp.pt2", "digits_cnn/digits_cnn.pt2"}) {
    const auto archive = source_dir() / "examples" / network;
    const Fixture example{archive.stem().string(), archive, archive.parent_path() / "test_images.npy"};
    const Network loaded = load(example);
    const std::vector<Tensor> got = run_all(loaded.compiled, loaded.inputs).outputs;
    const Comparison result = compare(example.name, archive.parent_path() / "int8_logits.npy", got);
    EXPECT_GE(result.same_top, got.size() - 1) << network;
    EXPECT_LE(result.steps.largest, 2) << network;
  }
}

TEST(ModelFolder, IsThere) {
  if (fixtures().empty()) GTEST_SKIP() << "no exported networks: FOLD8_MODELS names no folder that has them";
}

}  // namespace
}  // namespace fold8::models
