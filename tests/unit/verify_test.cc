// driver::verify: agreement, and a fault planted in one node's table is found and named.
#include "driver/verify.h"

#include <gtest/gtest.h>

#include "driver/compiler.h"

namespace fold8::driver {
namespace {

Result<Int8Model> digits() { return load_int8(FOLD8_SOURCE_DIR "/examples/digits/digits_mlp.pt2", {}); }

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

TEST_F(Verify, NamesTheFirstNodeThatDiffers) {
  auto model = digits();
  ASSERT_TRUE(model) << format(model.errors());
  const auto add_to_first_sum = [](std::vector<TextFile>& files) {
    for (TextFile& file : files) {
      const size_t table = file.contents.find("k_linear_1_kernel_sum[");
      if (table != std::string::npos && file.name == "model.cpp")
        file.contents.insert(file.contents.find("{\n", table) + 2, "100000 + ");
    }
  };
  auto verdict = verify(model->program, *target::find_target("cortex-m3"), make_samples(model->program, 2),
                        {.tamper = add_to_first_sum});
  ASSERT_TRUE(verdict) << format(verdict.errors());
  EXPECT_GT(verdict->differing_bytes, 0);
  EXPECT_NE(verdict->difference.find("first node that differs: linear_1 (linear)"), std::string::npos)
      << verdict->difference;
  EXPECT_NE(verdict->difference.find("train.py"), std::string::npos) << verdict->difference;
}

}  // namespace
}  // namespace fold8::driver
