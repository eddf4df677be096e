#include "target/v6m/v6m_scale.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace fold8::target {
namespace {

using f8k::v6m::kWide;
using f8k::v6m::Scale;

// How a form splits its multiplier and where it cuts its products.
struct Form {
  uint32_t bit;       // of the shift word
  int low_bits;       // of the multiplier, and the first shift
  int fraction_bits;  // of what is left: the second shift
};
constexpr Form kForms[] = {{0, 14, 0}, {f8k::v6m::kNarrow, 14, 13}, {kWide, 16, 15}};

const Form& form_of(const Scale& s) {
  return *std::ranges::find(kForms, s.shift & (kWide | f8k::v6m::kNarrow), &Form::bit);
}
int shift_of(const Scale& s) { return static_cast<int>(s.shift & 255); }
uint64_t multiplier_of(const Scale& s) {
  return (uint64_t{s.multiplier_high} << form_of(s).low_bits) + s.multiplier_low;
}

// The smallest sum in from..to with y(sum) >= level, to + 1 if there is none. y is monotone.
template <class Function>
int64_t step(const Function& y, int32_t level, int64_t from, int64_t to) {
  ++to;
  while (from < to) {
    const int64_t middle = from + (to - from) / 2;
    if (y(middle) >= level) {
      to = middle;
    } else {
      from = middle + 1;
    }
  }
  return from;
}

// Where y changes in from..to: the first sum and the last of each level, with the level.
struct Level {
  int64_t first, last;
  int32_t y;
};

template <class Function>
std::vector<Level> levels(const Function& y, int64_t from, int64_t to) {
  std::vector<Level> list;
  for (int64_t at = from; at <= to; at = list.back().last + 1) {
    const int32_t value = y(at);
    list.push_back({at, step(y, value + 1, at, to) - 1, value});
  }
  return list;
}

// The product of an unsaturated d, before offsets.
int64_t product(const Form& form, uint64_t multiplier, int64_t d) {
  const uint64_t low = multiplier & ((uint64_t{1} << form.low_bits) - 1);
  return static_cast<int64_t>(((static_cast<uint64_t>(d) * low) >> form.low_bits) +
                              static_cast<uint64_t>(d) * (multiplier >> form.low_bits));
}

// Nothing leaves 32 bits: of a wide product its parts do not (isa/v6m/gemm.h).
bool fits(const Form& form, uint64_t multiplier, int64_t range) {
  const uint64_t low = multiplier & ((uint64_t{1} << form.low_bits) - 1);
  if (form.bit == kWide) return multiplier < uint64_t{1} << 31;
  const auto d = static_cast<uint64_t>(range);
  return multiplier < uint64_t{1} << 46 && d * low < uint64_t{1} << 32 &&
         static_cast<uint64_t>(product(form, multiplier, range)) + (uint64_t{1} << form.fraction_bits) < uint64_t{1}
                                                                                                             << 32;
}

// The offset, in units of 2^-fraction_bits, with which every level is met: any in an interval.
std::optional<int64_t> find_offset(const Form& form, uint64_t multiplier, int shift, int64_t first,
                                   const std::vector<Level>& wanted) {
  int64_t least = INT64_MIN;
  int64_t most = INT64_MAX;
  const auto bound = [&](int64_t sum, int64_t y) {  // from which y is reached at this sum
    const int64_t rounding =
        form.bit != 0 && static_cast<uint32_t>(sum - first) >= static_cast<uint32_t>(-first) ? 1 : 0;
    return (y * (int64_t{1} << shift) - rounding) * (int64_t{1} << form.fraction_bits) -
           product(form, multiplier, sum - first);
  };
  for (const Level& level : wanted) {
    least = std::max(least, bound(level.first, level.y));
    most = std::min(most, bound(level.last, int64_t{level.y} + 1) - 1);
  }
  if (least > most) return std::nullopt;
  return least + (most - least) / 2;
}

// The scale with this multiplier, if some offset makes it exact.
std::optional<ScaleOfSums> with_multiplier(const Form& form, int64_t multiplier, int shift,
                                           const std::vector<Level>& wanted) {
  const int64_t first = wanted.front().first;
  const int64_t range = wanted.back().last - first;
  if (!fits(form, static_cast<uint64_t>(multiplier), range)) return std::nullopt;
  const auto offset = find_offset(form, static_cast<uint64_t>(multiplier), shift, first, wanted);
  if (!offset) return std::nullopt;
  const auto low_part = [](int64_t value, int bits) {
    return static_cast<uint32_t>(value & ((int64_t{1} << bits) - 1));
  };
  return ScaleOfSums{{static_cast<uint32_t>(range), low_part(multiplier, form.low_bits),
                      static_cast<uint32_t>(multiplier >> form.low_bits),
                      static_cast<int32_t>(*offset >> form.fraction_bits), static_cast<uint32_t>(shift) | form.bit,
                      form.bit != 0 ? static_cast<uint32_t>(-first) : 0, low_part(*offset, form.fraction_bits)},
                     first};
}

// A multiplier of 0 where not all results are the same stands for left shifts that saturate everything but 0.
constexpr quant::Rescale kSaturating = {1 << 30, 10};

// The Rescale nearest to what the scale multiplies by. Where all results are the same, its multiplier does not tell:
// one that gives this result for sums in least..most, which do not include 0 unless the result is the zero point.
quant::Rescale nearest_rescale(const ScaleOfSums& scale, const Requantization& wanted) {
  const Form& form = form_of(scale.scale);
  const auto multiplier = static_cast<double>(multiplier_of(scale.scale));
  if (multiplier != 0)
    return quant::make_rescale(std::ldexp(multiplier, -form.low_bits - form.fraction_bits - shift_of(scale.scale)))
        .value_or(kSaturating);
  const int32_t y = scale(wanted.least);
  if (form.bit == 0 || y != scale(wanted.most)) return kSaturating;
  const double steps = std::abs(y - wanted.zero);
  if (steps == 0) return {};
  const auto [near, far] =
      std::minmax({std::abs(static_cast<double>(wanted.least)), std::abs(static_cast<double>(wanted.most))});
  const bool saturated = y == -128 || y == 127;
  return *quant::make_rescale(saturated ? (steps + 1) / near : ((steps - 0.5) / near + (steps + 0.5) / far) / 2);
}

// What requantization_of() reads: zero in 8 bits, and in 14 how far the multiplier is from the nearest Rescale's.
constexpr int kZeroAt = 8;
constexpr int kAwayAt = 16;
constexpr int64_t kMostAway = (1 << 13) - 1;

bool note_origin(ScaleOfSums& scale, const Requantization& wanted) {
  const quant::Rescale nearest = nearest_rescale(scale, wanted);
  const bool varies = multiplier_of(scale.scale) != 0;
  const int64_t away = varies ? int64_t{wanted.rescale.multiplier} - nearest.multiplier : 0;
  if (std::abs(away) > kMostAway || (varies && nearest.shift != wanted.rescale.shift)) return false;
  scale.scale.shift |= static_cast<uint32_t>(wanted.zero & 0xff) << kZeroAt;
  scale.scale.shift |= static_cast<uint32_t>(away & 0x3fff) << kAwayAt;
  return true;
}

// Where results leave -128, whatever sums there are.
int64_t leaves_minus_128(const Requantization& r) { return step(r, -127, INT32_MIN, INT32_MAX); }

// The right shift of the results; nullopt where the form has none. |y| * 2^shift and what is added to it fit 32 bits.
std::optional<int> shift_for(const Form& form, int right) {
  if (form.bit != 0) return right > 0 ? std::optional(std::min(right, 22)) : std::nullopt;
  return right > 11 ? std::nullopt : std::optional(13 + (right > 0 ? right : 10));
}

std::optional<ScaleOfSums> in_form(const Form& form, const Requantization& exact, const std::vector<Level>& wanted) {
  const quant::Rescale& rescale = exact.rescale;
  const bool constant = exact(exact.least) == exact(exact.most);
  const bool direct = form.bit == 0;
  if (direct && (constant || wanted.front().first != leaves_minus_128(exact))) return std::nullopt;
  const auto shift = shift_for(form, constant ? 1 : -rescale.shift);
  if (!shift) return std::nullopt;
  const double nearest =
      std::ldexp(rescale.multiplier, rescale.shift + *shift - 31 + form.low_bits + form.fraction_bits);
  if (constant || nearest >= 0x1p46) {
    auto scale = with_multiplier(form, 0, *shift, wanted);
    return scale && note_origin(*scale, exact) ? scale : std::nullopt;
  }
  // Others may do where the nearest does not: a wide one cuts 16 bits off its product, and results that are just not
  // ties need up to that much more.
  for (int64_t size = 0; size <= 4096; size += 1 + size / 4)
    for (int64_t nudge : {size, -size})
      if (const int64_t multiplier = std::llround(nearest) + nudge; multiplier > 0)
        if (auto scale = with_multiplier(form, multiplier, *shift, wanted))
          if (note_origin(*scale, exact)) return scale;
  return std::nullopt;
}

}  // namespace

int32_t Requantization::operator()(int64_t sum) const {
  return quant::clamp(int64_t{zero} + quant::apply(rescale, static_cast<int32_t>(sum)), -128, 127);
}

int32_t ScaleOfSums::operator()(int64_t sum) const {
  const int64_t d = sum - first;
  if (d < 0) return -128;
  if (d > scale.range) return 127;
  const Form& form = form_of(scale);
  const int64_t v = (product(form, multiplier_of(scale), d) + scale.offset_low) >> form.fraction_bits;
  const bool rounds = form.bit != 0 && static_cast<uint32_t>(d) >= scale.at_zero;
  return static_cast<int32_t>((v + scale.offset + (rounds ? 1 : 0)) >> shift_of(scale));
}

std::optional<ScaleOfSums> find_scale(const Requantization& wanted) {
  if (wanted.most - wanted.least > INT32_MAX) return std::nullopt;
  const int64_t first = std::min(step(wanted, -127, wanted.least, wanted.most), wanted.most);
  const int64_t last = std::max(step(wanted, 127, first, wanted.most) - 1, first);
  const std::vector<Level> list = levels(wanted, first, last);
  for (const Form& form : kForms)
    if (auto scale = in_form(form, wanted, list)) return scale;
  return std::nullopt;
}

int32_t first_of(const Scale& scale) {
  if (form_of(scale).bit != 0) return static_cast<int32_t>(-scale.at_zero);
  return static_cast<int32_t>(leaves_minus_128(requantization_of({scale, 0}, {})));
}

Requantization requantization_of(const ScaleOfSums& scale, Requantization wanted) {
  const auto bits = static_cast<int32_t>(scale.scale.shift);
  wanted.zero = static_cast<int8_t>(bits >> kZeroAt);
  wanted.rescale = nearest_rescale(scale, wanted);
  wanted.rescale.multiplier += (bits << (32 - kAwayAt - 14)) >> (32 - 14);
  return wanted;
}

}  // namespace fold8::target
