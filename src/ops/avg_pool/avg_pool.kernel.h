// Average of each window of each channel, NHWC int8. One sum per window and channel, one multiplication, no division
// but where a count is so large that no multiplier stands for it exactly (kDivide: once for thousands of additions).
//   kept parameters:   y = clamp(round((sum x + zx * padding) / count)), half away from zero
//   other parameters:  y = clamp(zy + R(sum (x - zx) * 2^up)),  R = sx / (sy * count) * 2^-up
// Both are requantize((sum x + offset) << up, rescales[of the window's count]): docs/arithmetic.md "Pooling".
// avg_pool_row makes one output row from pointers to its input rows: a whole tensor and a ring of rows are the same
// kernel under different pointers.
#pragma once

#include "core/pool.h"
#include "core/requantize.h"
#include "core/rows.h"
#include "core/window.h"

namespace f8k {
inline namespace v0_1 {

struct AvgPool {
  int32_t batch;
  int32_t channels;
  int32_t zero;        // of x
  int32_t of_counted;  // offset = zero * (of_counted * elements counted - elements inside the image)
  int32_t least_rows;  // rescales[(rows - least_rows) * row_pitch + (columns - least_columns) * column_pitch]
  int32_t least_columns;
  int32_t row_pitch;
  int32_t column_pitch;
  int32_t up;  // 0 for kept parameters
};

// Elements from `from` to before `to` count: the image, or the image and its padding.
struct Counted {
  int32_t from;
  int32_t to;
};

inline int32_t counted_in(const Counted& c, Window w) {
  return (w.stop < c.to ? w.stop : c.to) - (w.start > c.from ? w.start : c.from);
}

// sum / count, half away from zero. |sum| <= 128 * count < 2^31 - count.
inline int32_t divide_away(int32_t sum, int32_t count) {
  return sum < 0 ? -((count / 2 - sum) / count) : (sum + count / 2) / count;
}

// What all channels of one window share.
struct Averaging {
  int32_t offset;
  int32_t count;
  int32_t up;
  Rescale rescale;
};

template <class Isa, bool kDivide>
inline int8_t average(int32_t sum, const Averaging& a, const Output& out) {
  if (kDivide) return static_cast<int8_t>(clamp(divide_away(sum, a.count), out.lo, out.hi));
  return requantize<Isa>(static_cast<int32_t>(static_cast<uint32_t>(sum) << a.up), a.rescale, out);
}

// The average of one window for all channels: `columns` pixels of each row, from byte `at` on.
template <class Isa, bool kDivide>
inline void avg_pool_window(int32_t channels, const int8_t* const* rows, int32_t row_count, int32_t at, int32_t columns,
                            const Averaging& a, const Output& out, int8_t* y) {
  for (int32_t c = 0; c < channels; c += Isa::kSumLanes) {
    const int32_t lanes = smaller(channels - c, Isa::kSumLanes);
    int32_t acc[Isa::kSumLanes];
    for (int32_t& sum : acc) sum = a.offset;
    for (int32_t i = 0; i < row_count; ++i) sum_pixels<Isa>(rows[i] + at + c, columns, channels, lanes, acc);
    for (int32_t j = 0; j < lanes; ++j) y[c + j] = average<Isa, kDivide>(acc[j], a, out);
  }
}

// rows[0..row_count): the window's input rows inside the image; counted_rows, of them and of the padding, count.
// rescales: null when kDivide.
template <class Isa, bool kDivide>
void avg_pool_row(const AvgPool& s, const WindowAxis& across, const Counted& columns, const Output& out,
                  const int8_t* const* rows, int32_t row_count, int32_t counted_rows, const Rescale* rescales,
                  int8_t* y) {
  const int32_t row_base = (counted_rows - s.least_rows) * s.row_pitch;
  WindowWalk walk = first_window(across);
  for (int32_t ox = 0; ox < across.out; ++ox, next_window(across, walk), y += s.channels) {
    const Window window = window_at(across, walk);
    const int32_t counted_columns = counted_in(columns, window);
    Averaging a = {0, counted_rows * counted_columns, s.up, {0, 0}};
    a.offset = s.zero * (s.of_counted * a.count - row_count * (window.end - window.first));
    if (!kDivide) a.rescale = rescales[row_base + (counted_columns - s.least_columns) * s.column_pitch];
    avg_pool_window<Isa, kDivide>(s.channels, rows, row_count, window.first * s.channels, window.end - window.first, a,
                                  out, y);
  }
}

// No window has more than kMaxRows rows. rescales: null when kDivide.
template <class Isa, bool kDivide, int32_t kMaxRows>
struct AvgPools {
  const AvgPool& s;
  const WindowAxis& down;
  const WindowAxis& across;
  const Counted& rows_counted;
  const Counted& columns_counted;
  const Output& out;
  Rows x;
  const Rescale* rescales;
  Rows y;

  template <class Memory>
  void run(Memory memory) const {
    for (int32_t image = 0; image < s.batch; ++image) {
      WindowWalk walk = first_window(down);
      for (int32_t oy = 0; oy < down.out; ++oy, next_window(down, walk)) make(memory, image, oy, walk);
    }
  }

  // For windows that are not adaptive.
  template <class Memory>
  void row(Memory memory, int32_t image, int32_t oy) const {
    make(memory, image, oy, regular_window(down, oy));
  }

 private:
  template <class Memory>
  void make(Memory memory, int32_t image, int32_t oy, WindowWalk walk) const {
    const Window window = window_at(down, walk);
    const int8_t* rows[kMaxRows] = {};
    int32_t row_count = 0;
    for (int32_t iy = window.first; iy < window.end; ++iy) rows[row_count++] = x.row(memory, image, iy);
    avg_pool_row<Isa, kDivide>(s, across, columns_counted, out, rows, row_count, counted_in(rows_counted, window),
                               rescales, y.row(memory, image, oy));
  }
};

}  // namespace v0_1
}  // namespace f8k
