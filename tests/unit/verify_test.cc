// driver::verify: agreement, and a fault planted in one node's table is found and named.
#include "driver/verify.h"

#include <gtest/gtest.h>

#include "driver/compiler.h"
#include "source_dir.h"

namespace fold8::driver {
namespace {

Result<Int8Model> digits() { return load_int8(source_dir() / "examples/digits/digits_mlp.pt2", {}); }

class Verify : public testing::Test {
 protected:
  void SetUp() override {
    if (auto tools = board::check_tools(); !tools) GTEST_SKIP() << format(tools.errors());
  }
};

TEST_F(Verify, AgreesWithTheInterpreter) {
  auto model = digits();
  ASSERT_TRUE(model) << format(model.errors());
  auto verdict = verify(model->program, *target::find_target("cortex-m3"), make_samples(model->program, 2), {});
  ASSERT_TRUE(verdict) << format(verdict.errors());
  EXPECT_EQ(verdict->differing_bytes, 0);
  EXPECT_EQ(verdict->compared_bytes, verdict->samples * 10);
  EXPECT_EQ(verdict->isa, "v7m");
  EXPECT_GT(verdict->stack_bytes, 0);
  EXPECT_LE(verdict->stack_bytes, verdict->stack_bound);
}

// Other flags of a user's build: they may change code, not integers.
TEST_F(Verify, AgreesUnderOtherFlags) {
  auto model = load_int8(source_dir() / "examples/digits_cnn/digits_cnn.pt2", {});
  ASSERT_TRUE(model) << format(model.errors());
  const Samples samples = make_samples(model->program, 2);
  for (const char* cpu : {"cortex-m3", "cortex-m4", "cortex-m55"})
    for (const char* flag : {"-O0", "-O3", "-Os", "-flto", "-fno-omit-frame-pointer"}) {
      const VerifyOptions options{.toolchain = {.flags = {flag}}};
      auto verdict = verify(model->program, *target::find_target(cpu), samples, options);
      ASSERT_TRUE(verdict) << cpu << flag << format(verdict.errors());
      EXPECT_EQ(verdict->differing_bytes, 0) << cpu << flag;
      EXPECT_FALSE(verdict->stack_bound);
    }
}

TEST_F(Verify, AgreesInTiles) {
  auto model = load_int8(source_dir() / "examples/digits_cnn/digits_cnn.pt2", {});
  ASSERT_TRUE(model) << format(model.errors());
  const Samples samples = make_samples(model->program, 2);
  int64_t tiles = 1;
  for (const char* cpu : {"cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m55"}) {
    VerifyOptions options{.compile = {.patch_rows = tiles, .patch_columns = tiles + 1}};
    ++tiles;
    auto verdict = verify(model->program, *target::find_target(cpu), samples, options);
    ASSERT_TRUE(verdict) << cpu << format(verdict.errors());
    EXPECT_EQ(verdict->differing_bytes, 0) << cpu;
  }
}

TEST_F(Verify, SaysWhichCompilerIsMissing) {
  auto model = digits();
  ASSERT_TRUE(model) << format(model.errors());
  const VerifyOptions options{.toolchain = {.compiler = "no-such-compiler"}};
  auto verdict = verify(model->program, *target::find_target("cortex-m3"), make_samples(model->program, 1), options);
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.errors()[0].code, "F8-0601");
}

TEST_F(Verify, NamesTheFirstNodeThatDiffers) {
  auto model = digits();
  ASSERT_TRUE(model) << format(model.errors());
  // Adds 1 to the first byte of linear_1's result.
  const auto change_result = [](std::vector<TextFile>& files) {
    for (TextFile& file : files) {
      std::string& text = file.contents;
      const size_t node = text.find("  // linear_1: ");
      if (node == std::string::npos) continue;
      const size_t end = std::min(text.find("  // linear_2: ", node), text.find("  fold8_trace(", node));
      const size_t result = text.rfind("f8k::at<int8_t>(", end);
      text.insert(end, "  ++*" + text.substr(result, text.find(')', result) + 1 - result) + ";\n");
    }
  };
  auto verdict = verify(model->program, *target::find_target("cortex-m3"), make_samples(model->program, 2),
                        {.tamper = change_result});
  ASSERT_TRUE(verdict) << format(verdict.errors());
  EXPECT_GT(verdict->differing_bytes, 0);
  EXPECT_NE(verdict->difference.find("first node that differs: linear_1 (linear)"), std::string::npos)
      << verdict->difference;
  EXPECT_NE(verdict->difference.find("train.py"), std::string::npos) << verdict->difference;
}

}  // namespace
}  // namespace fold8::driver
