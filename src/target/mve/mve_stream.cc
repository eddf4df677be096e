// Writes and reads the streams of device/isa/mve/stream.h.
#include "target/mve/mve_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "isa/mve/depthwise.h"
#include "isa/mve/stream.h"

namespace fold8::target {
namespace {

namespace mve = f8k::mve;

int64_t padded(int64_t ins) { return mve::stream_ins(static_cast<int32_t>(ins)); }

// Why the stream cannot hold the matrix, or nothing.
std::string objection(const Matrix& m) {
  if (m.outs == 0 || m.ins == 0) return "there is nothing to multiply";
  for (int64_t o = 0; o < m.outs; ++o) {
    const quant::Rescale r = m.rescales[static_cast<size_t>(o)];
    if (r.multiplier != 0 && (r.shift > -1 || r.shift < -31))
      return fmt::format("channel {} shifts right by {}; the stream takes 1 to 31", o, -r.shift);
  }
  return "";
}

// A channel that is always zero has no shift of its own.
int32_t shift_of(const quant::Rescale& r) { return r.multiplier == 0 ? -1 : r.shift; }

quant::Rescale rescale_of(int32_t multiplier, int32_t shift) { return {multiplier, multiplier == 0 ? 0 : shift}; }

// 16 weights of channel o from k on, zeros beyond the last, as four words.
void write_weights(std::vector<int32_t>& words, const Matrix& m, int64_t o, int64_t k) {
  int8_t bytes[16] = {};
  for (int64_t i = 0; i < 16 && k + i < m.ins; ++i) bytes[i] = m.weights[static_cast<size_t>(o * m.ins + k + i)];
  int32_t four[4];
  std::memcpy(four, bytes, sizeof four);
  words.insert(words.end(), four, four + 4);
}

void read_weights(Matrix& m, int64_t o, int64_t k, const int32_t* words) {
  int8_t bytes[16];
  std::memcpy(bytes, words, sizeof bytes);
  for (int64_t i = 0; i < 16 && k + i < m.ins; ++i) m.weights[static_cast<size_t>(o * m.ins + k + i)] = bytes[i];
}

// The first `outs` channels; zeros where there were none.
Matrix with_outs(Matrix m, int64_t outs) {
  m.outs = outs;
  m.weights.resize(static_cast<size_t>(outs * m.ins));
  m.sums.resize(static_cast<size_t>(outs));
  m.rescales.resize(static_cast<size_t>(outs));
  return m;
}

// The matrix with channels of zeros up to a multiple of `block`.
Matrix padded_to(const Matrix& m, int32_t block) {
  return with_outs(m, mve::round_up(static_cast<int32_t>(m.outs), block));
}

void finish(Stream& stream) { stream.words[0] = static_cast<int32_t>(stream.words.size()); }

// ---- pixels

int64_t buffer_bytes(int64_t ins, int64_t outs, int64_t) {
  return mve::window_bytes(static_cast<int32_t>(ins)) + mve::staging_bytes(static_cast<int32_t>(outs));
}

// Pairs of channels, each with `write(words, m, pair)` for its weights and then its scales.
template <class Write>
Stream pack_pairs(const Matrix& matrix, Write write) {
  Stream stream{{}, objection(matrix)};
  if (!stream.why_not.empty()) return stream;
  const Matrix m = padded_to(matrix, mve::kQuad);
  stream.words = {0, static_cast<int32_t>(matrix.outs)};
  for (int64_t quad = 0; quad < m.outs; quad += mve::kQuad)
    for (int32_t half : {0, 2}) {
      const int64_t pair[] = {quad + mve::kQuadOrder[half], quad + mve::kQuadOrder[half + 1]};
      write(stream.words, m, pair);
      for (int64_t o : pair) {
        const quant::Rescale r = m.rescales[static_cast<size_t>(o)];
        stream.words.insert(stream.words.end(), {m.sums[static_cast<size_t>(o)], r.multiplier, shift_of(r)});
      }
    }
  finish(stream);
  return stream;
}

// read(m, pair, words): the weights of a pair.
template <class Read>
Matrix unpack_pairs(const int32_t* words, int64_t outs, int64_t ins, Read read) {
  Matrix m = padded_to(empty_matrix(outs, ins), mve::kQuad);
  words += mve::kPixelHeader;
  for (int64_t quad = 0; quad < m.outs; quad += mve::kQuad)
    for (int32_t half : {0, 2}) {
      const int64_t pair[] = {quad + mve::kQuadOrder[half], quad + mve::kQuadOrder[half + 1]};
      read(m, pair, words);
      const int32_t* scales = words + padded(ins) / 2;
      for (int64_t o : pair) {
        m.sums[static_cast<size_t>(o)] = scales[0];
        m.rescales[static_cast<size_t>(o)] = rescale_of(scales[1], scales[2]);
        scales += 3;
      }
      words += mve::pair_words(static_cast<int32_t>(ins));
    }
  return with_outs(std::move(m), outs);
}

Stream pack_pixels(const Matrix& matrix) {
  return pack_pairs(matrix, [](std::vector<int32_t>& words, const Matrix& m, const int64_t* pair) {
    for (int64_t k = padded(m.ins) - 16; k >= 0; k -= 16)
      for (int32_t j : {0, 1}) write_weights(words, m, pair[j], k);
  });
}

Matrix unpack_pixels(const int32_t* words, int64_t outs, int64_t ins) {
  return unpack_pairs(words, outs, ins, [ins](Matrix& m, const int64_t* pair, const int32_t* from) {
    for (int64_t k = padded(ins) - 16; k >= 0; k -= 16)
      for (int32_t j : {0, 1}) read_weights(m, pair[j], k, std::exchange(from, from + 4));
  });
}

// ---- columns

int64_t columns_buffer_bytes(int64_t ins, int64_t outs, int64_t pixels) {
  return mve::planes_bytes(static_cast<int32_t>(ins), static_cast<int32_t>(pixels)) +
         mve::staging_bytes(static_cast<int32_t>(outs));
}

// Calls weights(second of a pair, k) for each 16 weights of a pair, in the order of the stream.
template <class Weights>
void each_column(int64_t ins, int64_t channels, Weights weights) {
  for (int64_t ky = 0; ky < ins / (3 * channels); ++ky)
    for (int64_t c = 0; c < channels; c += 16)
      for (int32_t j : {0, 1})
        for (int64_t kx = 0; kx < 3; ++kx) weights(j, (ky * 3 + kx) * channels + c);
}

Stream pack_columns(const Matrix& m, int64_t channels) {
  return pack_pairs(m, [&](std::vector<int32_t>& words, const Matrix& padded, const int64_t* pair) {
    each_column(m.ins, channels, [&](int32_t j, int64_t k) { write_weights(words, padded, pair[j], k); });
  });
}

Matrix unpack_columns(const int32_t* words, int64_t outs, int64_t ins, int64_t channels) {
  return unpack_pairs(words, outs, ins, [&](Matrix& m, const int64_t* pair, const int32_t* from) {
    each_column(ins, channels,
                [&](int32_t j, int64_t k) { read_weights(m, pair[j], k, std::exchange(from, from + 4)); });
  });
}

// ---- rows

int64_t rows_buffer_bytes(int64_t, int64_t, int64_t) { return 0; }

// Place of k among the weights: the first vector holds the head of a row alone.
int64_t place_of(int64_t ins, int64_t k) {
  const int64_t head = mve::row_head(static_cast<int32_t>(ins));
  return k < head ? k : k - head + 16;
}

// Rows with the zeros that pad them.
Matrix spread_heads(const Matrix& m) {
  Matrix spread = m;
  spread.ins = padded(m.ins);
  spread.weights.assign(static_cast<size_t>(m.outs * spread.ins), 0);
  for (int64_t o = 0; o < m.outs; ++o)
    for (int64_t k = 0; k < m.ins; ++k)
      spread.weights[static_cast<size_t>(o * spread.ins + place_of(m.ins, k))] =
          m.weights[static_cast<size_t>(o * m.ins + k)];
  return spread;
}

bool same_scale(const Matrix& m) {
  return m.rescales[0].multiplier != 0 &&
         std::ranges::all_of(m.rescales, [&](const quant::Rescale& r) { return r == m.rescales[0]; });
}

Stream pack_rows(const Matrix& matrix) {
  Stream stream{{}, objection(matrix)};
  if (!stream.why_not.empty()) return stream;
  const bool uniform = same_scale(matrix);
  const Matrix m = spread_heads(padded_to(matrix, mve::kRowChannels));
  stream.words = {0, static_cast<int32_t>(matrix.outs), uniform ? m.rescales[0].multiplier : 0,
                  uniform ? m.rescales[0].shift : 0};
  for (int64_t first = 0; first < m.outs; first += mve::kRowChannels) {
    const auto each = [&](auto write) {
      for (int32_t place : mve::kRowOrder) write(static_cast<size_t>(first + place));
    };
    each([&](size_t o) { stream.words.push_back(m.sums[o]); });
    for (int64_t k = 0; k < m.ins; k += 16)
      each([&](size_t o) { write_weights(stream.words, m, static_cast<int64_t>(o), k); });
    if (uniform) continue;
    each([&](size_t o) { stream.words.push_back(m.rescales[o].multiplier); });
    each([&](size_t o) { stream.words.push_back(shift_of(m.rescales[o])); });
  }
  finish(stream);
  return stream;
}

Matrix unpack_rows(const int32_t* words, int64_t outs, int64_t ins) {
  const quant::Rescale all = {words[2], words[3]};
  const bool uniform = all.multiplier != 0;
  Matrix spread = padded_to(empty_matrix(outs, padded(ins)), mve::kRowChannels);
  words += mve::kRowHeader;
  for (int64_t first = 0; first < outs; first += mve::kRowChannels) {
    const int32_t* scales = words + 8 + 2 * padded(ins);
    for (int32_t j = 0; j < mve::kRowChannels; ++j) {
      const int64_t o = first + mve::kRowOrder[j];
      spread.sums[static_cast<size_t>(o)] = words[j];
      for (int64_t k = 0; k < padded(ins); k += 16) read_weights(spread, o, k, words + 8 + 2 * k + 4 * j);
      spread.rescales[static_cast<size_t>(o)] = uniform ? all : rescale_of(scales[j], scales[8 + j]);
    }
    words += mve::row_block_words(static_cast<int32_t>(ins), uniform);
  }
  Matrix m = with_outs(spread, outs);
  m.ins = ins;
  m.weights.clear();
  for (int64_t o = 0; o < outs; ++o)
    for (int64_t k = 0; k < ins; ++k)
      m.weights.push_back(spread.weights[static_cast<size_t>(o * spread.ins + place_of(ins, k))]);
  return m;
}

// ---- depthwise

bool makes_patches(const DepthwiseKernel& kernel) {
  return kernel.pixel_out <= INT16_MAX &&
         mve::makes_patches(static_cast<int32_t>(kernel.height), static_cast<int32_t>(kernel.width),
                            static_cast<int32_t>(kernel.stride), static_cast<int32_t>(kernel.dilation),
                            static_cast<int32_t>(kernel.pixel_out));
}

DepthwiseBlocks depthwise_blocks(const DepthwiseKernel& kernel) {
  const bool patches = makes_patches(kernel);
  const auto columns = static_cast<int32_t>(kernel.columns());
  const bool pairs = kernel.rows_are_neighbours &&
                     mve::makes_pairs(patches, static_cast<int32_t>(kernel.stride),
                                      static_cast<int32_t>(kernel.pixel_out), static_cast<int32_t>(kernel.row_out));
  return {mve::depthwise_channels(patches, columns), pairs ? 2 : 1, mve::planar_row_bytes(columns),
          patches ? mve::depthwise_work_bytes(columns) : 0, patches ? mve::kPatches : mve::kLaneByLane};
}

// Calls block(first channel, channels, j) in the order of the blocks.
template <class Block>
void each_depthwise_block(const DepthwiseKernel& kernel, Block block) {
  const int64_t channels = depthwise_blocks(kernel).channels;
  for (int64_t first = 0; first < kernel.channels; first += channels)
    for (int64_t j = 0; j < kernel.multiplier; ++j)
      block(first, std::min<int64_t>(channels, kernel.channels - first), j);
}

// Where the weight of row ky, column kx is among the bytes of a record of patches.
size_t patch_byte(int64_t ky, int64_t kx) { return static_cast<size_t>(4 * (1 + kx) + ky); }

std::vector<int32_t> patch_record(const Matrix& m, const DepthwiseKernel& kernel, size_t o) {
  std::vector<int32_t> record(mve::kPatchWords);
  int8_t bytes[20] = {};
  for (int64_t t = 0; t < m.ins; ++t)
    bytes[patch_byte(t / kernel.width, t % kernel.width)] =
        m.weights[o * static_cast<size_t>(m.ins) + static_cast<size_t>(t)];
  std::memcpy(record.data(), bytes, sizeof bytes);
  record[5] = m.sums[o];
  record[6] = m.rescales[o].multiplier;
  record[7] = shift_of(m.rescales[o]);
  return record;
}

void read_patch_record(Matrix& m, const DepthwiseKernel& kernel, size_t o, const int32_t* record) {
  int8_t bytes[20];
  std::memcpy(bytes, record, sizeof bytes);
  for (int64_t t = 0; t < m.ins; ++t)
    m.weights[o * static_cast<size_t>(m.ins) + static_cast<size_t>(t)] =
        bytes[patch_byte(t / kernel.width, t % kernel.width)];
  m.sums[o] = record[5];
  m.rescales[o] = rescale_of(record[6], record[7]);
}

void write_lanes(std::vector<int32_t>& words, const Matrix& m, const DepthwiseKernel& kernel, int64_t first,
                 int64_t channels, int64_t j) {
  const auto each = [&](auto value, int32_t missing) {
    for (int32_t place = 0; place < mve::kLanes; ++place) {
      const int64_t c = mve::lanes_channel(place);
      words.push_back(c < channels ? value(static_cast<size_t>((first + c) * kernel.multiplier + j)) : missing);
    }
  };
  each([&](size_t o) { return m.sums[o]; }, 0);
  for (int64_t t = 0; t < m.ins; ++t) {
    int8_t bytes[mve::kLanes] = {};
    for (int64_t c = 0; c < channels; ++c)
      bytes[c] = m.weights[static_cast<size_t>(((first + c) * kernel.multiplier + j) * m.ins + t)];
    int32_t two[2];
    std::memcpy(two, bytes, sizeof two);
    words.insert(words.end(), two, two + 2);
  }
  each([&](size_t o) { return m.rescales[o].multiplier; }, 0);
  each([&](size_t o) { return shift_of(m.rescales[o]); }, -1);
}

void read_lanes(Matrix& m, const DepthwiseKernel& kernel, int64_t first, int64_t channels, int64_t j,
                const int32_t* words) {
  const int32_t* scales = words + 8 + 2 * m.ins;
  for (int32_t place = 0; place < mve::kLanes; ++place) {
    const int64_t c = mve::lanes_channel(place);
    if (c >= channels) continue;
    const int64_t o = (first + c) * kernel.multiplier + j;
    m.sums[static_cast<size_t>(o)] = words[place];
    m.rescales[static_cast<size_t>(o)] = rescale_of(scales[place], scales[8 + place]);
    for (int64_t t = 0; t < m.ins; ++t) {
      int8_t bytes[mve::kLanes];
      std::memcpy(bytes, words + 8 + 2 * t, sizeof bytes);
      m.weights[static_cast<size_t>(o * m.ins + t)] = bytes[c];
    }
  }
}

Stream pack_depthwise(const Matrix& m, const DepthwiseKernel& kernel) {
  Stream stream{{}, objection(m)};
  if (!stream.why_not.empty()) return stream;
  each_depthwise_block(kernel, [&](int64_t first, int64_t channels, int64_t j) {
    if (!makes_patches(kernel)) return write_lanes(stream.words, m, kernel, first, channels, j);
    for (int64_t c = first; c < first + channels; ++c) {
      const std::vector<int32_t> record = patch_record(m, kernel, static_cast<size_t>(c * kernel.multiplier + j));
      stream.words.insert(stream.words.end(), record.begin(), record.end());
    }
  });
  return stream;
}

Matrix unpack_depthwise(const int32_t* words, const DepthwiseKernel& kernel) {
  Matrix m = empty_matrix(kernel.channels * kernel.multiplier, kernel.taps());
  each_depthwise_block(kernel, [&](int64_t first, int64_t channels, int64_t j) {
    if (makes_patches(kernel)) {
      for (int64_t c = first; c < first + channels; ++c, words += mve::kPatchWords)
        read_patch_record(m, kernel, static_cast<size_t>(c * kernel.multiplier + j), words);
    } else {
      read_lanes(m, kernel, first, channels, j, words);
      words += mve::lanes_block_words(static_cast<int32_t>(m.ins));
    }
  });
  return m;
}

}  // namespace

const StreamFormat kMveStreams = {buffer_bytes,     pack_pixels,          unpack_pixels,    rows_buffer_bytes,
                                  pack_rows,        unpack_rows,          pack_depthwise,   unpack_depthwise,
                                  depthwise_blocks, columns_buffer_bytes, pack_columns,     unpack_columns,
                                  /*load_unit=*/1,  mve::kPixels,         mve::kStripBytes, /*has_relu=*/true};

}  // namespace fold8::target
