#include "target/v7m/v7m_scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "isa/v7m/stream.h"

namespace fold8::target {
namespace {

namespace v7m = f8k::v7m;

// Of x in -128..127: the largest |accumulator| there can be.
int64_t accumulator_bound(const Matrix& m, int64_t o) {
  int64_t lo = m.sums[static_cast<size_t>(o)];
  int64_t hi = lo;
  for (int64_t k = o * m.ins; k < (o + 1) * m.ins; ++k) {
    const int64_t w = m.weights[static_cast<size_t>(k)];
    lo += std::min(w * -128, w * 127);
    hi += std::max(w * -128, w * 127);
  }
  return std::max(std::abs(lo), std::abs(hi));
}

// A rescale whose multiplier ends in `less` zero bits, which the stream leaves out.
struct Fitted {
  quant::Rescale rescale;
  int32_t less = 0;
};

struct Scale {
  int64_t multiplier, c, shift;
  bool by_sign;  // ties of a negative accumulator go down: matters where such a result is not clamped anyway
};

Scale scale_of(const Fitted& f, int32_t zero, int32_t fraction) {
  const int64_t right = -f.rescale.shift;
  const int64_t shift = v7m::shift_base(fraction) + right - f.less;
  if (shift < 1) return {f.rescale.multiplier, 0, shift, false};
  const int64_t half = int64_t{1} << (shift - 1);
  const int64_t rounding = right >= 1 ? v7m::rounding(fraction) >> f.less : 0;
  return {f.rescale.multiplier >> f.less, 2 * half * zero + half + rounding, shift, right >= 1 && zero != -128};
}

// High word + C - sign stays in int32.
bool leaves_room(const Scale& scale, int64_t bound, int32_t fraction) {
  const int64_t high = (bound * scale.multiplier >> (32 - fraction)) + 1;
  return std::abs(scale.c) + high + v7m::sign_step(fraction) <= INT32_MAX;
}

// The smallest accumulator from -bound on whose result is y or more; bound + 1 if there is none.
int64_t threshold(const quant::Rescale& r, int32_t zero, int64_t bound, int64_t y) {
  int64_t from = -bound;
  int64_t to = bound + 1;
  while (from < to) {
    const int64_t middle = from + (to - from) / 2;
    if (zero + int64_t{quant::apply(r, static_cast<int32_t>(middle))} >= y) {
      to = middle;
    } else {
      from = middle + 1;
    }
  }
  return from;
}

// Results are monotone, so equal thresholds are equal results.
bool same_results(const quant::Rescale& a, const quant::Rescale& b, int32_t zero, int64_t bound) {
  for (int64_t y = -127; y <= 127; ++y)
    if (threshold(a, zero, bound, y) != threshold(b, zero, bound, y)) return false;
  return true;
}

// |round(acc * r)| is below a half for every |acc| <= bound.
bool always_zero(const quant::Rescale& r, int64_t bound) {
  const int64_t high = (bound * r.multiplier + (int64_t{1} << 30)) >> 31;
  return r.multiplier == 0 || (r.shift < 0 && high < int64_t{1} << (-r.shift - 1));
}

// Without its last `less` bits: the nearest that is below 2^31.
int32_t shortened(int32_t multiplier, int32_t less) {
  const int64_t step = int64_t{1} << less;
  return static_cast<int32_t>(std::min((multiplier + step / 2) / step * step, (int64_t{1} << 31) - step));
}

// The channel's rescale, or one of the same results that leaves room: a large shift may not, but then a multiplier may
// do with fewer bits. Not where results go by sign, whose step is the loop's.
std::optional<Fitted> fitted(const Matrix& m, int64_t o, int64_t bound, int32_t fraction) {
  const quant::Rescale r = m.rescales[static_cast<size_t>(o)];
  if (always_zero(r, bound)) return Fitted{{0, -1}};
  for (int32_t less = 0; less <= fraction - 2; ++less) {
    const Fitted shorter{{shortened(r.multiplier, less), r.shift}, less};
    const Scale scale = scale_of(shorter, *m.zero, fraction);
    if (less > 0 && scale.by_sign) break;
    if (!leaves_room(scale, bound, fraction)) continue;
    if (less > 0 && !same_results(r, shorter.rescale, *m.zero, bound)) break;
    return shorter;
  }
  return std::nullopt;
}

}  // namespace

std::string v7m_objection(const Matrix& m, int64_t o, int64_t max_accumulator, int32_t fraction) {
  const quant::Rescale r = m.rescales[static_cast<size_t>(o)];
  const int64_t bound = accumulator_bound(m, o);
  if (bound > max_accumulator) return fmt::format("channel {} can accumulate {}", o, bound);
  if (!always_zero(r, bound) && -r.shift < 1 - v7m::shift_base(fraction))
    return fmt::format("channel {} shifts left by {}; the stream takes up to {}", o, r.shift,
                       v7m::shift_base(fraction) - 1);
  if (!fitted(m, o, bound, fraction))
    return fmt::format("channel {} shifts right by {}, which leaves no room for its accumulator", o, -r.shift);
  return "";
}

void write_v7m_scale(std::vector<int32_t>& words, const Matrix& m, int64_t o, int32_t fraction) {
  const Scale scale = scale_of(*fitted(m, o, accumulator_bound(m, o), fraction), *m.zero, fraction);
  words.push_back(static_cast<int32_t>(scale.multiplier));
  words.push_back(static_cast<int32_t>(scale.c));
  words.push_back(static_cast<int32_t>(scale.shift) | (scale.by_sign ? v7m::kBySign : 0));
}

void read_v7m_scale(Matrix& m, int64_t o, const int32_t* words, int32_t fraction) {
  const int32_t shift = words[2] & 0xff;
  const int32_t half = 1 << (shift - 1);
  m.zero = (words[1] - half) >> shift;
  const auto rounding = static_cast<uint32_t>(words[1] - half - *m.zero * 2 * half);  // 0 where nothing shifts right
  const int32_t less =
      rounding == 0 ? 0 : std::countr_zero(static_cast<uint32_t>(v7m::rounding(fraction))) - std::countr_zero(rounding);
  const int32_t right = shift + less - v7m::shift_base(fraction);
  m.rescales[static_cast<size_t>(o)] = {words[0] << less, words[0] == 0 ? 0 : -right};
}

}  // namespace fold8::target
