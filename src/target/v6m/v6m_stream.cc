// Writes and reads the streams of device/isa/v6m/stream.h.
#include "target/v6m/v6m_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <span>

#include "isa/v6m/depthwise.h"
#include "target/v6m/v6m_scale.h"

namespace fold8::target {
namespace {

namespace v6m = f8k::v6m;

std::span<const int8_t> row(const Matrix& m, int64_t o) {
  return std::span(m.weights).subspan(static_cast<size_t>(o * m.ins), static_cast<size_t>(m.ins));
}

// With the sums that x in -128..127 can give.
Requantization requantization(const Matrix& m, int64_t o) {
  const int64_t start = m.sums[static_cast<size_t>(o)];
  Requantization r{m.rescales[static_cast<size_t>(o)], m.zero.value_or(0), start, start};
  for (int64_t w : row(m, o)) {
    r.least += std::min(w * -128, w * 127);
    r.most += std::max(w * -128, w * 127);
  }
  return r;
}

// One for each channel; an objection if some channel has none.
struct Scales {
  std::vector<ScaleOfSums> list;
  std::string why_not;
};

Scales find_scales(const Matrix& m) {
  Scales scales;
  for (int64_t o = 0; o < m.outs; ++o) {
    const auto scale = find_scale(requantization(m, o));
    if (!scale) return {{}, fmt::format("channel {} has no exact rescale in 32 bits", o)};
    scales.list.push_back(*scale);
  }
  return scales;
}

uint32_t start(const Matrix& m, const Scales& scales, int64_t o) {
  return static_cast<uint32_t>(m.sums[static_cast<size_t>(o)] - scales.list[static_cast<size_t>(o)].first);
}

void write_scale(std::vector<int32_t>& words, const v6m::Scale& s) {
  const auto word = [](uint32_t value) { return static_cast<int32_t>(value); };
  const int32_t all[] = {word(s.range), word(s.multiplier_low), word(s.multiplier_high), s.offset,
                         word(s.shift), word(s.at_zero),        word(s.offset_low)};
  words.insert(words.end(), all, all + v6m::scale_words(all));
}

// Into channel o, whose weights are there: sum, rescale, zero. Returns the end of the scale.
const int32_t* read_scale(Matrix& m, int64_t o, uint32_t from, const int32_t* words) {
  const int32_t* end = words + v6m::scale_words(words);
  const auto word = [&](int i) { return words + i < end ? static_cast<uint32_t>(words[i]) : 0u; };
  const v6m::Scale scale = {word(0), word(1), word(2), words[3], word(4), word(5), word(6)};
  const int32_t first = first_of(scale);
  m.sums[static_cast<size_t>(o)] = static_cast<int32_t>(from + static_cast<uint32_t>(first));
  const Requantization found = requantization_of({scale, first}, requantization(m, o));
  m.rescales[static_cast<size_t>(o)] = found.rescale;
  m.zero = found.zero;
  return end;
}

// Four weights a word, in order, padded with zeros.
void write_bytes(std::vector<int32_t>& words, std::span<const int8_t> weights) {
  for (size_t k = 0; k < weights.size(); k += 4) {
    uint32_t word = 0;
    for (size_t i = k; i < std::min(k + 4, weights.size()); ++i)
      word |= uint32_t{static_cast<uint8_t>(weights[i])} << (8 * (i - k));
    words.push_back(static_cast<int32_t>(word));
  }
}

void read_bytes(Matrix& m, int64_t o, const int32_t* words) {
  for (int64_t k = 0; k < m.ins; ++k)
    m.weights[static_cast<size_t>(o * m.ins + k)] =
        static_cast<int8_t>(static_cast<uint32_t>(words[k / 4]) >> (8 * (k % 4)));
}

// ---- convolution

int64_t buffer_bytes(int64_t ins, int64_t /*outs*/, int64_t /*pixels*/) {
  return 4 * v6m::kPixelWords * v6m::stream_ins(static_cast<int32_t>(ins));
}

// A channel's weights as the loop sums them, four neighbours at a time, and those that stand alone.
struct Summed {
  std::vector<int8_t> together;
  std::vector<int64_t> alone;  // which
};

Summed split(std::span<const int8_t> weights) {
  Summed result{{weights.begin(), weights.end()}, {}};
  const auto magnitude = [&](int64_t k) { return std::abs(result.together[static_cast<size_t>(k)]); };
  const auto ins = static_cast<int64_t>(weights.size());
  for (int64_t first = 0; first < ins; first += v6m::kSummed)
    for (;;) {
      int64_t largest = first;
      int64_t sum = 0;
      for (int64_t k = first; k < std::min(first + v6m::kSummed, ins); ++k) {
        sum += magnitude(k);
        if (magnitude(k) > magnitude(largest)) largest = k;
      }
      if (sum <= v6m::kSummedLimit) break;
      result.alone.push_back(largest);
      result.together[static_cast<size_t>(largest)] = 0;
    }
  return result;
}

Stream pack_matrix(const Matrix& m) {
  const Scales scales = find_scales(m);
  Stream stream{{0}, scales.why_not};
  for (int64_t o = 0; o < m.outs && stream.why_not.empty(); ++o) {
    const Summed weights = split(row(m, o));
    const auto alone = static_cast<int64_t>(weights.alone.size());
    if (alone > v6m::kMaxAlone) stream.why_not = fmt::format("channel {} has {} weights that stand alone", o, alone);
    const int64_t sums = v6m::stream_ins(static_cast<int32_t>(m.ins)) / v6m::kSummed + alone;
    const uint32_t high = start(m, scales, o);
    stream.words.push_back(
        static_cast<int32_t>(high * 0x10001u - (static_cast<uint32_t>(sums) << 15) + static_cast<uint32_t>(alone)));
    stream.words.push_back(static_cast<int32_t>(high));
    for (int64_t k : weights.alone)
      stream.words.push_back(
          static_cast<int32_t>(8 * k << 8 | static_cast<uint8_t>(row(m, o)[static_cast<size_t>(k)])));
    write_bytes(stream.words, weights.together);
    write_scale(stream.words, scales.list[static_cast<size_t>(o)].scale);
  }
  if (!stream.why_not.empty()) return {{}, stream.why_not};
  stream.words[0] = static_cast<int32_t>(stream.words.size());
  return stream;
}

Matrix unpack_matrix(const int32_t* words, int64_t outs, int64_t ins) {
  Matrix m = empty_matrix(outs, ins);
  ++words;
  for (int64_t o = 0; o < outs; ++o) {
    const int32_t* alone = words + v6m::kStreamHead;
    const int32_t* weights = alone + v6m::weights_alone(words);
    const int32_t* scale = weights + v6m::stream_ins(static_cast<int32_t>(ins)) / 4;
    read_bytes(m, o, weights);
    for (; alone != weights; ++alone)
      m.weights[static_cast<size_t>(o * ins + (*alone >> 8) / 8)] = static_cast<int8_t>(*alone);
    words = read_scale(m, o, static_cast<uint32_t>(words[1]), scale);
  }
  return m;
}

// ---- linear

int64_t rows_buffer_bytes(int64_t /*ins*/, int64_t /*outs*/, int64_t /*rows*/) { return 0; }

// The last channels of a block may be nobody's: their weights and sums are 0.
void write_row_block(std::vector<int32_t>& words, const Matrix& m, const Scales& scales, int64_t block) {
  const auto sum = [&](int64_t o) { return o < m.outs ? start(m, scales, o) : 0u; };
  const auto weight = [&](int64_t o, int64_t k) {
    return static_cast<uint32_t>((o < m.outs ? row(m, o)[static_cast<size_t>(k)] : 0) + 128);
  };
  const int64_t end = block + v6m::kRowBlock;
  for (int64_t o = block; o < end; o += 4) {
    const v6m::RowSums starts = v6m::joined(sum(o), sum(o + 1), sum(o + 2), sum(o + 3));
    for (uint32_t word : {starts.all, starts.swapped, starts.upper}) words.push_back(static_cast<int32_t>(word));
  }
  for (int64_t k = 0; k < m.ins; ++k)
    for (int64_t o = block; o < end; o += 4)
      words.push_back(
          static_cast<int32_t>(v6m::joined(weight(o, k), weight(o + 1, k), weight(o + 2, k), weight(o + 3, k)).all));
  for (int64_t o = block; o < std::min(end, m.outs); ++o) write_scale(words, scales.list[static_cast<size_t>(o)].scale);
}

// What separate() takes apart.
std::string sums_too_large(const Matrix& m, const Scales& scales) {
  for (int64_t o = 0; o < m.outs; ++o) {
    const Requantization r = requantization(m, o);
    const int64_t first = scales.list[static_cast<size_t>(o)].first;
    if (std::max(first - r.least, r.most - first) > v6m::kMostRowSum)
      return fmt::format("sums of channel {} can be more than 127 * 2^16 away from the first that is not saturated", o);
  }
  return "";
}

Stream pack_rows(const Matrix& m) {
  Stream stream;
  if (m.ins == 0) stream.why_not = "there is nothing to multiply";
  if (!stream.why_not.empty()) return stream;
  const Scales scales = find_scales(m);
  stream.why_not = scales.why_not.empty() ? sums_too_large(m, scales) : scales.why_not;
  if (!stream.why_not.empty()) return stream;
  for (int64_t block = 0; block < m.outs; block += v6m::kRowBlock) write_row_block(stream.words, m, scales, block);
  return stream;
}

Matrix unpack_rows(const int32_t* words, int64_t outs, int64_t ins) {
  Matrix m = empty_matrix(outs, ins);
  for (int64_t block = 0; block < outs; block += v6m::kRowBlock) {
    const int32_t* weights = words + v6m::kRowSums;
    const auto word = [](int32_t value) { return static_cast<uint32_t>(value); };
    const int32_t* sums = words;
    words = weights + v6m::kRowWords * ins;
    for (int64_t o = block; o < std::min(block + v6m::kRowBlock, outs); ++o) {
      const int64_t four = (o - block) / 4;
      for (int64_t k = 0; k < ins; ++k)
        m.weights[static_cast<size_t>(o * ins + k)] =
            static_cast<int8_t>((word(weights[v6m::kRowWords * k + four]) >> (8 * (o % 4)) & 255) - 128);
      const v6m::FourSums starts =
          v6m::separate({word(sums[3 * four]), word(sums[3 * four + 1]), word(sums[3 * four + 2])});
      words = read_scale(m, o, word(starts.of[o % 4]), words);
    }
  }
  return m;
}

// ---- depthwise

// Products of two neighbours are added up, in each half of a word.
std::string halves_overflow(const Matrix& m) {
  for (int64_t o = 0; o < m.outs; ++o)
    for (size_t k = 0; k + 1 < row(m, o).size(); k += 2)
      if (row(m, o)[k] == -128 && row(m, o)[k + 1] == -128)
        return fmt::format("weights {} and {} of channel {} are both -128: their products leave 16 bits", k, k + 1, o);
  return "";
}

Stream pack_depthwise(const Matrix& m, const DepthwiseKernel& kernel) {
  Stream stream;
  stream.why_not = halves_overflow(m);
  if (!stream.why_not.empty()) return stream;
  const Scales scales = find_scales(m);
  stream.why_not = scales.why_not;
  if (!stream.why_not.empty()) return stream;
  for (const int64_t o : depthwise_order(kernel, v6m::kDepthwiseChannels)) {
    write_bytes(stream.words, row(m, o));
    stream.words.push_back(static_cast<int32_t>(start(m, scales, o)));
    write_scale(stream.words, scales.list[static_cast<size_t>(o)].scale);
  }
  return stream;
}

Matrix unpack_depthwise(const int32_t* words, const DepthwiseKernel& kernel) {
  Matrix m = empty_matrix(kernel.channels * kernel.multiplier, kernel.taps());
  const int32_t weight_words = v6m::depthwise_weight_words(static_cast<int32_t>(kernel.taps()));
  for (const int64_t o : depthwise_order(kernel, v6m::kDepthwiseChannels)) {
    read_bytes(m, o, words);
    words = read_scale(m, o, static_cast<uint32_t>(words[weight_words]), words + weight_words + 1);
  }
  return m;
}

DepthwiseBlocks depthwise_blocks(const DepthwiseKernel& kernel) {
  return {v6m::kDepthwiseChannels, 1, v6m::planar_row_bytes(static_cast<int32_t>(kernel.columns())),
          v6m::depthwise_work_bytes(static_cast<int32_t>(kernel.outputs))};
}

}  // namespace

const StreamFormat kV6mStreams = {buffer_bytes, pack_matrix,    unpack_matrix,    rows_buffer_bytes, pack_rows,
                                  unpack_rows,  pack_depthwise, unpack_depthwise, depthwise_blocks,  nullptr,
                                  nullptr,      nullptr,        /*load_unit=*/1};

}  // namespace fold8::target
