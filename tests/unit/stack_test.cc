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

TEST(StackBound, RefusesWhatHasNone) {
  EXPECT_FALSE(deepest_paths({node("a", "8 bytes (static)") + edge("a", "a")}, {"a"}));
  EXPECT_FALSE(deepest_paths({node("a", "8 bytes (dynamic)")}, {"a"}));
  EXPECT_FALSE(deepest_paths({node("a", "8 bytes (static)") + edge("a", "__indirect_call")}, {"a"}));
}

}  // namespace
}  // namespace fold8::board
