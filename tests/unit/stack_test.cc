// The deepest path through a call graph, on graphs written by hand in GCC's form.
#include "board/stack.h"

#include <gtest/gtest.h>

namespace fold8::board {
namespace {

std::string node(const std::string& name, const std::string& frame) {
  return "node: { title: \"" + name + "\" label: \"" + name + "\\nx.cpp:1:1\\n" + frame + "\" }\n";
}
std::string edge(const std::string& from, const std::string& to) {
  return "edge: { sourcename: \"" + from + "\" targetname: \"" + to + "\" label: \"x.cpp:2:2\" }\n";
}

TEST(StackBound, TakesTheDeepestPathAndAllowsForLibraries) {
  const std::string graph = node("a", "16 bytes (static)") + node("b", "100 bytes (static)") +
                            node("c", "40 bytes (static)") + edge("a", "b") + edge("a", "c") + edge("c", "memcpy");
  const auto bounds = deepest_paths({graph}, {"a", "b", "c"});
  ASSERT_TRUE(bounds);
  EXPECT_EQ(*bounds, (std::vector<int64_t>{16 + 40 + kLibraryStackBytes, 100, 40 + kLibraryStackBytes}));
}

Instruction instruction(const std::string& function, const std::string& line) {
  Instruction i = parse_instruction("  1000:\t" + line).value();
  i.function = function;
  return i;
}

TEST(StackBound, CountsWhatNakedFunctionsPush) {
  const PushedBytes pushed = pushed_bytes({
      instruction("naked", "e92d 4ff0 \tstmdb\tsp!, {r4, r5, r6, r7, r8, r9, sl, fp, lr}"),  // 36
      instruction("naked", "ed2d eb04 \tvpush\t{d14-d15}"),                                  // 16
      instruction("naked", "b087      \tsub\tsp, #28"),                                      // 28
      instruction("naked", "f84d 0d08 \tstr.w\tr0, [sp, #-8]!"),                             // 8
      instruction("naked", "b007      \tadd\tsp, #28"),
      instruction("naked", "9001      \tstr\tr0, [sp, #4]"),
      instruction("framed", "b510      \tpush\t{r4, lr}"),
  });
  const std::string graph = node("a", "16 bytes (static)") + node("naked", "0 bytes (static)") +
                            node("x.cpp:framed", "8 bytes (static)") + edge("a", "naked") + edge("a", "x.cpp:framed");
  const auto bounds = deepest_paths({graph}, {"a", "x.cpp:framed"}, pushed);
  ASSERT_TRUE(bounds);
  EXPECT_EQ(*bounds, (std::vector<int64_t>{16 + 36 + 16 + 28 + 8, 8}));
}

TEST(StackBound, CountsArgumentsThatAFunctionSpills) {
  // GCC's account leaves out what it pushes to keep a structure that came in registers.
  const PushedBytes pushed = pushed_bytes({instruction("f", "b5ff      \tpush\t{r0, r1, r2, r3, r4, r5, r6, r7, lr}")});
  const auto bounds = deepest_paths({node("f", "20 bytes (static)")}, {"f"}, pushed);
  ASSERT_TRUE(bounds);
  EXPECT_EQ(bounds->front(), 36);
}

TEST(StackBound, RefusesWhatHasNone) {
  EXPECT_FALSE(deepest_paths({node("a", "8 bytes (static)") + edge("a", "a")}, {"a"}));
  EXPECT_FALSE(deepest_paths({node("a", "8 bytes (dynamic)")}, {"a"}));
  EXPECT_FALSE(deepest_paths({node("a", "8 bytes (static)") + edge("a", "__indirect_call")}, {"a"}));
}

}  // namespace
}  // namespace fold8::board
