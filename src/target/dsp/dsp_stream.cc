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
struct Pair {
  int64_t channels[2];  // a and b; a may be nobody, whose weights are zeros
};
using Pairs = std::vector<Pair>;

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
    pairs.push_back({particular.back(), rest.back()});
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
      pairs.push_back(can_be_b(m, x, *y) ? Pair{x, *y} : Pair{*y, x});
      rest.erase(y);
    } else if (can_be_b(m, kNobody, x)) {
      pairs.push_back({kNobody, x});
    } else {
      return std::nullopt;
    }
  }
  if (rest.empty()) return pairs;
  if (!can_be_b(m, kNobody, rest[0])) return std::nullopt;
  pairs.push_back({kNobody, rest[0]});
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

// A Rescale and the zero point as the kernels read them.
struct Scale {
  int32_t multiplier, rounding, shift;  // rounding: C
};

Scale scale_of(const Matrix& m, int64_t o) {
  const quant::Rescale r = m.rescales[static_cast<size_t>(o)];
  const int32_t shift = r.multiplier == 0 ? dsp::kMinShift : -r.shift;
  return {r.multiplier, (1 << (shift - 1)) + *m.zero * (1 << shift), shift};
}

void set_scale(Matrix& m, int64_t o, const Scale& s) {
  m.rescales[static_cast<size_t>(o)] = {s.multiplier, s.multiplier == 0 ? 0 : -s.shift};
  m.zero = (s.rounding - (1 << (s.shift - 1))) >> s.shift;
}

// Blocks of `pairs` pairs of channels side by side, their inputs padded to `ins`.
struct Layout {
  int32_t ins, pairs;
  bool widened = false;

  int32_t weight_words() const { return widened ? ins : ins / 2; }
  int32_t words() const { return pairs * (dsp::kPairHead + weight_words() + dsp::kPairTail); }
  int32_t scale(int32_t pair) const { return pairs * (dsp::kPairHead + weight_words()) + pair * dsp::kPairTail; }

  // Halfword of a block that holds input k of a pair; widened: of its channel 0 or 1.
  int32_t halfword(int32_t pair, int32_t channel, int32_t k) const {
    const int32_t at = dsp::halfword_of(k);
    if (widened) return 2 * (dsp::kPairHead + at / 4 * 4 + 2 * channel) + at % 4;
    return 2 * (pairs * (dsp::kPairHead + at / 2) + pair) + at % 2;
  }
};

Layout pixels_layout(int64_t ins, bool widened) { return {dsp::stream_ins(static_cast<int32_t>(ins)), 1, widened}; }
Layout rows_layout(int64_t ins) { return {dsp::linear_ins(static_cast<int32_t>(ins)), 2}; }

void put_halfword(int32_t* block, int32_t at, int32_t value) {
  const auto bits = static_cast<uint32_t>(static_cast<uint16_t>(value)) << (at % 2 * 16);
  block[at / 2] = static_cast<int32_t>(static_cast<uint32_t>(block[at / 2]) | bits);
}
int32_t halfword(const int32_t* block, int32_t at) {
  return static_cast<int16_t>(static_cast<uint32_t>(block[at / 2]) >> (at % 2 * 16));
}

// Writes pair i of the block. Nobody's results go to the place of channel `place`, and are overwritten there.
void write_pair(int32_t* block, const Layout& layout, int32_t i, const Matrix& m, const Pair& pair, int64_t place) {
  const auto sum = [&](int64_t o) { return o == kNobody ? 0u : static_cast<uint32_t>(m.sums[static_cast<size_t>(o)]); };
  const auto weight = [&](int64_t o, int32_t k) { return o == kNobody ? 0 : row(m, o)[k]; };
  const auto [a, b] = pair.channels;
  block[2 * i] = static_cast<int32_t>(layout.widened ? 2 * sum(a) : sum(a));
  block[2 * i + 1] = static_cast<int32_t>(layout.widened ? 2 * sum(b) : 256 * sum(b) + sum(a));
  for (int32_t k = 0; k < m.ins; ++k) {
    if (layout.widened) {
      put_halfword(block, layout.halfword(i, 0, k), 2 * weight(a, k));
      put_halfword(block, layout.halfword(i, 1, k), 2 * weight(b, k));
    } else {
      put_halfword(block, layout.halfword(i, 0, k), 256 * weight(b, k) + weight(a, k));
    }
  }
  int32_t* words = block + layout.scale(i);
  for (int64_t channel : pair.channels) {
    const int64_t o = channel == kNobody ? place : channel;
    const Scale s = scale_of(m, o);
    *words++ = s.multiplier;
    *words++ = s.rounding;
    *words++ = s.shift + (static_cast<int32_t>(o) << dsp::kChannelShift);
  }
}

int32_t read_sum(const int32_t* sums, bool widened, int32_t channel) {
  if (widened) return sums[channel] / 2;
  const auto low = static_cast<uint32_t>(sums[0]);
  return channel == 0 ? sums[0] : static_cast<int32_t>(static_cast<uint32_t>(sums[1]) - low) >> 8;
}

int8_t read_weight(const int32_t* block, const Layout& layout, int32_t i, int32_t channel, int32_t k) {
  const int32_t h = halfword(block, layout.halfword(i, channel, k));
  const auto low = static_cast<int8_t>(h & 0xff);
  return layout.widened ? static_cast<int8_t>(h / 2) : channel == 0 ? low : static_cast<int8_t>((h - low) >> 8);
}

void read_pair(Matrix& m, const int32_t* block, const Layout& layout, int32_t i) {
  for (int32_t channel : {0, 1}) {
    const int32_t* scale = block + layout.scale(i) + 3 * channel;
    const int64_t o = scale[2] >> dsp::kChannelShift;
    set_scale(m, o, {scale[0], scale[1], scale[2] & 0xff});
    m.sums[static_cast<size_t>(o)] = read_sum(block + 2 * i, layout.widened, channel);
    for (int32_t k = 0; k < m.ins; ++k)
      m.weights[static_cast<size_t>(o * m.ins + k)] = read_weight(block, layout, i, channel, k);
  }
}

// Widened weights need no particular partner.
std::optional<Pairs> neighbours(const Matrix& m) {
  Pairs pairs;
  for (int64_t o = 0; o < m.outs; o += 2) pairs.push_back(o + 1 < m.outs ? Pair{o, o + 1} : Pair{kNobody, o});
  return pairs;
}

Stream pack_matrix(const Matrix& m, const Layout& layout) {
  Stream stream;
  stream.why_not = objection(m);
  if (!stream.why_not.empty()) return stream;
  auto pairs = layout.widened ? neighbours(m) : pair_channels(m);
  if (!pairs) {
    stream.why_not = "a channel can accumulate 2^23 and has no partner whose weights fit beside its own";
    return stream;
  }
  // Nobody is written over by who comes later in the same block.
  if (pairs->size() % static_cast<size_t>(layout.pairs) != 0) pairs->insert(pairs->end() - 1, {kNobody, kNobody});
  const size_t blocks = pairs->size() / static_cast<size_t>(layout.pairs);
  stream.words.resize(dsp::kStreamHead + blocks * static_cast<size_t>(layout.words()));
  stream.words[0] = static_cast<int32_t>(stream.words.size());
  stream.words[1] = layout.widened ? 1 : 0;
  for (size_t p = 0; p < pairs->size(); ++p) {
    const auto [block, i] = std::div(static_cast<int32_t>(p), layout.pairs);
    const int64_t b = (*pairs)[p].channels[1];
    write_pair(stream.words.data() + dsp::kStreamHead + block * layout.words(), layout, i, m, (*pairs)[p],
               b == kNobody ? (*pairs)[p + 1].channels[1] : b);
  }
  stream.words.back() |= dsp::kLastPair;
  return stream;
}

Matrix unpack_matrix(const int32_t* words, int64_t outs, int64_t ins, const Layout& layout) {
  Matrix m = empty_matrix(outs, ins);
  const int32_t* end = words + words[0];
  for (words += dsp::kStreamHead; words != end; words += layout.words())
    for (int32_t i = 0; i < layout.pairs; ++i) read_pair(m, words, layout, i);
  return m;
}

int64_t buffer_bytes(int64_t ins, int64_t, int64_t pixels) {
  return std::min<int64_t>(pixels, dsp::kStreamPixels) * 2 * dsp::stream_ins(static_cast<int32_t>(ins));
}
Stream pack_pixels(const Matrix& m) {
  return pack_matrix(m, pixels_layout(m.ins, m.extra_flash || m.outs * m.ins <= dsp::kMaxWidenedWeights));
}
Matrix unpack_pixels(const int32_t* words, int64_t outs, int64_t ins) {
  return unpack_matrix(words, outs, ins, pixels_layout(ins, words[1] != 0));
}

int64_t rows_buffer_bytes(int64_t ins, int64_t, int64_t) {
  return 2 * (rows_layout(ins).ins - dsp::unwidened(static_cast<int32_t>(ins)));
}
Stream pack_rows(const Matrix& m) { return pack_matrix(m, rows_layout(m.ins)); }
Matrix unpack_rows(const int32_t* words, int64_t outs, int64_t ins) {
  return unpack_matrix(words, outs, ins, rows_layout(ins));
}

int64_t pairs_of(const DepthwiseKernel& kernel) {
  return dsp::depthwise_pairs(static_cast<int32_t>(kernel.width), static_cast<int32_t>(kernel.dilation));
}

// The weights of an output channel, doubled, in pairs.
class DepthwiseWeights {
 public:
  explicit DepthwiseWeights(const DepthwiseKernel& kernel)
      : width_(kernel.width), pairs_(pairs_of(kernel)), has_gaps_(kernel.dilation != 1) {
    overlap_ = dsp::is_3x3(static_cast<int32_t>(kernel.height), static_cast<int32_t>(kernel.width),
                           static_cast<int32_t>(kernel.dilation));
  }

  // Column of the kernel that half `half` of pair `pair` holds; -1: none.
  int64_t column(int64_t pair, int64_t half) const {
    const int64_t kx = has_gaps_ ? pair : overlap_ ? pair + half : 2 * pair + half;
    return kx < width_ && !(has_gaps_ && half == 1) ? kx : -1;
  }

  void write(std::vector<int32_t>& words, const int8_t* row) const {
    for (int64_t pair = 0; pair < pairs_; ++pair) {
      const auto half = [&](int64_t i) {
        return static_cast<uint16_t>(column(pair, i) < 0 ? 0 : 2 * row[column(pair, i)]);
      };
      words.push_back(static_cast<int32_t>(half(0) | static_cast<uint32_t>(half(1)) << 16));
    }
  }

  void read(const int32_t* words, int8_t* row) const {
    for (int64_t pair = 0; pair < pairs_; ++pair)
      for (int64_t half : {0, 1})
        if (column(pair, half) >= 0)
          row[column(pair, half)] =
              static_cast<int8_t>(static_cast<int16_t>(static_cast<uint32_t>(words[pair]) >> (16 * half)) / 2);
  }

 private:
  int64_t width_, pairs_;
  bool has_gaps_, overlap_;
};

Stream pack_depthwise(const Matrix& m, const DepthwiseKernel& kernel) {
  Stream stream;
  stream.why_not = objection(m);
  if (!stream.why_not.empty()) return stream;
  const DepthwiseWeights weights(kernel);
  for (const int64_t o : depthwise_order(kernel, dsp::kDepthwiseChannels)) {
    for (int64_t ky = 0; ky < kernel.height; ++ky) weights.write(stream.words, row(m, o) + ky * kernel.width);
    const Scale s = scale_of(m, o);
    stream.words.insert(stream.words.end(), {2 * m.sums[static_cast<size_t>(o)], s.rounding, s.multiplier, s.shift});
  }
  return stream;
}

Matrix unpack_depthwise(const int32_t* words, const DepthwiseKernel& kernel) {
  Matrix m = empty_matrix(kernel.channels * kernel.multiplier, kernel.taps());
  const DepthwiseWeights weights(kernel);
  for (const int64_t o : depthwise_order(kernel, dsp::kDepthwiseChannels)) {
    for (int64_t ky = 0; ky < kernel.height; ++ky, words += pairs_of(kernel))
      weights.read(words, m.weights.data() + o * m.ins + ky * kernel.width);
    m.sums[static_cast<size_t>(o)] = words[0] / 2;
    set_scale(m, o, {words[2], words[1], words[3]});
    words += dsp::kDepthwiseTail;
  }
  return m;
}

DepthwiseBlocks depthwise_blocks(const DepthwiseKernel& kernel) {
  return {dsp::kDepthwiseChannels, 1, dsp::planar_row_bytes(static_cast<int32_t>(kernel.columns())), 0};
}

}  // namespace

const StreamFormat kDspStreams = {.buffer_bytes = buffer_bytes,
                                  .pack = pack_pixels,
                                  .unpack = unpack_pixels,
                                  .rows_buffer_bytes = rows_buffer_bytes,
                                  .pack_rows = pack_rows,
                                  .unpack_rows = unpack_rows,
                                  .pack_depthwise = pack_depthwise,
                                  .unpack_depthwise = unpack_depthwise,
                                  .depthwise_blocks = depthwise_blocks,
                                  .run_windows = dsp::kStreamPixels,
                                  .strip_bytes = dsp::kStripBytes,
                                  .has_relu = true};

}  // namespace fold8::target
