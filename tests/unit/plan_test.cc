// The planner on made-up ops: the four networks' arenas, random graphs checked by running them in their arena, and
// plans spoilt on purpose.
#include "plan/plan.h"
#include "plan/buffers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <numeric>
#include <random>
#include <set>

namespace fold8::plan {
namespace {

using ir::Node;
using ir::OpDef;
using ir::Program;
using ir::ValueId;

// --- ops: work (anything), each (elementwise), view, slice (attr begin), cat; attr scratch ---

Result<std::vector<ir::Type>> no_infer(const Program& p, const Node& n) { return std::vector{p.type(n.outputs[0])}; }
void no_evaluate(const ir::Evaluation&) {}
std::vector<ir::KernelCall> no_calls(const Program&, const Node&, const target::Target&) { return {}; }
int64_t scratch(const Program&, const Node& n, const target::Target&) {
  return n.attrs.has("scratch") ? n.attrs.integer("scratch") : 0;
}
int64_t bytes_of(const Program& p, ValueId id) { return static_cast<int64_t>(p.type(id).bytes()); }
std::vector<ir::Overlay> view_overlays(const Program&, const Node&) { return {{0, 0, 0}}; }
std::vector<ir::Overlay> slice_overlays(const Program&, const Node& n) { return {{0, 0, n.attrs.integer("begin")}}; }
std::vector<ir::Overlay> cat_overlays(const Program& p, const Node& n) {
  std::vector<ir::Overlay> all;
  int64_t at = 0;
  for (size_t i = 0; i < n.inputs.size(); at += bytes_of(p, n.inputs[i]), ++i) all.push_back({i, 0, -at});
  return all;
}

constexpr OpDef fake(std::string_view name, ir::Access access) {
  OpDef op;
  op.name = name;
  op.infer = no_infer;
  op.evaluate = no_evaluate;
  op.calls = no_calls;
  op.access = access;
  op.scratch_bytes = scratch;
  return op;
}
constexpr OpDef kWork = fake("work", {});
constexpr OpDef kEach = fake("each", {.elementwise = true});
constexpr OpDef kView = fake("view", {.overlays = view_overlays});
constexpr OpDef kSlice = fake("slice", {.overlays = slice_overlays});
constexpr OpDef kCat = fake("cat", {.overlays = cat_overlays});

target::Target core(int align) {
  target::Target t;
  t.cpu = "core";
  t.align = align;
  return t;
}
const target::Target kCore = core(4);

struct Graph {
  Program p;

  Graph() { p.form = ir::Form::packed; }
  ValueId value(int64_t bytes) { return p.add_value("v", ir::q8({bytes}, 1, 0)); }
  ValueId in(int64_t bytes) {
    p.inputs.push_back(value(bytes));
    return p.inputs.back();
  }
  ValueId constant(int64_t bytes) {
    ir::Type type = ir::q8({bytes}, 1, 0);
    return p.add_constant("c", type, std::make_shared<ir::Tensor>(ir::Elem::i8, type.shape));
  }
  Node& node(const OpDef& op, std::vector<ValueId> inputs, std::vector<int64_t> sizes, int64_t scratch_bytes = 0) {
    Node n;
    n.op = &op;
    n.name = fmt::format("n{}", p.nodes.size());
    n.inputs = std::move(inputs);
    for (int64_t s : sizes) n.outputs.push_back(value(s));
    if (scratch_bytes > 0) n.attrs.set("scratch", scratch_bytes);
    p.nodes.push_back(std::move(n));
    return p.nodes.back();
  }
  ValueId work(std::vector<ValueId> x, int64_t bytes, int64_t scratch_bytes = 0) {
    return node(kWork, std::move(x), {bytes}, scratch_bytes).outputs[0];
  }
  ValueId each(std::vector<ValueId> x, int64_t scratch_bytes = 0) {
    const int64_t bytes = bytes_of(p, x[0]);
    return node(kEach, std::move(x), {bytes}, scratch_bytes).outputs[0];
  }
  ValueId view(ValueId x) { return node(kView, {x}, {bytes_of(p, x)}).outputs[0]; }
  ValueId slice(ValueId x, int64_t begin, int64_t bytes) {
    Node& n = node(kSlice, {x}, {bytes});
    n.attrs.set("begin", begin);
    return n.outputs[0];
  }
  ValueId cat(std::vector<ValueId> x) {
    int64_t bytes = 0;
    for (ValueId id : x) bytes += bytes_of(p, id);
    return node(kCat, std::move(x), {bytes}).outputs[0];
  }
  void out(ValueId id) { p.outputs.push_back(id); }
};

Plan placed(Program& p, const target::Target& t = kCore) {
  auto plan = place(p, t);
  if (!plan) throw std::runtime_error(format(plan.errors()));
  return *plan;
}

std::string complaint(const Program& p, const Plan& plan) {
  const auto sound = verify_placement(p, plan, kCore);
  return sound ? "" : sound.errors()[0].message;
}

Graph chain(const std::vector<int64_t>& sizes) {
  Graph g;
  ValueId x = g.in(sizes[0]);
  for (size_t i = 1; i < sizes.size(); ++i) x = g.work({x}, sizes[i]);
  g.out(x);
  return g;
}

// --- the four networks of MLPerf Tiny ---

TEST(Plan, AnomalyDetection) {
  Graph g = chain({640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640});
  const Plan plan = placed(g.p);
  EXPECT_EQ(plan.arena_bytes, 768);
  EXPECT_EQ(plan.lower_bound_bytes, 768);
  EXPECT_EQ(plan.peak_unit, 0u);
}

TEST(Plan, KeywordSpotting) {
  Graph g = chain({490, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 64, 12});
  g.p.outputs = {g.each({g.view(g.p.outputs[0])})};
  EXPECT_EQ(placed(g.p).arena_bytes, 16000);
}

TEST(Plan, VisualWakeWords) {
  Graph g = chain({27648, 18432, 18432, 36864, 9216, 18432, 18432, 18432, 4608, 9216, 9216, 9216, 2304, 4608, 4608,
                   4608,  4608,  4608,  4608,  4608, 4608,  4608,  4608,  4608, 1152, 2304, 2304, 2304, 256,  2});
  const Plan plan = placed(g.p);
  EXPECT_EQ(plan.arena_bytes, 55296);
  EXPECT_EQ(plan.lower_bound_bytes, 55296);
  EXPECT_EQ(plan.peak_unit, 2u);
}

// ResNet-8: three residual blocks; the shortcut convolution of a block comes last in the given order.
Graph resnet8() {
  Graph g;
  ValueId x = g.work({g.in(3072)}, 16384);
  x = g.each({g.work({g.work({x}, 16384)}, 16384), x});
  for (int64_t bytes : {8192, 4096}) {
    const ValueId main = g.work({g.work({x}, bytes)}, bytes);
    x = g.each({main, g.work({x}, bytes)});
  }
  g.out(g.each({g.work({g.view(g.work({x}, 64))}, 10)}));
  return g;
}

TEST(Plan, ImageClassification) {
  Graph g = resnet8();
  const Plan plan = placed(g.p);
  EXPECT_EQ(plan.arena_bytes, 49152);
  EXPECT_EQ(plan.lower_bound_bytes, 49152);
}

// --- sharing ---

TEST(Plan, OutputIsAViewOfTheInput) {
  Graph g;
  const ValueId x = g.in(100);
  g.out(g.view(x));
  g.out(g.slice(x, 40, 20));
  g.out(g.p.outputs[0]);
  EXPECT_EQ(placed(g.p).arena_bytes, 100);
  EXPECT_EQ(g.p[g.p.outputs[1]].offset, 40);
}

TEST(Plan, InputIsTheOutputAndNoNodes) {
  Graph g;
  g.out(g.in(7));
  const Plan plan = placed(g.p);
  EXPECT_EQ(plan.arena_bytes, 7);
  EXPECT_EQ(plan.peak_unit, 0u);
  EXPECT_NE(memory_map(g.p, plan), "");
}

TEST(Plan, AViewReadLaterForbidsWritingInPlace) {
  Graph g;
  const ValueId x = g.in(64);
  const ValueId v = g.view(x);
  const ValueId y = g.each({x});
  g.out(g.work({v, y}, 4));
  EXPECT_EQ(placed(g.p).arena_bytes, 64 + 64 + 4);
  EXPECT_EQ(*g.p[v].offset, *g.p[x].offset);
}

TEST(Plan, ElementwiseReplacesAnOperandThatDies) {
  Graph g;
  const ValueId x = g.work({g.in(8)}, 64);
  const ValueId y = g.each({x, g.view(x)});  // the same bytes twice
  g.out(y);
  EXPECT_EQ(placed(g.p).arena_bytes, 8 + 64);
  EXPECT_EQ(*g.p[y].offset, *g.p[x].offset);
}

TEST(Plan, ElementwiseDoesNotReplaceAnOperandItReadsShifted) {
  Graph g;
  const ValueId x = g.work({g.in(8)}, 64);
  g.out(g.each({g.slice(x, 0, 32), g.slice(x, 16, 32)}));
  EXPECT_EQ(placed(g.p).lower_bound_bytes, 48 + 32);
}

TEST(Plan, PartsOfAConcatenationAreWrittenInPlace) {
  Graph g;
  const ValueId x = g.in(16);
  const ValueId a = g.work({x}, 400);
  const ValueId b = g.work({x}, 200);
  const ValueId c = g.cat({a, g.constant(40), b});
  g.out(c);
  placed(g.p);
  EXPECT_EQ(*g.p[a].offset, *g.p[c].offset);
  EXPECT_EQ(*g.p[b].offset, *g.p[c].offset + 440);
}

TEST(Plan, TheSameOperandTwiceIsCopiedOnce) {
  Graph g;
  const ValueId x = g.in(32);
  g.out(g.cat({x, x}));
  EXPECT_EQ(placed(g.p).arena_bytes, 64);
  EXPECT_EQ(*g.p[x].offset, *g.p[g.p.outputs[0]].offset);
}

TEST(Plan, TwoConcatenationsOfOneOperandShareItWhereTheyCan) {
  Graph g;
  const ValueId x = g.in(32);
  const ValueId y = g.in(32);
  const ValueId z = g.in(32);
  g.out(g.cat({x, y}));
  g.out(g.cat({x, z}));  // x before both y and z: one of them is a copy
  g.out(g.cat({z, x}));  // fits the first: copy of x, z, x, y
  EXPECT_EQ(placed(g.p).arena_bytes, 4 * 32);
}

TEST(Plan, APartOffAlignmentIsCopied) {
  Graph g;
  const ValueId x = g.in(32);
  g.out(g.slice(x, 3, 8));
  placed(g.p);
  EXPECT_EQ(*g.p[g.p.outputs[0]].offset % kValueAlign, 0);
}

TEST(Plan, DeadValuesAndUnreadInputsHavePlaces) {
  Graph g;
  const ValueId x = g.in(16);
  g.in(40);
  const Node n = g.node(kWork, {x}, {100, 8});
  g.out(n.outputs[1]);
  EXPECT_EQ(placed(g.p).arena_bytes, 16 + 100 + 8);
}

TEST(Plan, ScratchIsAlignedForTheTarget) {
  Graph g;
  g.out(g.work({g.in(4)}, 4, 20));
  const Plan plan = placed(g.p, core(16));
  EXPECT_EQ(plan.align, 16);
  EXPECT_EQ(plan.scratch_offsets[0] % 16, 0);
  EXPECT_EQ(plan.arena_bytes, 28);
}

TEST(Plan, TooLargeForAnyCore) {
  Graph g;
  g.out(g.work({g.in(4)}, int64_t{1} << 32));
  const auto plan = place(g.p, kCore);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.errors()[0].code, "F8-0501");
  Graph sum;
  sum.out(sum.work({sum.in(int64_t{3} << 29)}, int64_t{3} << 29));
  EXPECT_FALSE(place(sum.p, kCore));
}

// --- schedule ---

// The least peak over all topological orders, for programs without sharing.
int64_t best_peak(const Program& p, std::set<size_t> done) {
  auto live_after = [&](ValueId id) {
    for (size_t i = 0; i < p.nodes.size(); ++i)
      if (!done.contains(i) && std::ranges::count(p.nodes[i].inputs, id) != 0) return true;
    return p.is_output(id);
  };
  int64_t live = 0;
  for (ValueId id : p.inputs) live += live_after(id) ? bytes_of(p, id) : 0;
  for (size_t i : done) live += live_after(p.nodes[i].outputs[0]) ? bytes_of(p, p.nodes[i].outputs[0]) : 0;
  int64_t best = done.size() == p.nodes.size() ? 0 : INT64_MAX;
  for (size_t i = 0; i < p.nodes.size(); ++i) {
    auto ready = [&](ValueId id) {
      return std::ranges::count(p.inputs, id) != 0 ||
             std::ranges::any_of(done, [&](size_t d) { return p.nodes[d].outputs[0] == id; });
    };
    if (done.contains(i) || !std::ranges::all_of(p.nodes[i].inputs, ready)) continue;
    std::set<size_t> next = done;
    next.insert(i);
    const int64_t now = live + bytes_of(p, p.nodes[i].outputs[0]) + scratch(p, p.nodes[i], kCore);
    best = std::min(best, std::max(now, best_peak(p, next)));
  }
  return best;
}

TEST(Schedule, IsExactForSmallGraphs) {
  int reordered = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 rng(seed);
    auto below = [&](size_t n) { return static_cast<size_t>(rng() % n); };
    Graph g;
    std::vector<ValueId> have{g.in(static_cast<int64_t>(1 + below(50)))};
    const size_t nodes = 3 + below(6);
    for (size_t i = 0; i < nodes; ++i) {
      std::vector<ValueId> from{have[below(have.size())]};
      if (below(2) != 0) from.push_back(have[below(have.size())]);
      have.push_back(g.work(from, static_cast<int64_t>(1 + below(100)), static_cast<int64_t>(below(2) * below(50))));
    }
    g.out(have.back());
    int64_t inputs = bytes_of(g.p, have[0]);
    const int64_t want = std::max(inputs, best_peak(g.p, {}));
    const std::string first = g.p.nodes[1].name;
    EXPECT_EQ(placed(g.p).lower_bound_bytes, want) << "seed " << seed;
    reordered += g.p.nodes[1].name != first;
  }
  EXPECT_GT(reordered, 20);
}

TEST(Schedule, KeepsTheGivenOrderIfItIsAsGood) {
  Graph g;
  const ValueId x = g.in(10);
  const ValueId a = g.work({x}, 10);
  const ValueId b = g.work({x}, 10);
  g.out(g.work({b, a}, 10));
  placed(g.p);
  for (size_t i = 0; i < g.p.nodes.size(); ++i) EXPECT_EQ(g.p.nodes[i].name, fmt::format("n{}", i));
}

// --- random graphs, run in their arena ---

// What stands in for a kernel: each result byte is a hash of all operand bytes (of the same index for elementwise ops).
// In the arena, results and scratch are first filled with garbage, as the harshest kernel would; parts already in place
// are not moved.
class Machine {
 public:
  Machine(const Program& p, const Plan& plan)
      : p_(p),
        plan_(plan),
        ends_(buffered_ends(p)),
        memories_{std::vector<uint8_t>(static_cast<size_t>(plan.arena_bytes) + 1)} {
    for (ValueId id : ends_) memories_.emplace_back(p.type(id).bytes() + 1);
  }

  std::vector<std::vector<uint8_t>> run_in_arena() {
    for (ValueId id : p_.inputs) std::ranges::copy(input(id), at(id));
    for (size_t i = 0; i < p_.nodes.size(); ++i) run_node(i);
    std::vector<std::vector<uint8_t>> outs;
    for (ValueId id : p_.outputs) outs.push_back(p_[id].is_constant() ? input(id) : load(id));
    return outs;
  }

  // After a run: whether inputs that are the caller's to keep are what they were.
  bool kept_inputs() {
    return std::ranges::all_of(
        p_.inputs, [&](ValueId id) { return p_[id].buffer != ir::Buffer::caller || load(id) == input(id); });
  }

  std::vector<std::vector<uint8_t>> run_apart() {
    std::map<ValueId, std::vector<uint8_t>> values;
    for (ValueId id : p_.inputs) values[id] = input(id);
    auto get = [&](ValueId id) { return p_[id].is_constant() ? input(id) : values.at(id); };
    for (const Node& n : p_.nodes) {
      std::vector<std::vector<uint8_t>> x;
      for (ValueId id : n.inputs) x.push_back(get(id));
      for (size_t r = 0; r < n.outputs.size(); ++r) values[n.outputs[r]] = result(n, r, x);
    }
    std::vector<std::vector<uint8_t>> outs;
    for (ValueId id : p_.outputs) outs.push_back(get(id));
    return outs;
  }

 private:
  std::vector<uint8_t> input(ValueId id) const {
    std::vector<uint8_t> data(p_.type(id).bytes());
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 7 + static_cast<size_t>(id) * 31);
    return data;
  }
  uint8_t* at(ValueId id) { return at(*p_[id].offset); }
  uint8_t* at(int64_t offset) {
    const size_t buffer = buffer_of(ends_, offset);
    return memories_[buffer].data() + (offset - buffer_begin(buffer));
  }
  std::vector<uint8_t> load(ValueId id) { return {at(id), at(id) + p_.type(id).bytes()}; }

  static uint8_t mix(uint32_t x) { return static_cast<uint8_t>(x ^ x >> 8); }

  static uint8_t element(const std::vector<std::vector<uint8_t>>& x, size_t i) {
    uint32_t hash = static_cast<uint32_t>(i) * 13;
    for (const auto& operand : x) hash = hash * 31 + operand[i];
    return mix(hash);
  }

  std::vector<uint8_t> result(const Node& n, size_t r, const std::vector<std::vector<uint8_t>>& x) const {
    std::vector<uint8_t> y(p_.type(n.outputs[r]).bytes());
    uint32_t hash = static_cast<uint32_t>(r + 1);
    if (n.op == &kCat || n.op == &kView) {
      auto to = y.begin();
      for (const auto& part : x) to = std::ranges::copy(part, to).out;
    } else if (n.op == &kSlice) {
      std::copy_n(x[0].begin() + n.attrs.integer("begin"), y.size(), y.begin());
    } else if (n.op == &kEach) {
      for (size_t i = 0; i < y.size(); ++i) y[i] = element(x, i);
    } else {
      for (const auto& operand : x)
        for (uint8_t b : operand) hash = hash * 31 + b;
      for (size_t i = 0; i < y.size(); ++i) y[i] = mix(hash + static_cast<uint32_t>(i) * 13);
    }
    return y;
  }

  void run_node(size_t i) {
    const Node& n = p_.nodes[i];
    std::fill_n(at(std::max<int64_t>(0, plan_.scratch_offsets[i])), plan_.units[i].scratch_bytes, uint8_t{0xa5});
    if (n.op == &kEach) return run_each(n);
    if (n.op == &kWork) {
      std::vector<std::vector<uint8_t>> y;
      for (ValueId id : n.outputs) std::fill_n(at(id), p_.type(id).bytes(), uint8_t{0x5a});
      for (size_t r = 0; r < n.outputs.size(); ++r) y.push_back(result(n, r, operands(n)));
      for (size_t r = 0; r < n.outputs.size(); ++r) std::ranges::copy(y[r], at(n.outputs[r]));
      return;
    }
    for (const ir::Overlay& o : n.op->access.overlays(p_, n)) {
      const int64_t from = std::max<int64_t>(0, o.delta_bytes);  // of the operand
      uint8_t* to = at(n.outputs[0]) + (from - o.delta_bytes);
      const std::vector<uint8_t> x =
          p_[n.inputs[o.operand]].is_constant() ? input(n.inputs[o.operand]) : load(n.inputs[o.operand]);
      const auto size = static_cast<int64_t>(x.size());
      const int64_t count = std::min(size - from, bytes_of(p_, n.outputs[0]) - (from - o.delta_bytes));
      std::copy_n(x.begin() + from, count, to);
    }
  }

  // In ascending order, element by element, as a kernel would.
  void run_each(const Node& n) {
    for (size_t i = 0; i < p_.type(n.outputs[0]).bytes(); ++i) {
      uint32_t hash = static_cast<uint32_t>(i) * 13;
      for (ValueId id : n.inputs) hash = hash * 31 + at(id)[i];
      at(n.outputs[0])[i] = mix(hash);
    }
  }

  std::vector<std::vector<uint8_t>> operands(const Node& n) {
    std::vector<std::vector<uint8_t>> x;
    for (ValueId id : n.inputs) x.push_back(p_[id].is_constant() ? input(id) : load(id));
    return x;
  }

  const Program& p_;
  const Plan& plan_;
  std::vector<ValueId> ends_;                   // in buffers of the caller's
  std::vector<std::vector<uint8_t>> memories_;  // the arena, then the buffers
};

enum class Kind { chain, residual, branches, anything };

Graph random_graph(Kind kind, unsigned seed, bool with_scratch) {
  std::mt19937 rng(seed * 4 + static_cast<unsigned>(kind));
  auto below = [&](size_t n) { return static_cast<size_t>(rng() % n); };
  const bool odd =
      kind == Kind::anything;  // sizes; elsewhere all are multiples of kValueAlign, so that nothing is padded
  auto size = [&] {
    return static_cast<int64_t>(1 + below(below(4) == 0 ? 100 : 12)) * (odd && below(4) == 0 ? 3 : 4);
  };
  auto some_scratch = [&] { return with_scratch ? static_cast<int64_t>(below(3) * below(15)) * (odd ? 3 : 4) : 0; };
  Graph g;
  std::vector<ValueId> have{g.in(size())};
  if (kind == Kind::anything && below(3) == 0) have.push_back(g.in(size()));
  auto any = [&] { return have[have.size() - 1 - below(std::min<size_t>(have.size(), 6))]; };
  const size_t count = 2 + below(kind == Kind::chain ? 30 : 14);
  for (size_t i = 0; i < count; ++i) {
    const ValueId x = have.back();
    switch (kind) {
      case Kind::chain:
        have.push_back(below(5) == 0 ? g.each({x}, some_scratch()) : g.work({x}, size(), some_scratch()));
        break;
      case Kind::residual: {
        const int64_t bytes = below(2) != 0 ? bytes_of(g.p, x) : size();
        const ValueId main = g.work({g.work({x}, size(), some_scratch())}, bytes, some_scratch());
        have.push_back(g.each({main, bytes == bytes_of(g.p, x) ? x : g.work({x}, bytes)}));
        break;
      }
      case Kind::branches: {
        std::vector<ValueId> parts;
        for (size_t b = 0; b < 2 + below(3); ++b)
          parts.push_back(g.work({below(2) != 0 ? g.work({x}, size()) : x}, size(), some_scratch()));
        have.push_back(below(2) != 0 ? g.cat(parts) : g.work(parts, size()));
        break;
      }
      case Kind::anything:
        switch (below(6)) {
          case 0: have.push_back(g.view(any())); break;
          case 1: have.push_back(g.each({any()}, some_scratch())); break;
          case 2: {
            const ValueId a = any();
            const int64_t begin = static_cast<int64_t>(below(static_cast<size_t>(bytes_of(g.p, a))));
            have.push_back(g.slice(a, begin / 4 * 4, bytes_of(g.p, a) - begin));
            break;
          }
          case 3:
            have.push_back(below(3) == 0 ? g.cat({any(), g.constant(size()), any()}) : g.cat({any(), any()}));
            break;
          case 4: {
            const Node n = g.node(kWork, {any(), any()}, {size(), size()}, some_scratch());
            have.insert(have.end(), n.outputs.begin(), n.outputs.end());
            break;
          }
          default: have.push_back(g.work({any()}, size(), some_scratch()));
        }
    }
  }
  g.out(have.back());
  if (kind == Kind::anything)
    for (size_t i = below(3); i > 0; --i) g.out(any());
  return g;
}

// Which share of 150 graphs fits its lower bound, but for `padding` bytes.
double tight_share(Kind kind, bool with_scratch, int align, int64_t padding) {
  constexpr unsigned kGraphs = 150;
  const target::Target t = core(align);
  int tight = 0;
  for (unsigned seed = 0; seed < kGraphs; ++seed) {
    Graph g = random_graph(kind, seed, with_scratch);
    Graph again = g;
    const Plan plan = placed(g.p, t);
    const Plan twin = placed(again.p, t);
    EXPECT_EQ(memory_map(g.p, plan), memory_map(again.p, twin)) << "seed " << seed;
    EXPECT_GE(plan.arena_bytes, plan.lower_bound_bytes) << "seed " << seed;
    Machine machine(g.p, plan);
    EXPECT_EQ(machine.run_in_arena(), machine.run_apart()) << "seed " << seed << "\n" << memory_map(g.p, plan);
    tight += plan.arena_bytes <= plan.lower_bound_bytes + padding;
  }
  return tight / double{kGraphs};
}

TEST(RandomGraphs, ChainsAndResidualBlocksFitTheirLowerBound) {
  for (Kind kind : {Kind::chain, Kind::residual})
    for (bool with_scratch : {false, true}) EXPECT_EQ(tight_share(kind, with_scratch, 4, 0), 1.0);
}

TEST(RandomGraphs, BranchesMostlyFitTheirLowerBound) {
  for (bool with_scratch : {false, true}) EXPECT_GE(tight_share(Kind::branches, with_scratch, 4, 0), 0.95);
}

TEST(RandomGraphs, AnythingMostlyFitsItsLowerBound) {
  for (bool with_scratch : {false, true}) EXPECT_GE(tight_share(Kind::anything, with_scratch, 4, 8), 0.95);
}

TEST(RandomGraphs, WideAlignmentOfScratchCostsPaddingOnly) {
  EXPECT_EQ(tight_share(Kind::chain, true, 16, 12), 1.0);
  EXPECT_GE(tight_share(Kind::residual, true, 16, 12), 0.95);
}

// --- buffers of the caller's own ---

// Gives some ends of a graph buffers, of each kind some.
void give_buffers(Graph& g, unsigned seed) {
  std::mt19937 rng(seed);
  Program& p = g.p;
  for (ValueId id : p.inputs)
    if (!p.is_output(id))
      p[id].buffer = std::array{ir::Buffer::arena, ir::Buffer::caller, ir::Buffer::consumed}[rng() % 3];
  for (ValueId id : p.outputs)
    if (std::ranges::count(p.outputs, id) == 1 && std::ranges::count(p.inputs, id) == 0 && !p[id].is_constant() &&
        rng() % 2 == 0)
      p[id].buffer = ir::Buffer::caller;
}

TEST(Buffers, RandomGraphsRunInThem) {
  int buffers = 0;
  for (Kind kind : {Kind::chain, Kind::residual, Kind::branches, Kind::anything})
    for (unsigned seed = 0; seed < 75; ++seed) {
      Graph g = random_graph(kind, seed, seed % 2 != 0);
      give_buffers(g, seed);
      const Plan plan = placed(g.p);
      buffers += static_cast<int>(buffered_ends(g.p).size());
      Machine machine(g.p, plan);
      EXPECT_EQ(machine.run_in_arena(), machine.run_apart()) << "seed " << seed << "\n" << memory_map(g.p, plan);
      EXPECT_TRUE(machine.kept_inputs()) << "seed " << seed;
    }
  EXPECT_GT(buffers, 300);
}

// x -> a -> b -> y, of one size each: one of them is in the arena at most.
TEST(Buffers, AConsumedInputAndAnOutputHoldTheRest) {
  Graph g = chain({64, 64, 64, 64});
  g.p[g.p.inputs[0]].buffer = ir::Buffer::consumed;
  g.p[g.p.outputs[0]].buffer = ir::Buffer::caller;
  EXPECT_EQ(placed(g.p).arena_bytes, 0);
}

TEST(Buffers, AKeptInputCostsNothingAndHoldsNothingElse) {
  Graph g = chain({64, 64, 64, 64});
  g.p[g.p.inputs[0]].buffer = ir::Buffer::caller;
  EXPECT_EQ(placed(g.p).arena_bytes, 128);
}

TEST(Buffers, AnElementwiseResultIsNotWrittenOverAKeptInput) {
  Graph g;
  const ValueId x = g.in(64);
  const ValueId y = g.each({g.view(x)});
  g.out(g.work({y}, 32));
  g.p[x].buffer = ir::Buffer::caller;
  const Plan plan = placed(g.p);
  EXPECT_EQ(plan.arena_bytes, 96);  // the view is free
  g.p[y].offset = g.p[x].offset;
  EXPECT_EQ(complaint(g.p, plan),
            fmt::format("%v at {} was overwritten by v.2 before it is read", *g.p[x].offset));
}

TEST(Buffers, AnEndOfTheArenaStaysThere) {
  Graph g = chain({64, 64});
  g.p[g.p.outputs[0]].buffer = ir::Buffer::caller;
  const Plan plan = placed(g.p);
  g.p[g.p.inputs[0]].offset = buffer_begin(1);
  EXPECT_EQ(complaint(g.p, plan), "%v lies in a buffer of another's");
}

TEST(Buffers, AValueOutsideABufferIsSeen) {
  Graph g = chain({64, 64, 64});
  g.p[g.p.inputs[0]].buffer = ir::Buffer::consumed;
  const Plan plan = placed(g.p);
  const ValueId a = g.p.nodes[0].outputs[0];
  g.p[a].offset = buffer_begin(1) + 4;
  EXPECT_EQ(complaint(g.p, plan), "work: %v.1 of 64 bytes at 4 is outside buffer 1 of 64");
}

TEST(Buffers, HaveALimit) {
  Graph g;
  std::vector<ValueId> x;
  for (size_t i = 0; i <= kMaxBuffers; ++i) {
    x.push_back(g.in(4));
    g.p[x.back()].buffer = ir::Buffer::caller;
  }
  g.out(g.work(x, 4));
  const auto plan = place(g.p, kCore);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.errors()[0].code, "F8-0503");
}

// --- plans spoilt on purpose ---

// x -> a -> b(a, x) with scratch in both nodes
Graph spoilable() {
  Graph g;
  const ValueId x = g.in(64);
  const ValueId a = g.work({x}, 32, 16);
  g.out(g.work({a, x}, 48, 16));
  return g;
}

TEST(VerifyPlacement, AcceptsWhatPlaceGives) {
  Graph g = spoilable();
  const Plan plan = placed(g.p);
  EXPECT_EQ(complaint(g.p, plan), "");
}

TEST(VerifyPlacement, FindsEveryShiftThatOverlapsALiveValue) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    Graph g = random_graph(Kind::chain, seed, true);
    const Plan plan = placed(g.p);
    for (ValueId id : g.p.nodes[0].outputs) {
      Program spoilt = g.p;
      spoilt[id].offset = *g.p[g.p.inputs[0]].offset;  // over the operand, unless that is allowed
      const bool in_place = spoilt.nodes[0].op == &kEach;
      EXPECT_EQ(verify_placement(spoilt, plan, kCore) ? true : false, in_place) << "seed " << seed;
    }
  }
}

// What the check lets pass also runs right, wherever one value was moved to.
TEST(VerifyPlacement, AgreesWithRunningTheProgram) {
  int caught = 0;
  int passed = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    Graph g = random_graph(Kind::anything, seed, seed % 2 != 0);
    const Plan plan = placed(g.p);
    std::mt19937 rng(seed);
    for (int i = 0; i < 20; ++i) {
      Program p = g.p;
      ir::Value& moved = p[static_cast<ValueId>(rng() % p.values.size())];
      if (moved.is_constant()) continue;
      moved.offset = static_cast<int64_t>(rng() % static_cast<unsigned>(plan.arena_bytes)) / kValueAlign * kValueAlign;
      if (*moved.offset + static_cast<int64_t>(moved.type.bytes()) > plan.arena_bytes) continue;
      const bool sound = complaint(p, plan).empty();
      (sound ? passed : caught) += 1;
      if (!sound) continue;
      Machine machine(p, plan);
      EXPECT_EQ(machine.run_in_arena(), machine.run_apart()) << "seed " << seed;
    }
  }
  EXPECT_GT(caught, 300);
  EXPECT_GT(passed, 30);
}

TEST(VerifyPlacement, ShiftByAFewBytes) {
  Graph g = spoilable();
  Plan plan = placed(g.p);
  plan.arena_bytes += 8;
  const ValueId a = g.p.nodes[0].outputs[0];
  const ValueId x = g.p.inputs[0];
  g.p[a].offset = *g.p[x].offset + (*g.p[a].offset > *g.p[x].offset ? 60 : -28);
  EXPECT_EQ(complaint(g.p, plan), fmt::format("work: %v.1 at {} and %v at {} overlap", *g.p[a].offset, *g.p[x].offset));
}

TEST(VerifyPlacement, AValueOverwrittenBeforeItsLastReader) {
  Graph g;
  const ValueId x = g.in(16);
  const ValueId a = g.work({x}, 16);
  const ValueId b = g.work({a}, 16);
  g.out(g.work({b, x}, 16));
  const Plan plan = placed(g.p);
  g.p[b].offset = g.p[x].offset;
  EXPECT_EQ(complaint(g.p, plan),
            fmt::format("work: %v at {} was overwritten by v.2 before it is read", *g.p[x].offset));
}

TEST(VerifyPlacement, AnOutputOverwrittenBeforeTheEnd) {
  Graph g;
  const ValueId a = g.work({g.in(16)}, 16);
  const ValueId b = g.work({a}, 16);
  g.out(a);
  g.out(g.work({b}, 16));
  const Plan plan = placed(g.p);
  g.p[g.p.outputs[1]].offset = g.p[a].offset;
  EXPECT_NE(complaint(g.p, plan).find("was overwritten by v.3"), std::string::npos);
}

TEST(VerifyPlacement, Scratch) {
  Graph g = spoilable();
  const Plan plan = placed(g.p);
  Plan missing = plan;
  missing.scratch_offsets[0] = -1;
  EXPECT_NE(complaint(g.p, missing).find("outside the arena"), std::string::npos);
  Plan untold = plan;
  untold.scratch_offsets.pop_back();
  EXPECT_NE(complaint(g.p, untold), "");
  Plan small = plan;
  small.units[1].scratch_bytes = 12;
  EXPECT_EQ(complaint(g.p, small), "work: 12 bytes of scratch are planned, 16 needed");
  for (ValueId id : {g.p.inputs[0], g.p.nodes[0].outputs[0], g.p.outputs[0]}) {
    Plan over = plan;
    over.scratch_offsets[1] = *g.p[id].offset;
    EXPECT_EQ(complaint(g.p, over),
              fmt::format("work: scratch at {0} overlaps %{1} at {0}", *g.p[id].offset, g.p[id].name));
  }
  Plan over_kept = plan;  // x is read by the second node, the first one's scratch must not touch it either
  over_kept.scratch_offsets[0] = *g.p[g.p.inputs[0]].offset + 4;
  EXPECT_NE(complaint(g.p, over_kept), "");
}

TEST(VerifyPlacement, RangeAndAlignment) {
  Graph g = spoilable();
  const Plan plan = placed(g.p);
  const ValueId out = g.p.outputs[0];
  const int64_t at = *g.p[out].offset;
  g.p[out].offset = plan.arena_bytes - 44;
  EXPECT_NE(complaint(g.p, plan).find("outside the arena"), std::string::npos);
  g.p[out].offset = -4;
  EXPECT_NE(complaint(g.p, plan).find("outside the arena"), std::string::npos);
  g.p[out].offset = at + 1;
  EXPECT_NE(complaint(g.p, plan), "");
  g.p[out].offset.reset();
  EXPECT_NE(complaint(g.p, plan).find("no place"), std::string::npos);
}

TEST(VerifyPlacement, AWrongOverlay) {
  Graph g;
  const ValueId x = g.in(64);
  g.out(g.slice(x, 16, 16));
  g.out(x);
  const Plan plan = placed(g.p);
  ASSERT_EQ(g.p[g.p.outputs[0]].offset, 16);
  g.p[g.p.outputs[0]].offset = 20;
  EXPECT_NE(complaint(g.p, plan).find("overlap"), std::string::npos);
}

// --- report and time ---

TEST(MemoryMap, MarksThePeak) {
  Graph g = spoilable();
  const Plan plan = placed(g.p);
  const std::string map = memory_map(g.p, plan);
  EXPECT_EQ(map,
            "arena 160 bytes, lower bound 160, base aligned to 4\n"
            "# kept or read   + written   ~ scratch, rings   . free   < peak   a + b: by rows in turns\n"
            "   0 work n0                             112 |###################~~~~~.........+++++++++++....|\n"
            "   1 work n1                             160 |###################+++++++++++++++#########~~~~~| <\n");
  for (size_t at = 0; at < map.size(); at = map.find('\n', at) + 1) EXPECT_LE(map.find('\n', at) - at, 100u);
}

double milliseconds(Graph g) {
  const auto start = std::chrono::steady_clock::now();
  placed(g.p);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

TEST(Time, StaysBounded) {
  std::mt19937 rng(1);
  auto size = [&] { return static_cast<int64_t>(1 + rng() % 5000); };
  std::vector<int64_t> sizes;
  for (int i = 0; i < 200; ++i) sizes.push_back(size());
  const double of_chain = milliseconds(chain(sizes));
  Graph wide;
  const ValueId x = wide.in(100);
  std::vector<ValueId> ends;
  for (int i = 0; i < 100; ++i) ends.push_back(wide.work({wide.work({x}, size())}, size()));
  wide.out(wide.work(ends, 10));
  const double of_wide = milliseconds(std::move(wide));
  Graph tangle;
  std::vector<ValueId> have{tangle.in(100)};
  for (int i = 0; i < 300; ++i)
    have.push_back(tangle.work({have[have.size() - 1 - rng() % std::min<size_t>(have.size(), 12)],
                                have[have.size() - 1 - rng() % std::min<size_t>(have.size(), 12)]},
                               size(), size() / 9));
  tangle.out(have.back());
  const double of_tangle = milliseconds(std::move(tangle));
  Graph dense;  // DenseNet: every layer reads all before it
  std::vector<ValueId> parts{dense.in(400)};
  for (int i = 0; i < 60; ++i) parts.push_back(dense.work({dense.cat(parts)}, 4 * (1 + size() / 50)));
  dense.out(dense.cat(parts));
  const double of_dense = milliseconds(std::move(dense));
  // Generous: these take 1 to 60 ms, but sanitizers and other tests at the same time are slow.
  for (double ms : {of_chain, of_wide, of_tangle, of_dense}) EXPECT_LT(ms, 5000);
}

}  // namespace
}  // namespace fold8::plan
