// Windows that slide along one axis of an image, clipped to the image. No division: a window's place follows from the
// one before it.
//   regular:   window i begins at i * step - before and has `taps` taps, `dilation` apart; part = 0, parts = 1
//   adaptive:  window i is [floor(i * in / out), ceil((i + 1) * in / out)): taps = step = in / out rounded down,
//              part = in - step * out, parts = out, before = 0, dilation = 1
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

struct WindowAxis {
  int32_t in;   // elements of the image along the axis
  int32_t out;  // windows
  int32_t taps;
  int32_t dilation;
  int32_t step;
  int32_t part;
  int32_t parts;
  int32_t before;  // padding
};

// Element first, first + dilation, ... below end: the taps that lie inside the image.
struct Window {
  int32_t start;  // where it would begin without the clip
  int32_t stop;   // one behind its last tap, likewise
  int32_t first;
  int32_t end;
};

struct WindowWalk {
  int32_t start;
  int32_t fraction;  // of an element, in 1 / parts: 0 <= fraction < parts
};

inline WindowWalk first_window(const WindowAxis& a) { return {-a.before, 0}; }

inline void next_window(const WindowAxis& a, WindowWalk& walk) {
  walk.start += a.step;
  walk.fraction += a.part;
  if (walk.fraction >= a.parts) {
    walk.fraction -= a.parts;
    ++walk.start;
  }
}

// Where regular window i begins.
inline WindowWalk regular_window(const WindowAxis& a, int32_t i) { return {i * a.step - a.before, 0}; }

// ceil((i + 1) * in / out) - floor(i * in / out) = step + ceil((fraction + part) / parts),
// and fraction + part < 2 * parts.
inline Window window_at(const WindowAxis& a, WindowWalk walk) {
  const int32_t beyond = walk.fraction + a.part;
  const int32_t taps = a.taps + (beyond > 0 ? 1 : 0) + (beyond > a.parts ? 1 : 0);
  Window w = {walk.start, walk.start + (taps - 1) * a.dilation + 1, walk.start, 0};
  while (w.first < 0) w.first += a.dilation;
  w.end = w.stop < a.in ? w.stop : a.in;
  return w;
}

}  // namespace v0_1
}  // namespace f8k
