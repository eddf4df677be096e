// When the convolution kernels read and write which bytes.
#include <algorithm>

#include "ops/conv2d/conv2d.h"

namespace fold8::ops::conv {

using namespace ir;

namespace {

// Appends the pixels of one row, of channels [from, to) of `channels`; `row` counts image rows, or columns.
void add_pixels(const Geometry& image, bool by_columns, bool write, int64_t n, int64_t row, int64_t from, int64_t to,
                int64_t step, std::vector<Touch>& all) {
  const int64_t height = write ? image.out_h : image.in_h;
  const int64_t width = write ? image.out_w : image.in_w;
  const int64_t channels = write ? image.outs : image.ins;
  for (int64_t i = 0; i < (by_columns ? height : width); ++i) {
    const int64_t pixel = n * height * width + (by_columns ? i * width + row : row * width + i);
    all.push_back({step, write, 0, pixel * channels + from, pixel * channels + to});
  }
}

// Block of channels by block: each input row is read when the first window needs it, or, in a single row, again.
std::vector<Touch> depthwise_touches(const Geometry& image, int64_t block, std::optional<int64_t> row) {
  const Geometry g = row ? image : as_rows_run(image);
  const bool by_columns = !row && image.depthwise_by_columns();
  const int64_t slots = (g.kernel_h - 1) * g.dilation_h + 1;
  std::vector<Touch> all;
  int64_t step = 0;
  for (int64_t n = 0; n < g.batch; ++n)
    for (int64_t c = 0; c < g.ins; c += block) {
      const int64_t end = std::min(c + block, g.ins);
      int64_t next = 0;
      for (int64_t oy = row.value_or(0); oy < (row ? *row + 1 : g.out_h); ++oy, ++step) {
        const int64_t first = oy * g.stride_h - g.top;
        for (next = std::max(next, first); next < std::min(first + slots, g.in_h); ++next)
          add_pixels(image, by_columns, false, n, next, c, end, step, all);
        add_pixels(image, by_columns, true, n, oy, c * g.group_outs(), end * g.group_outs(), step, all);
      }
    }
  return all;
}

// Column by column: the columns under the windows, then one of results.
std::vector<Touch> strip_touches_by_columns(const Geometry& g) {
  std::vector<Touch> all;
  for (int64_t ox = 0; ox < g.out_w; ++ox) {
    const int64_t first = ox * g.stride_w - g.left;
    for (int64_t ix = std::max<int64_t>(first, 0); ix < std::min(first + g.kernel_w, g.in_w); ++ix)
      add_pixels(g, true, false, 0, ix, 0, g.ins, ox, all);
    add_pixels(g, true, true, 0, ox, 0, g.outs, ox, all);
  }
  return all;
}

}  // namespace

// Pixel by pixel. A matrix stream's kernel loads the windows before it writes the channels, of a few pixels at once:
// that only moves reads before writes. The others write channels while they still read the window.
std::vector<Touch> touches(const Program& p, const Node& node, const target::Target& target,
                           std::optional<int64_t> row) {
  const Geometry g = row ? geometry(p, node) : flattened(geometry(p, node));
  const bool loads_first = node.attrs.has("stream");
  const target::StreamFormat* format = loads_first ? target::stream_format(target.isa) : nullptr;
  if (loads_first && g.depthwise())
    return depthwise_touches(g, format->depthwise_blocks(depthwise_kernel(g)).channels, row);
  if (loads_first && strips_by_columns(g, *format)) return strip_touches_by_columns(g);
  return window_touches(windows_of(g), row, loads_first ? g.groups : 1, loads_first);
}

}  // namespace fold8::ops::conv
