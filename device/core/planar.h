// Planar rows: an input row of a block of channels, borders included, in whatever form an ISA reads best. What the rows
// of one op have in common; each ISA has
//   planar(shape, x, channels, to)       makes one from a row of pixels, x null for a row that is all padding
//   depthwise_row(shape, ...)            makes an output row of the block from kernel_h of them
// and may have depthwise_pair(shape, ...), which makes an output row and the next one from kernel_h + 1, or
// depthwise_block(...), which makes all rows of a block.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

// A depthwise convolution. Height and width are as the rows run: the image's own, or exchanged, with rows that are its
// columns. What rows have in common stands in a PlanarShape beside it.
struct DepthwiseShape {
  int32_t batch, in_h, ins, out_h;
  int32_t multiplier;  // output channel c * multiplier + j sees input channel c
  int32_t stride_h, pad_top, dilation_h;
  int32_t row_in;  // bytes between neighbouring rows
};

struct PlanarShape {
  int32_t columns;       // of a planar row: what the windows see of it
  int32_t left, inside;  // columns of padding before the pixels, and of pixels; padding behind them too
  int32_t pixel_in;      // bytes between the pixels
  int32_t zero;          // what padding holds
  int32_t kernel_h, kernel_w, stride, dilation;  // stride and dilation of columns
  int32_t outputs;                               // pixels of an output row
  int32_t pixel_out, channel_out, row_out;       // bytes between neighbouring results
  int32_t pixel_channels;                        // of a pixel: a block is some of them
  int32_t way;                                   // of an ISA with several to go about it
};

}  // namespace v0_1
}  // namespace f8k
