// Which matrices the DSP streams take: each proof at its limit and one past it, and the stream read back.
#include "target/dsp/dsp_stream.h"

#include <gtest/gtest.h>

namespace fold8::target {
namespace {

constexpr int32_t k23 = 1 << 23;
constexpr int32_t k30 = 1 << 30;

// Rows of {w, w} that sum up to at most `bounds` in magnitude.
Matrix matrix(const std::vector<int8_t>& weights, const std::vector<int32_t>& bounds, int32_t shift = 5) {
  Matrix m = empty_matrix(static_cast<int64_t>(weights.size()), 2);
  m.zero = -3;
  for (size_t o = 0; o < weights.size(); ++o) {
    m.weights[2 * o] = m.weights[2 * o + 1] = weights[o];
    m.sums[o] = bounds[o] - 2 * (weights[o] > 0 ? 127 * weights[o] : -128 * weights[o]);
    m.rescales[o] = {1 << 30, -shift};
  }
  return m;
}

void expect_reads_back(const Matrix& m, const Stream& stream, const Matrix& back) {
  EXPECT_EQ(stream.words[0], static_cast<int32_t>(stream.words.size()));
  EXPECT_EQ(back.weights, m.weights);
  EXPECT_EQ(back.sums, m.sums);
  EXPECT_EQ(back.zero, m.zero);
}

// As rows: two channels in a halfword.
void expect_packs(const Matrix& m, const std::string& why_not) {
  const Stream stream = kDspStreams.pack_rows(m);
  EXPECT_EQ(stream.why_not, why_not);
  if (why_not.empty()) expect_reads_back(m, stream, kDspStreams.unpack_rows(stream.words.data(), m.outs, m.ins));
}

// As pixels: widened or not.
bool is_widened(const Matrix& m) {
  const Stream stream = kDspStreams.pack(m);
  expect_reads_back(m, stream, kDspStreams.unpack(stream.words.data(), m.outs, m.ins));
  return stream.words[1] == 1;
}

TEST(DspStream, OneChannelOfAPairStaysBelow2To23) {
  const std::string why = "a channel can accumulate 2^23 and has no partner whose weights fit beside its own";
  expect_packs(matrix({1, -1}, {k23 - 1, k23 - 1}), "");
  expect_packs(matrix({1, -1}, {k23, k23 - 1}), "");
  expect_packs(matrix({1, -1}, {k23, k23}), why);
  expect_packs(matrix({1}, {k23 - 1}), "");
  expect_packs(matrix({1}, {k23}), why);
}

TEST(DspStream, AccumulatorsStayBelow2To30) {
  expect_packs(matrix({1, 1}, {k30 - 1, 1000}), "");
  expect_packs(matrix({1, 1}, {k30, 1000}), "channel 0 can accumulate 2^30");
}

TEST(DspStream, ShiftsAre1To22) {
  expect_packs(matrix({1, 1, 1}, {9, 9, 9}, 1), "");
  expect_packs(matrix({1, 1, 1}, {9, 9, 9}, 22), "");
  expect_packs(matrix({1, 1, 1}, {9, 9, 9}, 0), "channel 0 shifts right by 0; the stream takes 1 to 22");
  expect_packs(matrix({1, 1, 1}, {9, 9, 9}, 23), "channel 0 shifts right by 23; the stream takes 1 to 22");
}

TEST(DspStream, HalfwordsHoldMinus128BesideWhatFits) {
  expect_packs(matrix({-128, -128}, {k23 - 1, k23 - 1}), "");        // each alone
  expect_packs(matrix({-128, -1}, {k23 - 1, k23 - 1}), "");          // -1 above -128
  expect_packs(matrix({-128, 0, -128}, {k23, k23 - 1, 70000}), "");  // 0 above the first, the last alone
  expect_packs(matrix({-128, -128}, {k23, 70000}),
               "a channel can accumulate 2^23 and has no partner whose weights fit beside its own");
}

TEST(DspStream, FewWeightsAreWidened) {
  EXPECT_TRUE(is_widened(matrix(std::vector<int8_t>(256, 3), std::vector<int32_t>(256, 5000))));
  EXPECT_FALSE(is_widened(matrix(std::vector<int8_t>(257, 3), std::vector<int32_t>(257, 5000))));
  EXPECT_TRUE(is_widened(matrix({-128, -128, 127}, {k23, k30 - 1, k23})));  // no partner to fit
}

}  // namespace
}  // namespace fold8::target
