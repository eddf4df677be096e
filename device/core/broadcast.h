// Walks two operands and their result in runs, along which each operand advances by one element or stands still.
// Which of the two is known ahead of time, so no element costs an index computation.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

struct BroadcastShape {
  int32_t run;      // elements of the result along a run: its innermost dimension
  int32_t size[4];  // of the dimensions around it, outermost first
  int32_t a[4];     // elements between neighbours along each, in the first operand; 0 where it is broadcast
  int32_t b[4];     // and in the second, int8 as the first or a table of another kind
};

// run(a, b, y) for every run, y in order. Returns the end of y.
template <int kDepth = 0, class B, class Run>
inline int8_t* for_each_run(const BroadcastShape& s, const int8_t* a, const B* b, int8_t* y, Run run) {
  if constexpr (kDepth == 4) {
    run(a, b, y);
    return y + s.run;
  } else {
    for (int32_t i = 0; i < s.size[kDepth]; ++i, a += s.a[kDepth], b += s.b[kDepth])
      y = for_each_run<kDepth + 1>(s, a, b, y, run);
    return y;
  }
}

}  // namespace v0_1
}  // namespace f8k
