// Results that trail their operands, and ops that run by rows in turns: distances against hand arithmetic and against
// running in the arena, plans spoilt by a few bytes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "ir/text.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "plan/plan.h"
#include "plan/unit.h"

namespace fold8::plan {
namespace {

using ir::Node;
using ir::OpDef;
using ir::Program;
using ir::Touch;
using ir::ValueId;

// --- distances of real convolutions: docs/decisions/005-trailing-results-and-streams.md has the arithmetic ---

// The distance of the last node of a program in int8 form, packed for a core whose matrix kernel loads windows first.
int64_t distance_of(const std::string& text) {
  auto program = ir::parse(text, ops::table());
  if (!program) throw std::runtime_error(format(program.errors()));
  const auto target = target::find_target("cortex-m4");
  if (!passes::pack(*program, *target)) throw std::runtime_error("does not pack");
  return single_units(*program, *target).back().trails.at(0).distance;
}

std::string conv(const char* x, const char* w, const char* attrs, const char* y) {
  return fmt::format(
      "program form=int8 {{\n  in %x : q8{} scale=0x1p-5 zero=3\n"
      "  const %w : q8{} scale=0x1p-6 zero=0 = seed(1,-128,127)\n"
      "  %y = conv2d %x, %w dilation=[1,1] groups=1 layout=\"nhwc\" {} : q8{} scale=0x1p-3 zero=0\n  out %y\n}}\n",
      x, w, attrs, y);
}

TEST(Trail, OfConvolutions) {
  // Output byte ((oy * W + ox) * C + C) - 1 is written before pixel ox + 1's window is read, whose first byte inside
  // the image is at (iy * W + ix) * ins. The largest difference:
  EXPECT_EQ(distance_of(conv("[1,5,5,8]", "[8,8,1,1]", "pad=[0,0,0,0] stride=[1,1]", "[1,5,5,8]")), 0);
  // 8 -> 16 over 48 x 48: 2303 pixels of 16 written, 2303 pixels of 8 read: 2303 * 8
  EXPECT_EQ(distance_of(conv("[1,48,48,8]", "[16,8,1,1]", "pad=[0,0,0,0] stride=[1,1]", "[1,48,48,16]")), 18424);
  // 3x3, 16 -> 16: a row and a pixel: the window of (oy, ox + 1) starts at (oy - 1, ox) when (oy, ox) is written
  EXPECT_EQ(distance_of(conv("[1,32,32,16]", "[16,16,3,3]", "pad=[1,1,1,1] stride=[1,1]", "[1,32,32,16]")), 528);
  EXPECT_EQ(distance_of(conv("[1,32,32,3]", "[16,3,3,3]", "pad=[1,1,1,1] stride=[1,1]", "[1,32,32,16]")), 13398);
  EXPECT_EQ(distance_of(conv("[1,96,96,3]", "[8,3,3,3]", "pad=[0,1,0,1] stride=[2,2]", "[1,48,48,8]")), 94);
  EXPECT_EQ(distance_of(conv("[1,49,10,1]", "[64,1,10,4]", "pad=[4,5,1,1] stride=[2,2]", "[1,25,5,64]")), 7489);
}

// --- streams of real ops ---

// Of a residual block of 3x3 convolutions; tests/f8/streams.test.f8 runs such blocks on every core.
TEST(Stream, ResidualBlocksRunInTurnsOnEveryCore) {
  auto int8 = ir::parse(
      "program form=int8 {\n  in %x : q8[1,16,16,8] scale=0x1p-5 zero=3\n"
      "  const %w : q8[8,8,3,3] scale=0x1p-6 zero=0 = seed(1,-128,127)\n"
      "  %a = conv2d %x, %w dilation=[1,1] groups=1 layout=\"nhwc\" pad=[1,1,1,1] stride=[1,1] : q8[1,16,16,8] "
      "scale=0x1p-3 zero=0\n"
      "  %b = conv2d %a, %w dilation=[1,1] groups=1 layout=\"nhwc\" pad=[1,1,1,1] stride=[1,1] : q8[1,16,16,8] "
      "scale=0x1p-3 zero=0\n"
      "  %y = add %b, %x : q8[1,16,16,8] scale=0x1p-2 zero=0\n  out %y\n}\n",
      ops::table());
  ASSERT_TRUE(int8);
  for (const target::Target& target : target::all_targets()) {
    Program program = *int8;
    ASSERT_TRUE(passes::pack(program, target));
    const auto plan = place(program, target);
    ASSERT_TRUE(plan);
    ASSERT_EQ(plan->units.size(), 1u) << target.cpu;
    // The image, three rows of the first convolution, one of the second, and the kernels' scratch.
    EXPECT_EQ(plan->arena_bytes - plan->units[0].scratch_bytes, (16 + 3 + 1) * 128) << target.cpu;
  }
}

// --- made-up ops -----------------------------------------------------------------------------------------------------

// window: output row r is made from input rows r * stride - 1 .. r * stride + 1. sum: byte by byte, of two operands.
// Both can run by rows.
int64_t rows_of(const Program& p, ValueId id) { return p.type(id).shape[1]; }
int64_t bytes_of(const Program& p, ValueId id) { return static_cast<int64_t>(p.type(id).bytes()); }
int64_t row_bytes(const Program& p, ValueId id) { return bytes_of(p, id) / rows_of(p, id); }

Result<std::vector<ir::Type>> no_infer(const Program& p, const Node& n) { return std::vector{p.type(n.outputs[0])}; }
void no_evaluate(const ir::Evaluation&) {}
std::vector<ir::KernelCall> no_calls(const Program&, const Node&, const target::Target&) { return {}; }
std::optional<ir::KernelCall> by_rows(const Program&, const Node&, const target::Target&) { return ir::KernelCall{}; }
int64_t scratch(const Program&, const Node& n, const target::Target&) { return n.attrs.integer("scratch"); }

struct Range {
  int64_t first, end;
};
Range window_rows(const Program& p, const Node& n, int64_t row) {
  const int64_t at = row * n.attrs.integer("stride");
  return {std::max<int64_t>(at - 1, 0), std::min(at + 2, rows_of(p, n.inputs[0]))};
}

std::vector<Touch> window_touches(const Program& p, const Node& n, const target::Target&, std::optional<int64_t> row) {
  std::vector<Touch> all;
  const int64_t in = row_bytes(p, n.inputs[0]);
  const int64_t out = row_bytes(p, n.outputs[0]);
  for (int64_t r = row.value_or(0); r < (row ? *row + 1 : rows_of(p, n.outputs[0])); ++r) {
    const Range rows = window_rows(p, n, r);
    all.push_back({r, false, 0, rows.first * in, rows.end * in});
    all.push_back({r, true, 0, r * out, (r + 1) * out});
  }
  return all;
}

constexpr OpDef fake(std::string_view name, ir::Access access) {
  OpDef op;
  op.name = name;
  op.infer = no_infer;
  op.evaluate = no_evaluate;
  op.calls = no_calls;
  op.scratch_bytes = scratch;
  op.access = access;
  op.rows = by_rows;
  return op;
}
constexpr OpDef kWindow = fake("window", {.touches = window_touches});
constexpr OpDef kSum = fake("sum", {.elementwise = true});

target::Target core() {
  target::Target t;
  t.cpu = "core";
  return t;
}
const target::Target kCore = core();

struct Graph {
  Program p;

  Graph() { p.form = ir::Form::packed; }
  ValueId value(int64_t rows, int64_t width) { return p.add_value("v", ir::q8({1, rows, width, 4}, 1, 0)); }
  ValueId in(int64_t rows, int64_t width) {
    p.inputs.push_back(value(rows, width));
    return p.inputs.back();
  }
  ValueId node(const OpDef& op, std::vector<ValueId> inputs, ValueId y, int64_t stride, int64_t scratch_bytes) {
    Node n;
    n.op = &op;
    n.name = fmt::format("n{}", p.nodes.size());
    n.inputs = std::move(inputs);
    n.outputs = {y};
    n.attrs.set("stride", stride);
    n.attrs.set("scratch", scratch_bytes);
    p.nodes.push_back(std::move(n));
    return y;
  }
  ValueId window(ValueId x, int64_t width, int64_t stride = 1, int64_t scratch_bytes = 0) {
    return node(kWindow, {x}, value((rows_of(p, x) + stride - 1) / stride, width), stride, scratch_bytes);
  }
  ValueId sum(ValueId a, ValueId b) { return node(kSum, {a, b}, value(rows_of(p, a), p.type(a).shape[2]), 1, 0); }
};

Plan placed(Program& p) {
  auto plan = place(p, kCore);
  if (!plan) throw std::runtime_error(format(plan.errors()));
  return *plan;
}

std::string complaint(const Program& p, const Plan& plan) {
  const auto sound = verify_placement(p, plan, kCore);
  return sound ? "" : sound.errors()[0].message;
}

// Runs the units in an arena, rows in turns, scratch filled with garbage before each; or every node on its own.
class Machine {
 public:
  explicit Machine(const Program& p) : p_(p) {}

  std::vector<uint8_t> in_arena(const Plan& plan) {
    arena_.assign(static_cast<size_t>(plan.arena_bytes), 0xee);
    for (ValueId id : p_.inputs) std::ranges::copy(input(id), arena_.begin() + *p_[id].offset);
    for (size_t u = 0; u < plan.units.size(); ++u) {
      const Unit& unit = plan.units[u];
      const auto row_at = [&](ValueId id, int64_t row) {
        const auto ring = unit.ring_rows.find(id);
        const int64_t slot = ring == unit.ring_rows.end() ? row : row % ring->second;
        return arena_.data() + *p_[id].offset + slot * row_bytes(p_, id);
      };
      std::vector<int64_t> next(unit.end - unit.first, 0);
      const auto turn = [&](size_t which) {
        std::fill_n(arena_.begin() + std::max<int64_t>(plan.scratch_offsets[u], 0),
                    scratch(p_, p_.nodes[unit.first + which], kCore), uint8_t{0xa5});
        make_row(p_.nodes[unit.first + which], next[which]++, row_at);
      };
      for (uint8_t which : unit.turns) turn(which);
      if (!unit.is_stream())
        for (int64_t r = 0; r < rows_of(p_, p_.nodes[unit.first].outputs[0]); ++r) turn(0);
    }
    const ValueId out = p_.outputs[0];
    return {arena_.begin() + *p_[out].offset, arena_.begin() + *p_[out].offset + bytes_of(p_, out)};
  }

  std::vector<uint8_t> apart() {
    std::map<ValueId, std::vector<uint8_t>> values;
    for (ValueId id : p_.inputs) values[id] = input(id);
    const auto row_at = [&](ValueId id, int64_t row) { return values[id].data() + row * row_bytes(p_, id); };
    for (const Node& n : p_.nodes) {
      values[n.outputs[0]].resize(static_cast<size_t>(bytes_of(p_, n.outputs[0])));
      for (int64_t r = 0; r < rows_of(p_, n.outputs[0]); ++r) make_row(n, r, row_at);
    }
    return values[p_.outputs[0]];
  }

 private:
  std::vector<uint8_t> input(ValueId id) const {
    std::vector<uint8_t> data(static_cast<size_t>(bytes_of(p_, id)));
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 7 + i / 50 + static_cast<size_t>(id));
    return data;
  }

  template <class RowAt>
  void make_row(const Node& n, int64_t row, RowAt row_at) {
    const int64_t width = row_bytes(p_, n.outputs[0]);
    uint8_t* y = row_at(n.outputs[0], row);
    if (n.op == &kSum) {
      for (int64_t i = 0; i < width; ++i)
        y[i] = static_cast<uint8_t>(row_at(n.inputs[0], row)[i] * 3 + row_at(n.inputs[1], row)[i]);
      return;
    }
    uint32_t hash = 1;
    const Range rows = window_rows(p_, n, row);
    for (int64_t r = rows.first; r < rows.end; ++r)
      for (int64_t i = 0; i < row_bytes(p_, n.inputs[0]); ++i) hash = hash * 31 + row_at(n.inputs[0], r)[i];
    for (int64_t i = 0; i < width; ++i) y[i] = static_cast<uint8_t>(hash + static_cast<uint32_t>(i * i));
  }

  const Program& p_;
  std::vector<uint8_t> arena_;
};

// --- one unit --------------------------------------------------------------------------------------------------------

TEST(Trail, AResultFollowsItsOperandByTwoRows) {
  Graph g;
  g.p.outputs = {g.window(g.in(10, 5), 5)};
  const Plan plan = placed(g.p);
  // Row r is written when rows r + 1 and beyond are still to be read from r on: two rows less a row's own.
  EXPECT_EQ(plan.arena_bytes, 10 * 20 + 20);
  EXPECT_EQ(plan.lower_bound_bytes, 10 * 20 + 20);
  EXPECT_EQ(Machine(g.p).in_arena(plan), Machine(g.p).apart());
  Program closer = g.p;
  *closer[closer.outputs[0]].offset += 4;
  EXPECT_NE(complaint(closer, plan).find("was overwritten by %v.1 before it is read"), std::string::npos);
}

TEST(Trail, AnOperandReadLaterIsKept) {
  Graph g;
  const ValueId x = g.in(10, 5);
  const ValueId y = g.window(x, 5);
  g.p.outputs = {g.sum(y, x)};
  const Plan plan = placed(g.p);
  EXPECT_EQ(Machine(g.p).in_arena(plan), Machine(g.p).apart());
  EXPECT_LE(plan.arena_bytes, 2 * 200);
}

// --- streams ---------------------------------------------------------------------------------------------------------

TEST(Stream, AResidualBlockKeepsThreeRowsAndOne) {
  Graph g;
  const ValueId x = g.in(32, 32);
  g.p.outputs = {g.sum(g.window(g.window(x, 32), 32), x)};
  const Plan plan = placed(g.p);
  // x, three rows of the first result, one of the second; the sum over x.
  EXPECT_EQ(plan.arena_bytes, (32 + 3 + 1) * 32 * 4);
  ASSERT_EQ(plan.units.size(), 1u);
  EXPECT_EQ(Machine(g.p).in_arena(plan), Machine(g.p).apart());
}

// The same with memory to spare: as without turns, and not a byte more than that.
TEST(Stream, NothingRunsInTurnsWhereTheArenaFits) {
  Graph g;
  const ValueId x = g.in(32, 32);
  g.p.outputs = {g.sum(g.window(g.window(x, 32), 32), x)};
  Program again = g.p;
  const int64_t roomy = placed(again).apart_bytes;
  const auto plan = place(g.p, kCore, roomy);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->units.size(), 3u);
  EXPECT_EQ(plan->arena_bytes, roomy);
  g.p.form = ir::Form::packed;
  const auto tight = place(g.p, kCore, roomy - 1);
  ASSERT_TRUE(tight);
  EXPECT_EQ(tight->units.size(), 1u);
}

TEST(Stream, AValueReadElsewhereOrLeftBehindForbidsIt) {
  Graph g;
  const ValueId x = g.in(8, 8);
  const ValueId a = g.window(x, 8);
  const ValueId b = g.window(a, 8);
  g.p.outputs = {b};
  EXPECT_TRUE(stream(g.p, kCore, 0, 2));
  g.p.outputs = {b, a};
  EXPECT_FALSE(stream(g.p, kCore, 0, 2));
  g.p.outputs = {b};
  g.p.outputs.push_back(g.window(a, 4));
  EXPECT_FALSE(stream(g.p, kCore, 0, 2));
  EXPECT_FALSE(stream(g.p, kCore, 0, 1));
}

TEST(Stream, ARingOneRowShortIsSeen) {
  Graph g;
  const ValueId x = g.in(32, 32);
  g.p.outputs = {g.window(g.window(x, 48), 32)};
  const Plan plan = placed(g.p);
  ASSERT_EQ(plan.units.size(), 1u);
  for (int64_t less : {1, 2}) {
    Plan shorter = plan;
    for (auto& [id, rows] : shorter.units[0].ring_rows) rows -= less;
    EXPECT_NE(complaint(g.p, shorter).find("was overwritten"), std::string::npos);
  }
  Plan early = plan;
  std::swap(early.units[0].turns[1], early.units[0].turns[2]);
  EXPECT_NE(complaint(g.p, early), "");
  Plan never = plan;
  never.units[0].turns.pop_back();
  EXPECT_NE(complaint(g.p, never).find("is not written"), std::string::npos);
}

// --- random graphs ---------------------------------------------------------------------------------------------------

Graph random_graph(unsigned seed) {
  std::mt19937 rng(seed);
  auto below = [&](int64_t n) { return static_cast<int64_t>(rng() % static_cast<uint32_t>(n)); };
  Graph g;
  std::vector<ValueId> have{g.in(4 + below(12), 1 + below(12))};
  const int64_t nodes = 2 + below(8);
  for (int64_t i = 0; i < nodes; ++i) {
    const ValueId x = have[have.size() - 1 - static_cast<size_t>(below(std::min<int64_t>(2, std::ssize(have))))];
    const auto twin = std::ranges::find_if(
        have, [&](ValueId other) { return other != x && g.p.type(other).shape == g.p.type(x).shape; });
    if (twin != have.end() && below(2) != 0) {
      have.push_back(g.sum(x, *twin));
    } else {
      const int64_t width = below(2) != 0 ? g.p.type(x).shape[2] : 1 + below(12);
      have.push_back(g.window(x, width, 1 + below(4) / 3, 4 * below(8)));
    }
  }
  g.p.outputs = {have.back()};
  return g;
}

TEST(Trail, RandomGraphsRunInTheirArena) {
  size_t streams = 0, overlaps = 0, noticed = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    Graph g = random_graph(seed);
    const Plan plan = placed(g.p);
    EXPECT_EQ(complaint(g.p, plan), "") << "seed " << seed;
    EXPECT_EQ(Machine(g.p).in_arena(plan), Machine(g.p).apart()) << "seed " << seed;
    for (const Unit& unit : plan.units) {
      streams += unit.is_stream();
      for (const Trail& t : unit.trails) {
        const int64_t delta = *g.p[t.operand].offset - *g.p[t.result].offset;
        overlaps += delta < bytes_of(g.p, t.result) && -delta < bytes_of(g.p, t.operand);
      }
    }
    // Every value moved by a word: what computes wrongly must be seen.
    for (ValueId v : g.p.values.keys())
      for (int64_t by : {-4, 4}) {
        Program moved = g.p;
        if (!moved.values[v].offset) continue;
        *moved.values[v].offset += by;
        if (*moved.values[v].offset < 0 ||
            *moved.values[v].offset + bytes_of(moved, v) > plan.arena_bytes)
          continue;
        const bool wrong = Machine(moved).in_arena(plan) != Machine(moved).apart();
        const bool seen = !complaint(moved, plan).empty();
        EXPECT_TRUE(seen || !wrong) << "seed " << seed << " value " << g.p[v].name.text();
        noticed += wrong;
      }
  }
  EXPECT_GT(streams, 50u);
  EXPECT_GT(overlaps, 100u);
  EXPECT_GT(noticed, 300u);
}

}  // namespace
}  // namespace fold8::plan
