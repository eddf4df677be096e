// driver::read_samples: one array for each input, all of as many samples.
#include "driver/samples.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "driver/npy.h"
#include "ir/text.h"
#include "ops/ops.h"

namespace fold8::driver {
namespace {

class SampleFiles : public testing::Test {
 protected:
  // An array of those int8 samples of shape [2], counted up from `first`.
  std::string file(const char* name, int64_t count, int8_t first) {
    ir::Tensor tensor(ir::Elem::i8, {count, 2});
    for (int8_t& x : tensor.as<int8_t>()) x = first++;
    const auto path = folder_.path() / name;
    EXPECT_TRUE(write_npy(path, tensor));
    return path.string();
  }

  TempFolder folder_ = *TempFolder::make();
  ir::Program sum_ = *ir::parse(
      "program form=int8 {\n  in %x : q8[2] scale=1 zero=0\n  in %y : q8[2] scale=1 zero=0\n"
      "  %z = add %x, %y : q8[2] scale=1 zero=0\n  out %z\n}\n",
      ops::table());
};

TEST_F(SampleFiles, BelongTogetherByIndex) {
  const auto samples = read_samples(sum_, {file("x.npy", 3, 0), file("y.npy", 3, 10)});
  ASSERT_TRUE(samples) << format(samples.errors());
  ASSERT_EQ(samples->inputs.size(), 3u);
  for (int8_t s = 0; s < 3; ++s) {
    const auto& sample = samples->inputs[static_cast<size_t>(s)];
    ASSERT_EQ(sample.size(), 2u);
    EXPECT_EQ(sample[0].as<int8_t>()[0], 2 * s);
    EXPECT_EQ(sample[1].as<int8_t>()[1], 11 + 2 * s);
  }
}

TEST_F(SampleFiles, AreAsManyForEachInput) {
  for (const auto& [x, y] : {std::pair<int64_t, int64_t>{3, 2}, {2, 3}, {1, 2}, {0, 1}}) {
    const auto samples = read_samples(sum_, {file("x.npy", x, 0), file("y.npy", y, 0)});
    ASSERT_FALSE(samples) << x << " and " << y;
    EXPECT_EQ(samples.errors()[0].code, "F8-0402");
    EXPECT_NE(format(samples.errors()).find(std::to_string(y) + " samples, the input before it " + std::to_string(x)),
              std::string::npos)
        << format(samples.errors());
  }
}

}  // namespace
}  // namespace fold8::driver
