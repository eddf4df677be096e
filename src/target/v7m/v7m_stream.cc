// Writes and reads the streams of device/isa/v7m/stream.h.
#include "target/v7m/v7m_stream.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "isa/v7m/depthwise.h"
#include "isa/v7m/stream.h"
#include "target/v7m/v7m_scale.h"

namespace fold8::target {
namespace {

namespace v7m = f8k::v7m;

constexpr int64_t kFieldBits = 24;  // between the two numbers of an accumulator

const int8_t* row(const Matrix& m, int64_t o) { return m.weights.data() + o * m.ins; }

int64_t weight_sum(const Matrix& m, int64_t o) {
  int64_t sum = 0;
  for (int64_t k = 0; k < m.ins; ++k) sum += row(m, o)[k];
  return sum;
}

// The first objection to any channel, or nothing.
std::string objection(const Matrix& m, int64_t max_accumulator, int32_t fraction) {
  for (int64_t o = 0; o < m.outs; ++o)
    if (std::string why = v7m_objection(m, o, max_accumulator, fraction); !why.empty()) return why;
  return "";
}

// ---- pixels

void write_64(std::vector<int32_t>& words, int64_t value) {
  words.push_back(static_cast<int32_t>(value));
  words.push_back(static_cast<int32_t>(value >> 32));
}

int64_t read_64(const int32_t* words) {
  return static_cast<int64_t>(static_cast<uint64_t>(words[1]) << 32 | static_cast<uint32_t>(words[0]));
}

void write_channel(std::vector<int32_t>& words, const Matrix& m, int64_t o) {
  write_64(words, m.sums[static_cast<size_t>(o)] * ((int64_t{1} << kFieldBits) + 1) - 128 * weight_sum(m, o));
  std::vector<int32_t> weights(static_cast<size_t>(v7m::stream_ins(static_cast<int32_t>(m.ins))) / 4);
  std::memcpy(weights.data(), row(m, o), static_cast<size_t>(m.ins));
  words.insert(words.end(), weights.begin(), weights.end());
  write_v7m_scale(words, m, o, v7m::kGemmFraction);
}

int64_t buffer_bytes(int64_t ins, int64_t /*outs*/, int64_t pixels) {
  const int64_t most = std::min<int64_t>(pixels, v7m::stream_pixels(static_cast<int32_t>(ins)));
  return 4 * v7m::buffer_words(static_cast<int32_t>(ins), static_cast<int32_t>(most + 1) / 2);
}

Stream pack_pixels(const Matrix& m) {
  Stream stream{{}, objection(m, v7m::kMaxAccumulator, v7m::kGemmFraction)};
  if (!stream.why_not.empty()) return stream;
  stream.words.push_back(0);
  for (int64_t o = 0; o < m.outs; ++o) write_channel(stream.words, m, o);
  stream.words[0] = static_cast<int32_t>(stream.words.size());
  return stream;
}

Matrix unpack_pixels(const int32_t* words, int64_t outs, int64_t ins) {
  Matrix m = empty_matrix(outs, ins);
  ++words;
  for (int64_t o = 0; o < outs; ++o, words += v7m::channel_words(static_cast<int32_t>(ins))) {
    std::memcpy(m.weights.data() + o * ins, words + v7m::kHeadWords, static_cast<size_t>(ins));
    const int64_t start = read_64(words) + 128 * weight_sum(m, o);
    m.sums[static_cast<size_t>(o)] = static_cast<int32_t>(start / ((int64_t{1} << kFieldBits) + 1));
    read_v7m_scale(m, o, words + v7m::channel_words(static_cast<int32_t>(ins)) - v7m::kScaleWords, v7m::kGemmFraction);
  }
  return m;
}

// ---- rows

int64_t rows_buffer_bytes(int64_t ins, int64_t /*outs*/, int64_t /*rows*/) {
  return 4 * v7m::wide_ins(static_cast<int32_t>(ins));
}

// The channels of the block that begins with `first`.
std::array<int64_t, v7m::kRowChannels> row_channels(int64_t first, int64_t outs) {
  std::array<int64_t, v7m::kRowChannels> channels;
  for (int64_t i = 0; i < v7m::kRowChannels; ++i) channels[static_cast<size_t>(i)] = std::min(first + i, outs - 1);
  return channels;
}

// Byte of channel a's weight k in the two words of its four k; channel b's is the one that the mask keeps with it.
constexpr size_t kByteOfA[4] = {0, 2, 4, 6};
constexpr size_t kByteOfB[4] = {3, 1, 7, 5};

// Four k of the channels a and b, zeros beyond the last.
void write_row_words(std::vector<int32_t>& words, const Matrix& m, int64_t a, int64_t b, int64_t k) {
  uint8_t bytes[8];
  for (int64_t i = 0; i < 4; ++i) {
    const bool inside = k + i < m.ins;
    bytes[kByteOfA[i]] = static_cast<uint8_t>((inside ? row(m, a)[k + i] : 0) + 128);
    bytes[kByteOfB[i]] = static_cast<uint8_t>(inside ? row(m, b)[k + i] : 0);
  }
  int32_t two[2];
  std::memcpy(two, bytes, sizeof two);
  words.insert(words.end(), two, two + 2);
}

void read_row_words(Matrix& m, int64_t a, int64_t b, int64_t k, const int32_t* words) {
  uint8_t bytes[8];
  std::memcpy(bytes, words, sizeof bytes);
  for (int64_t i = 0; i < 4 && k + i < m.ins; ++i) {
    m.weights[static_cast<size_t>(a * m.ins + k + i)] = static_cast<int8_t>(bytes[kByteOfA[i]] - 128);
    m.weights[static_cast<size_t>(b * m.ins + k + i)] = static_cast<int8_t>(bytes[kByteOfB[i]]);
  }
}

Stream pack_rows(const Matrix& m) {
  Stream stream{{}, objection(m, v7m::kMaxAccumulator, v7m::kGemmFraction)};
  if (!stream.why_not.empty()) return stream;
  stream.words.push_back(0);
  const auto sum = [&](int64_t o) { return int64_t{m.sums[static_cast<size_t>(o)]}; };
  for (int64_t first = 0; first < m.outs; first += v7m::kRowChannels) {
    const auto [a, b, c, d] = row_channels(first, m.outs);
    write_64(stream.words, sum(a) + sum(b) * (int64_t{1} << kFieldBits));
    write_64(stream.words, sum(c) + sum(d) * (int64_t{1} << kFieldBits));
    for (int64_t k = 0; k < m.ins; k += 4) {
      write_row_words(stream.words, m, a, b, k);
      write_row_words(stream.words, m, c, d, k);
    }
    for (int64_t o : {a, b, c, d}) {
      write_v7m_scale(stream.words, m, o, v7m::kGemmFraction);
      stream.words.push_back(static_cast<int32_t>(o));
    }
  }
  stream.words[0] = static_cast<int32_t>(stream.words.size());
  return stream;
}

Matrix unpack_rows(const int32_t* words, int64_t outs, int64_t ins) {
  Matrix m = empty_matrix(outs, ins);
  const int32_t* end = words + words[0];
  for (++words; words != end; words += v7m::row_block_words(static_cast<int32_t>(ins))) {
    const int32_t* weights = words + v7m::kRowHeadWords;
    const int32_t* scales = weights + v7m::stream_ins(static_cast<int32_t>(ins));
    for (int64_t pair = 0; pair < 2; ++pair, scales += 2 * v7m::kRowScaleWords) {
      const int64_t a = scales[3];
      const int64_t b = scales[v7m::kRowScaleWords + 3];
      for (int64_t k = 0; k < ins; k += 4) read_row_words(m, a, b, k, weights + k + 2 * pair);
      const int64_t start = read_64(words + 2 * pair);
      const int64_t low = start % (int64_t{1} << kFieldBits);
      const int64_t half = int64_t{1} << (kFieldBits - 1);
      const int64_t sum_a = low >= half ? low - 2 * half : low < -half ? low + 2 * half : low;
      m.sums[static_cast<size_t>(a)] = static_cast<int32_t>(sum_a);
      m.sums[static_cast<size_t>(b)] = static_cast<int32_t>((start - sum_a) / (2 * half));
      read_v7m_scale(m, a, scales, v7m::kGemmFraction);
      read_v7m_scale(m, b, scales + v7m::kRowScaleWords, v7m::kGemmFraction);
    }
  }
  return m;
}

// ---- depthwise

bool is_3x3(const DepthwiseKernel& k) {
  return v7m::is_3x3(static_cast<int32_t>(k.height), static_cast<int32_t>(k.width), static_cast<int32_t>(k.dilation));
}

size_t weight_words(const DepthwiseKernel& k) {
  return static_cast<size_t>(v7m::depthwise_weight_words(static_cast<int32_t>(k.height), static_cast<int32_t>(k.width),
                                                         static_cast<int32_t>(k.dilation)));
}

constexpr int32_t kSecondColumn = 1 << v7m::kColumnBits;

void write_taps(std::vector<int32_t>& words, const int8_t* w, const DepthwiseKernel& kernel) {
  if (is_3x3(kernel)) {
    for (int64_t ky = 0; ky < 3; ++ky, w += 3)
      words.insert(words.end(), {w[1] + w[0] * kSecondColumn, w[2] * kSecondColumn});
  } else {
    std::vector<int32_t> bytes(weight_words(kernel));
    std::memcpy(bytes.data(), w, static_cast<size_t>(kernel.taps()));
    words.insert(words.end(), bytes.begin(), bytes.end());
  }
}

void read_taps(int8_t* w, const int32_t* words, const DepthwiseKernel& kernel) {
  if (is_3x3(kernel)) {
    v7m::read_taps_3x3(words, w);
  } else {
    std::memcpy(w, words, static_cast<size_t>(kernel.taps()));
  }
}

Stream pack_depthwise(const Matrix& m, const DepthwiseKernel& kernel) {
  Stream stream{{}, objection(m, v7m::kMaxDepthwise, v7m::kDepthwiseFraction)};
  if (!stream.why_not.empty()) return stream;
  for (const int64_t o : depthwise_order(kernel, v7m::kDepthwiseChannels)) {
    write_taps(stream.words, row(m, o), kernel);
    stream.words.push_back(m.sums[static_cast<size_t>(o)]);
    write_v7m_scale(stream.words, m, o, v7m::kDepthwiseFraction);
  }
  return stream;
}

Matrix unpack_depthwise(const int32_t* words, const DepthwiseKernel& kernel) {
  Matrix m = empty_matrix(kernel.channels * kernel.multiplier, kernel.taps());
  for (const int64_t o : depthwise_order(kernel, v7m::kDepthwiseChannels)) {
    read_taps(m.weights.data() + o * m.ins, words, kernel);
    words += weight_words(kernel);
    m.sums[static_cast<size_t>(o)] = words[0];
    read_v7m_scale(m, o, words + 1, v7m::kDepthwiseFraction);
    words += v7m::kDepthwiseTail;
  }
  return m;
}

DepthwiseBlocks depthwise_blocks(const DepthwiseKernel& kernel) {
  const bool is_3x3 = v7m::is_3x3(static_cast<int32_t>(kernel.height), static_cast<int32_t>(kernel.width),
                                  static_cast<int32_t>(kernel.dilation));
  return {v7m::kDepthwiseChannels, 1, v7m::planar_row_bytes(static_cast<int32_t>(kernel.columns())),
          4 * v7m::depthwise_work_words(static_cast<int32_t>(kernel.outputs)),
          is_3x3 && kernel.stride <= 2 ? v7m::k3x3 : v7m::kAnyKernel};
}

}  // namespace

const StreamFormat kV7mStreams = {.buffer_bytes = buffer_bytes,
                                  .pack = pack_pixels,
                                  .unpack = unpack_pixels,
                                  .rows_buffer_bytes = rows_buffer_bytes,
                                  .pack_rows = pack_rows,
                                  .unpack_rows = unpack_rows,
                                  .pack_depthwise = pack_depthwise,
                                  .unpack_depthwise = unpack_depthwise,
                                  .depthwise_blocks = depthwise_blocks,
                                  .load_unit = 1};

}  // namespace fold8::target
