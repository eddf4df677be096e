// Programs in tiles against the same programs whole, for every stage and every split.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "driver/samples.h"
#include "interp/interpreter.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "ops/ops.h"
#include "passes/passes.h"

namespace fold8::passes {
namespace {

using ir::Node;
using ir::Program;

std::string conv(const char* y, const char* x, const char* w, const char* attrs, const char* shape) {
  return fmt::format("  {} = conv2d {}, {} clamp=[-120,127] layout=\"nhwc\" {} : q8{} scale=0x1p-4 zero=-20\n", y, x, w,
                     attrs, shape);
}

std::string weight(const char* w, const char* shape, int seed) {
  return fmt::format("  const {} : q8{} scale=0x1p-6 zero=0 = seed({},-128,127)\n", w, shape, seed);
}

Program parsed(const std::string& x, const std::string& body) {
  auto p = ir::parse("program form=int8 {\n  in %x : q8" + x + " scale=0x1p-5 zero=-7\n" + body + "}\n", ops::table());
  if (!p) throw std::runtime_error(format(p.errors()));
  if (const auto sound = ir::verify(*p); !sound) throw std::runtime_error(format(sound.errors()));
  return *p;
}

struct Network {
  const char* name;
  Program program;
};

std::vector<Network> networks() {
  std::vector<Network> all;
  all.push_back({"strides and padding on one side",
                 parsed("[1,13,10,3]",
                        weight("%a", "[8,3,3,3]", 1) + weight("%b", "[5,8,3,3]", 2) + weight("%c", "[4,5,1,1]", 3) +
                            conv("%1", "%x", "%a", "dilation=[1,1] groups=1 pad=[0,1,0,1] stride=[2,2]", "[1,6,5,8]") +
                            conv("%2", "%1", "%b", "dilation=[1,1] groups=1 pad=[1,1,1,1] stride=[1,1]", "[1,6,5,5]") +
                            conv("%3", "%2", "%c", "dilation=[1,1] groups=1 pad=[0,0,0,0] stride=[1,1]", "[1,6,5,4]") +
                            "  out %3\n")});
  all.push_back({"depthwise",
                 parsed("[1,9,12,4]",
                        weight("%a", "[4,1,3,3]", 1) + weight("%b", "[8,4,1,1]", 2) + weight("%c", "[8,1,5,3]", 3) +
                            conv("%1", "%x", "%a", "dilation=[1,1] groups=4 pad=[1,1,1,1] stride=[1,1]", "[1,9,12,4]") +
                            conv("%2", "%1", "%b", "dilation=[1,1] groups=1 pad=[0,0,0,0] stride=[1,1]", "[1,9,12,8]") +
                            conv("%3", "%2", "%c", "dilation=[1,1] groups=8 pad=[2,2,1,1] stride=[2,2]", "[1,5,6,8]") +
                            "  out %3\n")});
  all.push_back({"residual blocks",
                 parsed("[1,8,7,4]",
                        weight("%a", "[4,4,3,3]", 1) + weight("%b", "[4,4,3,3]", 2) + weight("%c", "[6,4,1,1]", 3) +
                            weight("%d", "[6,4,3,3]", 4) +
                            conv("%1", "%x", "%a", "dilation=[1,1] groups=1 pad=[1,1,1,1] stride=[1,1]", "[1,8,7,4]") +
                            conv("%2", "%1", "%b", "dilation=[1,1] groups=1 pad=[1,1,1,1] stride=[1,1]", "[1,8,7,4]") +
                            "  %3 = add %2, %1 : q8[1,8,7,4] scale=0x1p-3 zero=1\n" +
                            conv("%4", "%3", "%c", "dilation=[1,1] groups=1 pad=[0,0,0,0] stride=[2,2]", "[1,4,4,6]") +
                            conv("%5", "%3", "%d", "dilation=[1,1] groups=1 pad=[1,1,1,1] stride=[2,2]", "[1,4,4,6]") +
                            "  %6 = sub %4, %5 : q8[1,4,4,6] scale=0x1p-3 zero=1\n  out %6\n")});
  all.push_back(
      {"pools", parsed("[1,11,9,3]",
                       weight("%a", "[4,3,3,3]", 1) +
                           conv("%1", "%x", "%a", "dilation=[1,1] groups=1 pad=[1,1,1,1] stride=[1,1]", "[1,11,9,4]") +
                           "  %2 = max_pool %1 kernel=[3,3] layout=\"nhwc\" pad=[1,1,1,1] stride=[2,2] : q8[1,6,5,4] "
                           "scale=0x1p-4 zero=-20\n"
                           "  %3 = avg_pool %2 count_include_pad=0 kernel=[3,2] layout=\"nhwc\" pad=[1,1,1,0] "
                           "stride=[1,1] : q8[1,6,5,4] "
                           "scale=0x1p-5 zero=3\n"
                           "  %4 = avg_pool %3 count_include_pad=1 kernel=[2,3] layout=\"nhwc\" pad=[1,1,1,1] "
                           "stride=[2,2] : q8[1,4,3,4] scale=0x1p-5 zero=3\n  out %4\n")});
  all.push_back({"a long window, holes in windows, one row",
                 parsed("[1,20,10,1]",
                        weight("%a", "[8,1,10,4]", 1) + weight("%b", "[8,4,3,3]", 2) + weight("%c", "[3,8,10,1]", 3) +
                            conv("%1", "%x", "%a", "dilation=[1,1] groups=1 pad=[4,5,1,1] stride=[2,2]", "[1,10,5,8]") +
                            conv("%2", "%1", "%b", "dilation=[3,2] groups=2 pad=[3,3,2,2] stride=[1,1]", "[1,10,5,8]") +
                            conv("%3", "%2", "%c", "dilation=[1,1] groups=1 pad=[0,0,0,0] stride=[1,1]", "[1,1,5,3]") +
                            "  out %3\n")});
  return all;
}

std::vector<std::vector<ir::Tensor>> results(const Program& p, const Program& like) {
  std::vector<std::vector<ir::Tensor>> all;
  for (const auto& sample : driver::make_samples(like, 2).inputs) all.push_back(interp::run(p, sample));
  return all;
}

bool same(const std::vector<std::vector<ir::Tensor>>& a, const std::vector<std::vector<ir::Tensor>>& b) {
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t k = 0; k < a[i].size(); ++k)
      if (a[i][k].bytes != b[i][k].bytes) return false;
  return a.size() == b.size();
}

TEST(Patch, EverySplitOfEveryStageIsTheWhole) {
  int splits = 0;
  for (const Network& network : networks()) {
    const auto want = results(network.program, network.program);
    const std::vector<Stage> stages = patchable_stages(network.program);
    EXPECT_EQ(stages.back().end, network.program.nodes.size()) << network.name;
    for (const Stage& stage : stages) {
      const auto image = network.program.type(network.program.nodes[stage.end - 1].outputs[0]).shape;
      for (int64_t rows = 1; rows <= image[1]; ++rows)
        for (int64_t columns = 1; columns <= image[2]; ++columns) {
          Program p = network.program;
          patch(p, ops::core(), stage, rows, columns);
          ++splits;
          const auto sound = ir::verify(p);
          ASSERT_TRUE(sound) << format(sound.errors()) << ir::print(p);
          EXPECT_TRUE(same(results(p, network.program), want))
              << network.name << ", " << stage.end << " nodes in " << rows << "x" << columns << "\n"
              << ir::print(p);
        }
    }
  }
  EXPECT_GT(splits, 600);
}

// A tile that begins a row too early or too late, and a halo that is left out.
TEST(Patch, AWrongTileIsNoticed) {
  for (const Network& network : networks()) {
    const auto want = results(network.program, network.program);
    Program p = network.program;
    patch(p, ops::core(), patchable_stages(p).back(), 2, 2);
    int noticed = 0;
    for (Node& node : p.nodes) {
      if (node.op->access.windows == nullptr) continue;
      const std::vector<int64_t> pad = node.attrs.integers("pad");
      for (size_t axis : {0u, 2u})
        for (int64_t by : {-1, 1}) {
          std::vector<int64_t> moved = pad;
          moved[axis] += by;
          moved[axis + 1] -= by;
          node.attrs.set("pad", moved);
          if (ir::verify(p)) noticed += !same(results(p, network.program), want);  // some are no program at all
        }
      node.attrs.set("pad", pad);
    }
    EXPECT_GT(noticed, 12) << network.name;
    EXPECT_TRUE(same(results(p, network.program), want)) << network.name;
  }
}

TEST(Patch, KeepsTheEndsAndThePlaces) {
  Program p = networks()[0].program;
  p[p.outputs[0]].buffer = ir::Buffer::caller;
  const std::string name = p[p.outputs[0]].name;
  Place place;
  place.source_line = 7;
  p.nodes[0].places = {place};
  patch(p, ops::core(), patchable_stages(p).back(), 3, 2);
  EXPECT_EQ(p[p.outputs[0]].name, name);
  EXPECT_EQ(p[p.outputs[0]].buffer, ir::Buffer::caller);
  EXPECT_EQ(std::ranges::count_if(p.nodes, [](const Node& n) { return n.place().source_line == 7; }), 6);
}

// Neighbouring tiles of a 3x3 convolution after another both compute a border of the first.
TEST(Patch, CostsWhatTheHaloHas) {
  Program p = parsed("[1,8,8,1]",
                     weight("%a", "[1,1,3,3]", 1) + weight("%b", "[1,1,3,3]", 2) +
                         conv("%1", "%x", "%a", "dilation=[1,1] groups=1 pad=[1,1,1,1] stride=[1,1]", "[1,8,8,1]") +
                         conv("%2", "%1", "%b", "dilation=[1,1] groups=1 pad=[1,1,1,1] stride=[1,1]", "[1,8,8,1]") +
                         "  out %2\n");
  EXPECT_EQ(total_macs(p), 2 * 64 * 9);
  patch(p, ops::core(), patchable_stages(p).back(), 2, 2);
  EXPECT_EQ(total_macs(p), (4 * 5 * 5 + 64) * 9);
}

TEST(Patch, StagesEndWhereOneImageIsLeft) {
  const Program p = networks()[2].program;
  std::vector<size_t> ends;
  for (const Stage& stage : patchable_stages(p)) ends.push_back(stage.end);
  EXPECT_EQ(ends, (std::vector<size_t>{1, 3, 6}));
}

}  // namespace
}  // namespace fold8::passes
