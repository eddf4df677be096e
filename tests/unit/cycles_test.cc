// Cycles: loops whose cycles were counted by hand from docs/cycles.md, and the trace that counts them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "board/board.h"
#include "board/timing.h"
#include "driver/bench.h"
#include "source_dir.h"

namespace fold8::board {
namespace {

constexpr uint32_t kRounds = 1000;

// Stretches of an image whose invoke runs `body` kRounds times between its marks, with the rounds in r4, and a readable
// and writable address in r0.
Result<std::vector<Stretch>> run_loop(const std::string& cpu, const std::string& body) {
  const std::string header =
      "#pragma once\nextern \"C\" void m_invoke(void* arena);\nextern \"C\" const char* m_isa(void);\n";
  const std::string source = fmt::format(
      "#include \"m.h\"\nextern \"C\" void fold8_mark();\nconst char* m_isa() {{ return \"x\"; }}\n"
      "void m_invoke(void* arena) {{\n  fold8_mark();\n"
      "  register void* a asm(\"r0\") = arena;\n  register int n asm(\"r4\") = {};\n"
      "  asm volatile(\".syntax unified\\n{}\" : \"+r\"(a), \"+r\"(n) :: \"r1\", \"r2\", \"r3\", \"r5\", \"r6\", "
      "\"lr\", "
      "\"cc\", \"memory\");\n  fold8_mark();\n}}\n",
      kRounds, body);
  const Image image{
      .target = *target::find_target(cpu),
      .files = {{"m.h", header}, {"m.cpp", source}},
      .models = {{.name = "m", .arena_bytes = 256, .arena_align = 16, .inputs = {{0, 4}}, .outputs = {}}}};
  const TempFolder folder = *TempFolder::make();
  F8_TRY(const Built built, build(image, folder.path()));
  F8_TRY(const Run ran, run(built, {{1, "abcd"}}, {.count_stretches = true}));
  return ran.stretches;
}

struct Loop {
  const char* name;
  const char* cpu;
  const char* body;  // jumps back to 1: while r4 has rounds left, if it is no `le` loop
  int instructions;  // in a round
  int cycles;        // in a round
};

// Beside each instruction: the cycles it adds.
constexpr Loop kLoops[] = {
    {"M0PlusMultiply", "cortex-m0plus",
     "1: ldr r1, [r0]\\n"     // 2
     "   muls r1, r1, r1\\n"  // 1
     "   subs r4, #1\\n"      // 1
     "   bne 1b\\n",          // 1, taken + 1
     4, 6},
    {"M3MultiplyAccumulate", "cortex-m3",
     "1: ldr r1, [r0]\\n"          // 2
     "   ldr r2, [r0, #4]\\n"      // 1: follows a load
     "   mla r3, r1, r2, r3\\n"    // 2
     "   smlal r5, r6, r1, r2\\n"  // 6
     "   str r3, [r0, #8]\\n"      // 1
     "   subs r4, #1\\n"           // 1
     "   bne 1b\\n",               // 1, taken + 2
     7, 16},
    {"M4LoadsInARow", "cortex-m4",
     "1: ldr r1, [r0]\\n"          // 2
     "   ldr r2, [r0, #4]\\n"      // 1
     "   smlad r3, r1, r2, r3\\n"  // 1
     "   subs r4, #1\\n"           // 1
     "   bne 1b\\n",               // 1, taken + 2
     5, 8},
    {"M4AddressFromALoad", "cortex-m4",
     "   str r0, [r0]\\n"
     "1: ldr r1, [r0]\\n"              // 2
     "   ldr r2, [r1, #4]\\n"          // 2: needs the first
     "   ldmia r0, {r1, r2, r3}\\n"  // 4
     "   subs r4, #1\\n"               // 1
     "   bne 1b\\n",                   // 1, taken + 2
     5, 12},
    {"M33LoadUse", "cortex-m33",
     "1: ldr r1, [r0]\\n"        // 1
     "   mla r3, r1, r1, r3\\n"  // 1, and waits 1 for r1
     "   mla r3, r1, r1, r3\\n"  // 1: the sum is passed on
     "   subs.n r4, #1\\n"       // 1
     "   bne.n 1b\\n",           // 0, taken + 2
     5, 7},
    {"M7TwoInACycle", "cortex-m7",
     "1: ldr r1, [r0]\\n"          // cycle 0
     "   ldr r2, [r0, #4]\\n"      // cycle 0
     "   smlad r3, r1, r2, r3\\n"  // cycle 2: waits for r1 and r2
     "   subs r4, #1\\n"           // cycle 2
     "   bne 1b\\n",               // cycle 3
     5, 4},
    {"M55LoadsBesideProducts", "cortex-m55",
     "   dls lr, r4\\n"
     "1: vldrb.u8 q0, [r0]\\n"       // loads: cycles 0 and 1
     "   vmladava.s8 r2, q0, q1\\n"  // products: cycles 1 and 2
     "   vldrb.u8 q2, [r0, #16]\\n"  // loads: 2 and 3
     "   vmladava.s8 r6, q2, q1\\n"  // products: 3 and 4
     "   le lr, 1b\\n",              // 0
     5, 4},
    {"M55LoadsInARow", "cortex-m55",
     "   dls lr, r4\\n"
     "1: vldrb.u8 q0, [r0]\\n"       // loads: 0 and 1
     "   vldrb.u8 q2, [r0, #16]\\n"  // loads: 2 and 3
     "   vmladava.s8 r2, q0, q1\\n"  // products: 3 and 4
     "   vmladava.s8 r6, q2, q1\\n"  // products: 5 and 6
     "   le lr, 1b\\n",              // 0; the next round's load starts in cycle 6
     5, 6},
};

class Cycles : public testing::TestWithParam<Loop> {};

INSTANTIATE_TEST_SUITE_P(Board, Cycles, testing::ValuesIn(kLoops), [](const auto& test) { return test.param.name; });

TEST_P(Cycles, AreThoseCountedByHand) {
  if (auto tools = check_tools(); !tools) GTEST_SKIP() << format(tools.errors());
  const Loop& loop = GetParam();
  const auto ran = run_loop(loop.cpu, loop.body);
  ASSERT_TRUE(ran) << format(ran.errors());
  ASSERT_EQ(ran->size(), 1u);
  constexpr int kAround = 20;  // of the calls, the loop's start and its last branch
  EXPECT_GE((*ran)[0].instructions, kRounds * loop.instructions);
  EXPECT_LE((*ran)[0].instructions, kRounds * loop.instructions + kAround);
  EXPECT_GE((*ran)[0].cycles, kRounds * loop.cycles - loop.cycles);
  EXPECT_LE((*ran)[0].cycles, kRounds * loop.cycles + kAround);
}

TEST(Timing, EveryCoreHasATable) {
  for (const target::Target& target : target::all_targets()) EXPECT_FALSE(timing_of(target.cpu).rows.empty());
}

Instruction parse(const std::string& line) { return parse_instruction("  1000:\t" + line).value(); }

TEST(Timing, ReadsRegistersOfInstructions) {
  using Registers = std::vector<int>;
  const Instruction load = parse("e8b1 1555 \tldmia.w\tr1!, {r0, r2-r4, sl}");
  EXPECT_EQ(load.bytes, 4);
  EXPECT_EQ(load.mnemonic, "ldmia");
  EXPECT_EQ(load.listed, 5);
  EXPECT_EQ(load.writes, (Registers{0, 2, 3, 4, 10}));
  EXPECT_EQ(load.addresses, Registers{1});
  const Instruction store = parse("f803 2b01 \tstrb.w\tr2, [r3, r5]");
  EXPECT_EQ(store.reads, Registers{2});
  EXPECT_EQ(store.addresses, (Registers{3, 5}));
  EXPECT_TRUE(store.writes.empty());
  const Instruction product = parse("fb10 9904 \tsmlad\tr9, r0, r4, r9");
  EXPECT_EQ(product.reads, (Registers{0, 4}));
  EXPECT_EQ(product.accumulators, Registers{9});
  const Instruction vector = parse("eef0 0f24 \tvmlava.s8\tr0, q0, q2");
  EXPECT_EQ(vector.reads, (Registers{kFirstVector, kFirstVector + 2}));
  EXPECT_EQ(vector.accumulators, Registers{0});
  EXPECT_EQ(parse("3001      \tadds\tr0, #1").reads, Registers{0});
  EXPECT_EQ(parse("ed2d eb04 \tvpush\t{d14-d15}").listed, 2);
  EXPECT_FALSE(parse_instruction("Disassembly of section .text:"));
}

}  // namespace
}  // namespace fold8::board

namespace fold8::driver {
namespace {

TEST(Bench, TotalsAreTheSumOfNodes) {
  if (auto tools = board::check_tools(); !tools) GTEST_SKIP() << format(tools.errors());
  const auto model = load_int8(source_dir() / "examples/digits/digits_mlp.pt2", {});
  ASSERT_TRUE(model) << format(model.errors());
  const auto cost = bench(model->program, *target::find_target("cortex-m4"));
  ASSERT_TRUE(cost) << format(cost.errors());
  int64_t instructions = 0, cycles = 0;
  for (const NodeCost& node : cost->nodes) {
    instructions += node.instructions;
    cycles += node.cycles;
  }
  EXPECT_EQ(cycles, cost->cycles);
  EXPECT_GT(cycles, instructions);
  // Nodes are counted in an image with a call after each, apart from the whole.
  EXPECT_NEAR(static_cast<double>(instructions), static_cast<double>(cost->instructions),
              8.0 * static_cast<double>(cost->nodes.size()));
}

}  // namespace
}  // namespace fold8::driver
