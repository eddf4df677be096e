#include "random_program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "ir/text.h"
#include "ir/type.h"

namespace fold8::models {
namespace {

using ir::elem_count;
using ir::Shape;
using ir::shape_text;

// A dequantized value, or one that an op which only moves data left in float.
struct Live {
  std::string name;
  Shape shape;
  double scale = 1;  // of the integers it stands for
  int64_t zero = 0;
};

struct Sides {
  int64_t before, after;
};

class Writer {
 public:
  explicit Writer(uint64_t seed) : seed_(seed) {}

  std::string write() {
    live_.push_back(input());
    if (chance(20)) live_.push_back(input());
    for (int64_t steps = pick(3, 9); steps > 0; --steps) step();
    std::string outputs = live_.back().name;
    if (chance(30) && live_.size() > 3) outputs += ", " + live_[live_.size() - 2].name;
    return fmt::format("program form=torch {{\n{}{}  out {}\n}}\n", head_, body_, outputs);
  }

 private:
  // ---- chance

  int64_t pick(int64_t lo, int64_t hi) { return ir::seeded(seed_, count_++, lo, hi); }
  bool chance(int64_t percent) { return pick(1, 100) <= percent; }
  // A scale within half and twice of `around`, with a short mantissa: products of two are exact.
  double scale_near(double around) {
    int exponent = 0;
    std::frexp(around, &exponent);
    return std::ldexp(static_cast<double>(pick(32, 63)), exponent - 6);
  }
  int64_t any_zero() { return chance(40) ? -128 : pick(-128, 127); }

  // ---- text

  std::string fresh(const char* stem) { return fmt::format("%{}{}", stem, ++names_); }
  void line(const std::string& text) { body_ += "  " + text + "\n"; }
  void constant(const std::string& text) { head_ += "  const " + text + "\n"; }

  Live input() {
    Shape shape =
        chance(85) ? Shape{chance(15) ? 2 : 1, pick(1, 6), pick(2, 8), pick(2, 8)} : Shape{pick(1, 3), pick(2, 20)};
    const std::string name = fresh("x");
    head_ += fmt::format("  in {} : f32{}\n", name, shape_text(shape));
    return quantized(name, shape, scale_near(0x1p-5), any_zero());
  }

  Live quantized(const std::string& real, const Shape& shape, double scale, int64_t zero) {
    const std::string q = fresh("q");
    const std::string dq = fresh("d");
    line(fmt::format("{} = quantize {} : q8{} scale={:a} zero={}", q, real, shape_text(shape), scale, zero));
    line(fmt::format("{} = dequantize {} : f32{}", dq, q, shape_text(shape)));
    return {dq, shape, scale, zero};
  }

  // The result of an op whose results spread about `scale * 127`, now and then clamped.
  void finish(const std::string& y, const Shape& shape, double scale) {
    std::string real = y;
    int64_t zero = any_zero();
    if (chance(40)) {
      real = fresh("r");
      const bool six = chance(30);
      line(
          fmt::format("{} = clamp {} max={} min=0x0p+0 : f32{}", real, y, six ? "0x1.8p+2" : "inf", shape_text(shape)));
      if (chance(70)) zero = -128;
    }
    live_.push_back(quantized(real, shape, scale_near(scale), zero));
  }

  // The result of an op that only moves data: the operand's parameters, others, or left in float.
  void finish_move(const std::string& y, const Shape& shape, const Live& x) {
    const int64_t how = pick(1, 10);
    if (how <= 4) {
      live_.push_back(quantized(y, shape, x.scale, x.zero));
    } else if (how <= 6) {
      live_.push_back(quantized(y, shape, scale_near(x.scale), any_zero()));
    } else {
      live_.push_back({y, shape, x.scale, x.zero});
    }
  }

  // ---- ops

  const Live& any() {
    return live_[static_cast<size_t>(
        pick(chance(70) ? static_cast<int64_t>(live_.size()) - 1 : 0, static_cast<int64_t>(live_.size()) - 1))];
  }

  void step() {
    const Live x = any();
    const size_t rank = x.shape.size();
    const int64_t which = pick(1, 100);
    if (which <= 35) {
      rank == 4 ? conv(x) : linear(x);
    } else if (which <= 45) {
      rank == 4 ? pool(x) : linear(x);
    } else if (which <= 60) {
      binary(x);
    } else if (which <= 68) {
      concatenate(x);
    } else if (which <= 74) {
      pad(x);
    } else if (which <= 80) {
      slice(x);
    } else if (which <= 86) {
      permute(x);
    } else if (which <= 92) {
      reshape(x);
    } else if (which <= 97) {
      mean(x);
    } else {
      softmax(x);
    }
  }

  // A constant int8 weight with scales about 2^-7 for rows of outputs; some rows may be dead. Returns the scales.
  std::vector<double> weight(const std::string& name, const Shape& shape) {
    std::vector<double> scales = {scale_near(0x1p-7)};
    const bool per_channel = chance(60);
    while (per_channel && static_cast<int64_t>(scales.size()) < shape[0])
      scales.push_back(chance(12) ? 0x1p-60 : scale_near(0x1p-7));
    constant(fmt::format("{} : q8{} {} zero=0 = seed({}, -127, 127)", name, shape_text(shape),
                         scale_list(scales, per_channel), pick(1, 1 << 30)));
    line(fmt::format("{}d = dequantize {} : f32{}", name, name, shape_text(shape)));
    per_channel_ = per_channel;
    return scales;
  }

  static std::string scale_list(const std::vector<double>& scales, bool per_channel) {
    if (!per_channel) return fmt::format("scale={:a}", scales[0]);
    std::vector<std::string> texts;
    for (double s : scales) texts.push_back(fmt::format("{:a}", s));
    return fmt::format("scale={{{}}} axis=0", fmt::join(texts, " "));
  }

  // ", %bias" for an op with that weight, or nothing.
  std::string bias(const std::string& name, int64_t outs, double sx, std::vector<double> scales, int64_t taps) {
    if (!chance(70)) return "";
    for (double& s : scales) s *= sx;
    const auto bound = static_cast<int64_t>(2000 * std::sqrt(static_cast<double>(taps)));
    constant(fmt::format("{} : q32[{}] {} zero=0 = seed({}, {}, {})", name, outs, scale_list(scales, per_channel_),
                         pick(1, 1 << 30), -bound, bound));
    line(fmt::format("{}d = dequantize {} : f32[{}]", name, name, outs));
    return ", " + name + "d";
  }

  static double spread(double sx, int64_t taps) {
    return sx * 0x1p-7 * 74 * 74 / 127 * 1.5 * std::sqrt(static_cast<double>(taps));
  }

  struct Window {
    int64_t kernel, stride, dilation;
    Sides pad;
    int64_t out;
  };

  Window window(int64_t in, bool dilates) {
    for (;;) {
      Window w{pick(1, 3), pick(1, 2), dilates && chance(20) ? 2 : 1, {0, 0}, 0};
      w.pad = {pick(0, w.kernel / 2), pick(0, w.kernel / 2)};
      const int64_t room = in + w.pad.before + w.pad.after - w.dilation * (w.kernel - 1) - 1;
      if (room < 0) continue;
      w.out = room / w.stride + 1;
      return w;
    }
  }

  static std::string window_text(const Window& h, const Window& w) {
    return fmt::format("pad=[{},{},{},{}] stride=[{},{}]", h.pad.before, h.pad.after, w.pad.before, w.pad.after,
                       h.stride, w.stride);
  }

  void conv(const Live& x) {
    const int64_t ins = x.shape[1];
    int64_t groups = chance(30) ? ins : 1;
    if (ins % 2 == 0 && chance(15)) groups = 2;
    const int64_t outs = groups * pick(1, groups > 1 ? 2 : 9);
    const Window h = window(x.shape[2], true);
    const Window w = window(x.shape[3], true);
    const std::string name = fresh("w");
    const Shape shape = {outs, ins / groups, h.kernel, w.kernel};
    const int64_t taps = shape[1] * shape[2] * shape[3];
    const std::vector<double> scales = weight(name, shape);
    const std::string b = bias(name + "b", outs, x.scale, scales, taps);
    const std::string y = fresh("c");
    const Shape out = {x.shape[0], outs, h.out, w.out};
    line(fmt::format("{} = conv2d {}, {}d{} dilation=[{},{}] groups={} {} : f32{}", y, x.name, name, b, h.dilation,
                     w.dilation, groups, window_text(h, w), shape_text(out)));
    finish(y, out, spread(x.scale, taps));
  }

  void linear(const Live& x) {
    const int64_t ins = x.shape.back();
    const int64_t outs = pick(1, 12);
    const std::string name = fresh("w");
    const std::vector<double> scales = weight(name, {outs, ins});
    const std::string b = bias(name + "b", outs, x.scale, scales, ins);
    const std::string y = fresh("l");
    Shape out = x.shape;
    out.back() = outs;
    line(fmt::format("{} = linear {}, {}d{} : f32{}", y, x.name, name, b, shape_text(out)));
    finish(y, out, spread(x.scale, ins));
  }

  void pool(const Live& x) {
    const Window h = window(x.shape[2], false);
    const Window w = window(x.shape[3], false);
    const Shape out = {x.shape[0], x.shape[1], h.out, w.out};
    const std::string y = fresh("p");
    const bool largest = chance(50);
    line(fmt::format("{} = {} {} {}kernel=[{},{}] {} : f32{}", y, largest ? "max_pool" : "avg_pool", x.name,
                     largest ? "" : fmt::format("count_include_pad={} ", pick(0, 1)), h.kernel, w.kernel,
                     window_text(h, w), shape_text(out)));
    largest ? finish_move(y, out, x) : finish(y, out, x.scale);
  }

  // A partner of the same shape, or a constant for each channel.
  Live partner(const Live& x) {
    for (size_t i = live_.size(); i-- > 0;)
      if (live_[i].shape == x.shape && live_[i].name != x.name && chance(60)) return live_[i];
    if (chance(20)) return x;
    const Shape shape = x.shape.size() == 4 ? Shape{1, x.shape[1], 1, 1} : Shape{x.shape.back()};
    const std::string name = fresh("k");
    const double scale = scale_near(0x1p-5);
    constant(fmt::format("{} : q8{} scale={:a} zero={} = seed({}, -128, 127)", name, shape_text(shape), scale,
                         pick(-10, 10), pick(1, 1 << 30)));
    line(fmt::format("{}d = dequantize {} : f32{}", name, name, shape_text(shape)));
    return {name + "d", shape, scale, 0};
  }

  void binary(const Live& x) {
    const Live other = partner(x);
    const std::string y = fresh("b");
    const char* ops[] = {"add", "sub", "mul"};
    const int64_t which = pick(0, 2);
    const bool swap = chance(30);
    line(fmt::format("{} = {} {}, {} : f32{}", y, ops[which], swap ? other.name : x.name, swap ? x.name : other.name,
                     shape_text(x.shape)));
    finish(y, x.shape, which == 2 ? x.scale * other.scale * 100 : x.scale + other.scale);
  }

  void concatenate(const Live& x) {
    const auto dim = static_cast<size_t>(pick(0, static_cast<int64_t>(x.shape.size()) - 1));
    Live other = x;
    for (const Live& candidate : live_) {
      if (candidate.shape.size() != x.shape.size()) continue;
      bool fits = true;
      for (size_t i = 0; i < x.shape.size(); ++i) fits = fits && (i == dim || candidate.shape[i] == x.shape[i]);
      if (fits && chance(50)) other = candidate;
    }
    Shape out = x.shape;
    out[dim] += other.shape[dim];
    if (elem_count(out) > 2000) return;
    const std::string y = fresh("t");
    line(fmt::format("{} = cat {}, {} dim={} : f32{}", y, x.name, other.name, dim, shape_text(out)));
    finish_move(y, out, x);
  }

  void pad(const Live& x) {
    std::vector<int64_t> sides(2 * x.shape.size());
    Shape out = x.shape;
    for (size_t i = x.shape.size() == 4 && chance(70) ? 2 : 0; i < x.shape.size(); ++i)
      for (size_t end : {0u, 1u}) {
        const int64_t n = chance(10) && out[i] > 2 ? -1 : pick(0, 2);
        sides[2 * i + end] = n;
        out[i] += n;
      }
    if (elem_count(out) > 2000) return;
    const std::string y = fresh("e");
    line(fmt::format("{} = pad {} pad={} value=0x0p+0 : f32{}", y, x.name, shape_text(sides), shape_text(out)));
    finish_move(y, out, x);
  }

  void slice(const Live& x) {
    const auto dim = static_cast<size_t>(pick(0, static_cast<int64_t>(x.shape.size()) - 1));
    const int64_t start = pick(0, x.shape[dim] - 1);
    const int64_t end = pick(start + 1, x.shape[dim]);
    const int64_t step = pick(1, 2);
    Shape out = x.shape;
    out[dim] = (end - start + step - 1) / step;
    const std::string y = fresh("s");
    line(fmt::format("{} = slice {} dim={} start={} end={} step={} : f32{}", y, x.name, dim, start, end, step,
                     shape_text(out)));
    finish_move(y, out, x);
  }

  void permute(const Live& x) {
    std::vector<int64_t> dims(x.shape.size());
    std::iota(dims.begin(), dims.end(), 0);
    for (size_t i = dims.size(); i-- > 1;)
      std::swap(dims[i], dims[static_cast<size_t>(pick(0, static_cast<int64_t>(i)))]);
    Shape out;
    for (int64_t d : dims) out.push_back(x.shape[static_cast<size_t>(d)]);
    const std::string y = fresh("m");
    line(fmt::format("{} = permute {} dims={} : f32{}", y, x.name, shape_text(dims), shape_text(out)));
    finish_move(y, out, x);
  }

  // To rows; or a 1 put between; or rows to an image of one row.
  void reshape(const Live& x) {
    Shape out = {x.shape[0], elem_count(x.shape) / x.shape[0]};
    if (x.shape.size() == 2) out = {x.shape[0], x.shape[1], 1, 1};
    if (x.shape.size() == 3 && chance(70)) out = {x.shape[0], x.shape[1], 1, x.shape[2]};
    if (x.shape.size() == 4 && x.shape[2] == 1 && chance(70)) out = {x.shape[0], x.shape[1], x.shape[3]};
    const std::string y = fresh("v");
    line(fmt::format("{} = reshape {} shape={} : f32{}", y, x.name, shape_text(out), shape_text(out)));
    finish_move(y, out, x);
  }

  void mean(const Live& x) {
    const size_t rank = x.shape.size();
    const bool image = rank == 4 && chance(60);
    std::vector<int64_t> dims = image ? std::vector<int64_t>{2, 3}
                                      : std::vector<int64_t>{pick(rank > 1 ? 1 : 0, static_cast<int64_t>(rank) - 1)};
    const bool keep = chance(50) || rank == 1;
    Shape out;
    for (size_t i = 0; i < rank; ++i) {
      const bool gone = std::ranges::count(dims, static_cast<int64_t>(i)) != 0;
      if (!gone || keep) out.push_back(gone ? 1 : x.shape[i]);
    }
    const std::string y = fresh("a");
    line(fmt::format("{} = mean {} dims={} keepdim={} : f32{}", y, x.name, shape_text(dims), keep ? 1 : 0,
                     shape_text(out)));
    finish(y, out, x.scale / 2);
  }

  void softmax(const Live& x) {
    const int64_t dim = pick(0, static_cast<int64_t>(x.shape.size()) - 1);
    const std::string y = fresh("z");
    line(fmt::format("{} = softmax {} dim={} : f32{}", y, x.name, dim, shape_text(x.shape)));
    live_.push_back(quantized(y, x.shape, 0x1p-8, -128));
  }

  uint64_t seed_;
  uint64_t count_ = 0;
  int names_ = 0;
  bool per_channel_ = false;
  std::string head_, body_;
  std::vector<Live> live_;
};

}  // namespace

std::string random_program(uint64_t seed) { return Writer(seed).write(); }

}  // namespace fold8::models
