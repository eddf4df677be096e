// What a definition of an op must have, and the windows that its accesses follow from.
#include <gtest/gtest.h>

#include "ir/op.h"
#include "ops/ops.h"

namespace fold8::ir {
namespace {

OpDef sound() {
  OpDef op;
  op.name = "op";
  op.infer = [](const Program&, const Node&) { return Result<std::vector<Type>>(std::vector<Type>{}); };
  op.evaluate = [](const Evaluation&) {};
  op.calls = [](const Program&, const Node&, const target::Target&) { return std::vector<KernelCall>{}; };
  return op;
}

TEST(OpDef, WhatADefinitionClaimsItHas) {
  EXPECT_EQ(missing(sound()), "");
  EXPECT_EQ(missing(OpDef{}), "a name, infer, evaluate and calls");
  OpDef op = sound();
  op.rows = [](const Program&, const Node&, const target::Target&) { return std::optional<KernelCall>{}; };
  EXPECT_EQ(missing(op), "the order of what rows() touches");
  op.access.elementwise = true;
  EXPECT_EQ(missing(op), "");
  op.access.windows = [](const Program&, const Node&) { return std::optional<Windows>{}; };
  EXPECT_EQ(missing(op), "one kind of access");
  op = sound();
  op.quant.weights = WeightRule{};
  EXPECT_EQ(missing(op), "checks and a count of its weights");
  op = sound();
  static const ChannelHooks hooks{};
  op.channels = &hooks;
  EXPECT_EQ(missing(op), "weights that lose channels");
  op = sound();
  op.quant = {.result = Parameters::shared, .fixed = [](const Node&) { return std::optional(FixedResult{}); }};
  EXPECT_EQ(missing(op), "parameters of its own");
  op = sound();
  op.quant.result = Parameters::moved;
  EXPECT_EQ(missing(op), "");
  op.traits = trait::fuses_clamp;
  EXPECT_EQ(missing(op), "results that it only moves");
}

TEST(OpDef, TheTableIsSound) {
  for (const OpDef* op : ops::table()) EXPECT_EQ(missing(*op), "") << op->name;
}

// Windows of 3 by 2 steps over 5 elements with one of padding: {-1 0 1}, {1 2 3}, {3 4 5}.
TEST(Windows, SeeWhatIsThere) {
  const WindowAxis axis{.in = 5, .out = 3, .kernel = 3, .stride = 2, .before = 1, .after = 1};
  EXPECT_EQ(axis.taps(0), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(axis.taps(1), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(axis.taps(2), (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(axis.counted(0, true), 3);
  EXPECT_EQ(axis.counted(0, false), 2);
  const WindowAxis thirds{.in = 7, .out = 3, .adaptive = true};
  EXPECT_EQ(thirds.taps(1), (std::vector<int64_t>{2, 3, 4}));
}

// Two results in a row of three pixels of two channels, windows of two: pixel 0 is written before [0,4) is read, or after.
TEST(Windows, AreReadBeforeOrAfterTheirResult) {
  const Windows w{.axes = {WindowAxis{.in = 1, .out = 1}, WindowAxis{.in = 3, .out = 2, .kernel = 2}}, .ins = 2, .outs = 1};
  const auto text = [&](bool reads_first) {
    std::string all;
    for (const Touch& t : window_touches(w, std::nullopt, 1, reads_first))
      all += std::to_string(t.step) + (t.write ? "w" : "r") + std::to_string(t.begin) + "-" + std::to_string(t.end) + " ";
    return all;
  };
  EXPECT_EQ(text(false), "0w0-1 1r0-4 2w1-2 3r2-6 ");
  EXPECT_EQ(text(true), "0r0-4 0w0-1 2r2-6 2w1-2 ");
}

}  // namespace
}  // namespace fold8::ir
