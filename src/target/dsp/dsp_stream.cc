// Writes and reads the streams of device/isa/dsp/stream.h and depthwise.h.
#include "target/dsp/dsp_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "isa/dsp/depthwise.h"
#include "isa/dsp/stream.h"

namespace fold8::target {
namespace {

namespace dsp = f8k::dsp;

const int8_t* row(const Matrix& m, int64_t o) { return m.weights.data() + o * m.ins; }

// Of x in -128..127: the largest |accumulator| there can be.
int64_t accumulator_bound(const Matrix& m, int64_t o) {
  int64_t lo = m.sums[static_cast<size_t>(o)];
  int64_t hi = lo;
  for (int64_t k = 0; k < m.ins; ++k) {
    const int64_t w = row(m, o)[k];
    lo += std::min(w * -128, w * 127);
    hi += std::max(w * -128, w * 127);
  }
  return std::max(std::abs(lo), std::abs(hi));
}

bool has_minus_128(const Matrix& m, int64_t o) { return std::count(row(m, o), row(m, o) + m.ins, int8_t{-128}) != 0; }

// H = 256 * w_b + w_a fits int16 for every k.
bool halfwords_fit(const Matrix& m, int64_t a, int64_t b) {
  for (int64_t k = 0; k < m.ins; ++k)
    if (256 * row(m, b)[k] + row(m, a)[k] < INT16_MIN) return false;
  return true;
}

constexpr int64_t kNobody = -1;
using Pairs = std::vector<std::pair<int64_t, int64_t>>;  // (a, b); a may be nobody, whose weights are zeros

bool can_be_b(const Matrix& m, int64_t a, int64_t b) {
  return accumulator_bound(m, b) < 1 << 23 && (a == kNobody || halfwords_fit(m, a, b));
}

// Channels that -128 or a large accumulator keeps from being b take the others as partners; what is left pairs up.
std::optional<Pairs> pair_channels(const Matrix& m) {
  std::vector<int64_t> rest, particular;
  for (int64_t o = 0; o < m.outs; ++o)
    (accumulator_bound(m, o) >= 1 << 23 || has_minus_128(m, o) ? particular : rest).push_back(o);
  // Those that need a partner take it first.
  std::ranges::stable_partition(particular, [&](int64_t o) { return accumulator_bound(m, o) < 1 << 23; });
  Pairs pairs;
  while (!particular.empty() && !rest.empty()) {
    pairs.emplace_back(particular.back(), rest.back());
    particular.pop_back();
    rest.pop_back();
  }
  rest.insert(rest.end(), particular.begin(), particular.end());
  while (rest.size() >= 2) {
    const int64_t x = rest.back();
    rest.pop_back();
    const auto y =
        std::ranges::find_if(rest, [&](int64_t other) { return can_be_b(m, x, other) || can_be_b(m, other, x); });
    if (y != rest.end()) {
      pairs.push_back(can_be_b(m, x, *y) ? std::pair{x, *y} : std::pair{*y, x});
      rest.erase(y);
    } else if (can_be_b(m, kNobody, x)) {
      pairs.emplace_back(kNobody, x);
    } else {
      return std::nullopt;
    }
  }
  if (rest.empty()) return pairs;
  if (!can_be_b(m, kNobody, rest[0])) return std::nullopt;
  pairs.emplace_back(kNobody, rest[0]);
  return pairs;
}

// Which proof fails, or nothing.
std::string objection(const Matrix& m) {
  if (m.outs > dsp::kMaxOuts) return fmt::format("{} channels; the stream has room for {}", m.outs, dsp::kMaxOuts);
  for (int64_t o = 0; o < m.outs; ++o) {
    const quant::Rescale r = m.rescales[static_cast<size_t>(o)];
    if (r.multiplier != 0 && (-r.shift < dsp::kMinShift || -r.shift > dsp::kMaxShift))
      return fmt::format("channel {} shifts right by {}; the stream takes {} to {}", o, -r.shift, dsp::kMinShift,
                         dsp::kMaxShift);
    if (accumulator_bound(m, o) >= 1 << 30) return fmt::format("channel {} can accumulate 2^30", o);
  }
  return "";
}

// C, for a shift that the scale may have.
int32_t rounding(const Matrix& m, int32_t shift) { return (1 << (shift - 1)) + *m.zero * (1 << shift); }
int32_t shift_of(const quant::Rescale& r) { return r.multiplier == 0 ? dsp::kMinShift : -r.shift; }

// multiplier, C, shift
void write_scale(std::vector<int32_t>& words, const Matrix& m, int64_t o) {
  const quant::Rescale r = m.rescales[static_cast<size_t>(o)];
  words.insert(words.end(), {r.multiplier, rounding(m, shift_of(r)), shift_of(r)});
}

void read_scale(Matrix& m, int64_t o, const int32_t* scale) {
  const int32_t shift = scale[2] & 0xff;
  m.rescales[static_cast<size_t>(o)] = {scale[0], scale[0] == 0 ? 0 : -shift};
  m.zero = (scale[1] - (1 << (shift - 1))) >> shift;
}

// Blocks of `pairs` pairs of channels side by side, their inputs padded to `ins`.
struct Layout {
  int32_t ins, pairs;

  int32_t words() const { return pairs * dsp::pair_words(ins); }
  // Word of a block that holds input k of pair i in its halfword halfword_of(k) % 2.
  int32_t weight(int32_t i, int32_t k) const { return pairs * (dsp::kPairHead + dsp::halfword_of(k) / 2) + i; }
  int32_t scale(int32_t i) const { return pairs * (dsp::kPairHead + ins / 2) + i * dsp::kPairTail; }
};

Layout pixels_layout(int64_t ins) { return {dsp::stream_ins(static_cast<int32_t>(ins)), 1}; }
Layout rows_layout(int64_t ins) { return {dsp::linear_ins(static_cast<int32_t>(ins)), 2}; }

// Writes pair i of the block. Nobody's results go to the place of channel `place`, and are overwritten there.
void write_pair(int32_t* block, const Layout& layout, int32_t i, const Matrix& m, int64_t a, int64_t b, int64_t place) {
  const auto sum = [&](int64_t o) { return o == kNobody ? 0u : static_cast<uint32_t>(m.sums[static_cast<size_t>(o)]); };
  block[2 * i] = static_cast<int32_t>(sum(a));
  block[2 * i + 1] = static_cast<int32_t>(256 * sum(b) + sum(a));
  for (int32_t k = 0; k < m.ins; ++k) {
    const auto weight = [&](int64_t o) { return o == kNobody ? 0 : row(m, o)[k]; };
    const auto half = static_cast<uint16_t>(256 * weight(b) + weight(a));
    int32_t& word = block[layout.weight(i, k)];
    word = static_cast<int32_t>(static_cast<uint32_t>(word) | uint32_t{half} << (dsp::halfword_of(k) % 2 * 16));
  }
  int32_t* scale = block + layout.scale(i);
  for (int64_t channel : {a, b}) {
    const int64_t o = channel == kNobody ? place : channel;
    std::vector<int32_t> words;
    write_scale(words, m, o);
    words[2] += static_cast<int32_t>(o) << dsp::kChannelShift;
    scale = std::ranges::copy(words, scale).out;
  }
}

void read_pair(Matrix& m, const int32_t* block, const Layout& layout, int32_t i) {
  for (int32_t half : {0, 1}) {
    const int32_t* scale = block + layout.scale(i) + 3 * half;
    const int64_t o = scale[2] >> dsp::kChannelShift;
    const auto low_sum = static_cast<uint32_t>(block[2 * i]);
    const auto high_sum = static_cast<int32_t>(static_cast<uint32_t>(block[2 * i + 1]) - low_sum) >> 8;
    m.sums[static_cast<size_t>(o)] = half == 0 ? block[2 * i] : high_sum;
    read_scale(m, o, scale);
    for (int32_t k = 0; k < m.ins; ++k) {
      const auto word = static_cast<uint32_t>(block[layout.weight(i, k)]);
      const auto h = static_cast<int16_t>(word >> (dsp::halfword_of(k) % 2 * 16));
      const auto low = static_cast<int8_t>(h & 0xff);
      m.weights[static_cast<size_t>(o * m.ins + k)] = half == 0 ? low : static_cast<int8_t>((h - low) >> 8);
    }
  }
}

Stream pack_matrix(const Matrix& m, const Layout& layout) {
  Stream stream;
  stream.why_not = objection(m);
  if (!stream.why_not.empty()) return stream;
  auto pairs = pair_channels(m);
  if (!pairs) {
    stream.why_not = "a channel can accumulate 2^23 and has no partner whose weights fit beside its own";
    return stream;
  }
  // Nobody is written over by who comes later in the same block.
  if (pairs->size() % static_cast<size_t>(layout.pairs) != 0) pairs->insert(pairs->end() - 1, {kNobody, kNobody});
  stream.words.resize(1 + pairs->size() / static_cast<size_t>(layout.pairs) * static_cast<size_t>(layout.words()));
  stream.words[0] = static_cast<int32_t>(stream.words.size());
  for (size_t p = 0; p < pairs->size(); ++p) {
    const auto [block, i] = std::div(static_cast<int32_t>(p), layout.pairs);
    const int64_t place = (*pairs)[p].second == kNobody ? (*pairs)[p + 1].second : (*pairs)[p].second;
    write_pair(stream.words.data() + 1 + block * layout.words(), layout, i, m, (*pairs)[p].first, (*pairs)[p].second,
               place);
  }
  stream.words.back() |= dsp::kLastPair;
  return stream;
}

Matrix unpack_matrix(const int32_t* words, int64_t outs, int64_t ins, const Layout& layout) {
  Matrix m = empty_matrix(outs, ins);
  const int32_t* end = words + words[0];
  for (++words; words != end; words += layout.words())
    for (int32_t i = 0; i < layout.pairs; ++i) read_pair(m, words, layout, i);
  return m;
}

int64_t buffer_bytes(int64_t ins, int64_t, int64_t pixels) {
  return std::min<int64_t>(pixels, dsp::kStreamPixels) * 2 * pixels_layout(ins).ins;
}
Stream pack_pixels(const Matrix& m) { return pack_matrix(m, pixels_layout(m.ins)); }
Matrix unpack_pixels(const int32_t* words, int64_t outs, int64_t ins) {
  return unpack_matrix(words, outs, ins, pixels_layout(ins));
}

int64_t rows_buffer_bytes(int64_t ins, int64_t, int64_t) {
  return 2 * (rows_layout(ins).ins - dsp::unwidened(static_cast<int32_t>(ins)));
}
Stream pack_rows(const Matrix& m) { return pack_matrix(m, rows_layout(m.ins)); }
Matrix unpack_rows(const int32_t* words, int64_t outs, int64_t ins) {
  return unpack_matrix(words, outs, ins, rows_layout(ins));
}

// Output channels in the order of their records.
std::vector<int64_t> depthwise_order(const DepthwiseKernel& kernel) {
  std::vector<int64_t> order;
  for (int64_t first = 0; first < kernel.channels; first += dsp::kDepthwiseChannels)
    for (int64_t j = 0; j < kernel.multiplier; ++j)
      for (int64_t c = first; c < std::min(first + dsp::kDepthwiseChannels, kernel.channels); ++c)
        order.push_back(c * kernel.multiplier + j);
  return order;
}

int64_t pairs_of(const DepthwiseKernel& kernel) {
  return dsp::depthwise_pairs(static_cast<int32_t>(kernel.width), static_cast<int32_t>(kernel.dilation));
}

// Weights that each pair holds: two neighbours, or one where columns between them are not looked at.
int64_t pair_width(const DepthwiseKernel& kernel) { return kernel.dilation == 1 ? 2 : 1; }

Stream pack_depthwise(const Matrix& m, const DepthwiseKernel& kernel) {
  Stream stream;
  stream.why_not = objection(m);
  if (!stream.why_not.empty()) return stream;
  for (const int64_t o : depthwise_order(kernel)) {
    for (int64_t ky = 0; ky < kernel.height; ++ky)
      for (int64_t kx = 0; kx < kernel.width; kx += pair_width(kernel)) {
        const int8_t* w = row(m, o) + ky * kernel.width + kx;
        const bool two = pair_width(kernel) == 2 && kx + 1 < kernel.width;
        stream.words.push_back(
            static_cast<int32_t>(static_cast<uint16_t>(2 * w[0]) | static_cast<uint32_t>(two ? 2 * w[1] : 0) << 16));
      }
    stream.words.push_back(2 * m.sums[static_cast<size_t>(o)]);
    write_scale(stream.words, m, o);
  }
  return stream;
}

Matrix unpack_depthwise(const int32_t* words, const DepthwiseKernel& kernel) {
  Matrix m = empty_matrix(kernel.channels * kernel.multiplier, kernel.taps());
  for (const int64_t o : depthwise_order(kernel)) {
    for (int64_t ky = 0; ky < kernel.height; ++ky, words += pairs_of(kernel))
      for (int64_t kx = 0; kx < kernel.width; ++kx) {
        const auto pair = static_cast<uint32_t>(words[kx / pair_width(kernel)]);
        const auto doubled = static_cast<int16_t>(pair >> (kx % pair_width(kernel) * 16));
        m.weights[static_cast<size_t>(o * m.ins + ky * kernel.width + kx)] = static_cast<int8_t>(doubled / 2);
      }
    m.sums[static_cast<size_t>(o)] = words[0] / 2;
    read_scale(m, o, words + 1);
    words += 4;
  }
  return m;
}

DepthwiseBlocks depthwise_blocks(const DepthwiseKernel& kernel) {
  return {dsp::kDepthwiseChannels, 1, dsp::planar_row_bytes(static_cast<int32_t>(kernel.columns())),
          dsp::depthwise_work_bytes(static_cast<int32_t>(kernel.outputs))};
}

}  // namespace

const StreamFormat kDspStreams = {buffer_bytes, pack_pixels,    unpack_pixels,    rows_buffer_bytes, pack_rows,
                                  unpack_rows,  pack_depthwise, unpack_depthwise, depthwise_blocks};

}  // namespace fold8::target
