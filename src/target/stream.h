// Weight streams: what the matrix microkernels of some ISAs read instead of separate weights, sums and scales. Each ISA
// states its format in device/isa/<isa>/stream.h; here it is written and, for the interpreter, read back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quant/rescale.h"
#include "target/target.h"

namespace fold8::target {

// y[o] = clamp(zero + R_o(sum over k of x[k] * weights[o * ins + k] + sums[o]))
struct Matrix {
  int64_t outs = 0;
  int64_t ins = 0;
  std::vector<int8_t> weights;
  std::vector<int32_t> sums;
  std::vector<quant::Rescale> rescales;  // one for each o
  std::optional<int32_t> zero;           // of y; nullopt in a stream that leaves it to the call
  bool extra_flash = false;              // weights may take up to twice the bytes (for packing)
};

inline Matrix empty_matrix(int64_t outs, int64_t ins) {
  const auto o = static_cast<size_t>(outs);
  return {outs,
          ins,
          std::vector<int8_t>(o * static_cast<size_t>(ins)),
          std::vector<int32_t>(o),
          std::vector<quant::Rescale>(o),
          {}};
}

struct Stream {
  std::vector<int32_t> words;
  std::string why_not;  // when there are no words: which proof failed
};

// A depthwise convolution as its rows run: output channel c * multiplier + j sees input channel c.
struct DepthwiseKernel {
  int64_t channels = 0;
  int64_t multiplier = 1;
  int64_t height = 0;
  int64_t width = 0;
  int64_t dilation = 1;              // of columns
  int64_t stride = 1;                // of columns
  bool rows_are_neighbours = false;  // windows of neighbouring output rows see neighbouring input rows
  int64_t outputs = 0;               // of a row
  int64_t pixel_out = 0;             // bytes between neighbouring results of a row
  int64_t row_out = 0;               // ... of a column

  int64_t columns() const { return (outputs - 1) * stride + (width - 1) * dilation + 1; }
  int64_t taps() const { return height * width; }
};

// How its microkernel goes about it.
struct DepthwiseBlocks {
  int64_t channels;    // of a block
  int64_t rows;        // of the output, made together
  int64_t row_bytes;   // of a planar row: scratch for each input row that those see
  int64_t work_bytes;  // scratch besides
  int64_t way = 0;     // of an ISA with several
};

// Output channels in the order of blocks of `block` input channels: a block once for each output of its channels.
std::vector<int64_t> depthwise_order(const DepthwiseKernel& kernel, int64_t block);

struct StreamFormat {
  // Scratch for the windows of `ins` bytes that the microkernel reads at a time, of an op with `pixels` windows in all
  // and `outs` results from each.
  int64_t (*buffer_bytes)(int64_t ins, int64_t outs, int64_t pixels);
  Stream (*pack)(const Matrix&);
  Matrix (*unpack)(const int32_t* words, int64_t outs, int64_t ins);
  // The same for linear, whose rows are the pixels.
  int64_t (*rows_buffer_bytes)(int64_t ins, int64_t outs, int64_t rows);
  Stream (*pack_rows)(const Matrix&);
  Matrix (*unpack_rows)(const int32_t* words, int64_t outs, int64_t ins);
  // For depthwise convolutions: row o of the matrix is output channel o's taps, row by row.
  Stream (*pack_depthwise)(const Matrix&, const DepthwiseKernel&);
  Matrix (*unpack_depthwise)(const int32_t* words, const DepthwiseKernel&);
  DepthwiseBlocks (*depthwise_blocks)(const DepthwiseKernel&);
  // The same as buffer_bytes, pack and unpack for windows three columns wide that stand side by side, of `channels` in
  // each group of a column's rows; null where there is no microkernel for them.
  int64_t (*columns_buffer_bytes)(int64_t ins, int64_t outs, int64_t pixels) = nullptr;
  Stream (*pack_columns)(const Matrix&, int64_t channels) = nullptr;
  Matrix (*unpack_columns)(const int32_t* words, int64_t outs, int64_t ins, int64_t channels) = nullptr;
  // Pieces of a window are loaded in multiples of so many bytes, to multiples of them.
  int64_t load_unit = 4;
  // Windows that the microkernel for rows of windows without gaps takes at a time (ops/conv2d/conv2d_run.kernel.h); 0
  // where there is none. Scratch, at most, for a strip from which windows with gaps come so (conv2d_strip.kernel.h).
  int64_t run_windows = 0;
  int64_t strip_bytes = 0;
  bool has_relu = false;  // there are kernels for results of zero point -128 (core/relu.h)
};

// The streams that the microkernels of `isa` read; null where they read none.
const StreamFormat* stream_format(std::string_view isa);

}  // namespace fold8::target
