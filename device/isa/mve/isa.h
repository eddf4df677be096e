// ARMv8.1-M with the M-profile vector extension (Cortex-M55, M85): sixteen int8 lanes.
#pragma once

#include <arm_mve.h>
#include <string.h>

#include "core/columns.h"
#include "core/planar.h"
#include "core/requantize.h"
#include "isa/mve/affine.h"
#include "isa/mve/depthwise.h"
#include "isa/mve/depthwise_asm.h"
#include "isa/mve/gemm.h"
#include "isa/mve/lut.h"
#include "isa/mve/order.h"
#include "isa/mve/pool.h"
#include "isa/mve/product.h"
#include "isa/v7m/isa.h"

namespace f8k {
inline namespace v0_1 {

// kRelu: core/relu.h.
template <bool kRelu>
struct MveKernels : V7m {
  static constexpr const char* kName = "mve";
  static constexpr WeightOrder kGemmOrder = mve::kGemmOrder;

  static void dot_rows(const int8_t* x, const int8_t* w, int32_t ins, int32_t* acc) {
    int32_t sum = acc[0];
    for (int32_t k = 0; k < ins; k += 16) {
      const mve_pred16_t lanes = vctp8q(static_cast<uint32_t>(ins - k));  // the first ins - k lanes, at most 16
      sum = vmladavaq_p_s8(sum, vldrbq_z_s8(x + k, lanes), vldrbq_z_s8(w + k, lanes), lanes);
    }
    acc[0] = sum;
  }

  static constexpr int32_t kSumLanes = mve::kSumLanes;
  static constexpr int32_t kMaxLanes = mve::kMaxLanes;

  static void sum_run(const int8_t* x, int32_t pixels, int32_t pitch, int32_t lanes, int32_t* acc) {
    mve::sum_run(x, pixels, pitch, lanes, acc);
  }

  static void max_window(const PoolWindow& w, int32_t at, int32_t lanes, int32_t lo, int32_t hi, int8_t* y) {
    mve::max_window(w, at, lanes, lo, hi, y);
  }

  static void lookup(int32_t elems, const int8_t* table, const int8_t* x, int8_t* y) {
    mve::lookup(elems, table, x, y);
  }
  static void lookup_channels(int32_t channels, const int8_t* tables, const int8_t* x, int8_t* y) {
    mve::lookup_channels(channels, tables, x, y);
  }

  template <int kShift, bool kClamp, int kStepA, int kStepB>
  static void product(int32_t elems, const Product& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
    mve::product_run<kShift, kClamp, kStepA, kStepB>(elems, f, out, a, b, y);
  }

  template <int kShift, bool kClamp, int kStepA, int kStepB>
  static void affine(int32_t elems, const Affine& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
    mve::affine_run<kShift, kClamp, kStepA, kStepB>(elems, f, out, a, b, y);
  }

  template <int kShift, bool kClamp, int kStepX>
  static void affine_each(int32_t elems, const Output& out, const int8_t* x, const int32_t* scale, const int32_t* bias,
                          int8_t* y) {
    mve::affine_each_run<kShift, kClamp, kStepX>(elems, out, x, scale, bias, y);
  }

  // ---- matrix kernels that read a stream (isa/mve/stream.h)

  static constexpr int32_t kStreamPixels = mve::kPixels;
  static constexpr int32_t stream_pixels(int32_t /*ins*/) { return kStreamPixels; }
  static constexpr int32_t kStreamRows = 1;

  static constexpr bool kLoadsRuns = true;

  // Copies `bytes` of one pixel's window, from its byte `at`, into the buffer, which has for each 64 bytes those of
  // every pixel. What lies behind the last byte of a window is left as it is; its weights are zeros.
  static void load(const int8_t* x, int32_t bytes, int32_t at, int32_t pixel, int32_t /*pixels*/, uint32_t* buffer) {
    int8_t* to = reinterpret_cast<int8_t*>(buffer) + mve::place_in_windows(pixel, at);
    int32_t room = mve::kChunk - at % mve::kChunk;
    for (; bytes > room; bytes -= room, room = mve::kChunk) {
      copy(to, x, room);
      x += room;
      to += room + (kStreamPixels - 1) * mve::kChunk;
    }
    copy(to, x, bytes);
  }

  // load() for `pixels` windows that are `step` bytes apart.
  static void load_run(const int8_t* x, int32_t step, int32_t bytes, int32_t at, int32_t pixels, uint32_t* buffer) {
    for (int32_t p = 0; p < pixels; ++p, x += step) load(x, bytes, at, p, pixels, buffer);
  }

  // Every channel of 1 to 4 pixels whose windows are in the buffer; y[i]: where pixel i's channels start, equally far
  // apart. buffer: window_bytes(), then staging_bytes().
  static void gemm(const int32_t* stream, const Output& out, int32_t ins, int32_t pixels, uint32_t* buffer,
                   int8_t* const* y) {
    mve::PixelsArguments arguments = pixels_arguments(stream, out, mve::vectors(ins), buffer);
    arguments.pixels = pixels;
    const int32_t step = pixels > 1 ? static_cast<int32_t>(y[1] - y[0]) : 0;
    const bool staged = mve::staging_bytes(stream[1]) > 0;
    multiply<mve::gemm_pixels<kRelu>>(arguments, {staged, stream[1], step, arguments.windows + mve::window_bytes(ins)},
                                      y[0]);
  }

  // The same for a row of windows without gaps, step_x bytes apart at x, with results step_y apart.
  static void gemm_run(const int32_t* stream, const Output& out, int32_t ins, const int8_t* x, int32_t step_x,
                       int32_t windows, uint32_t* buffer, int8_t* y, int32_t step_y) {
    if (mve::staging_bytes(stream[1]) == 0) {
      gemm_run_by<false>(stream, out, ins, x, step_x, windows, buffer, y, step_y);
    } else {
      gemm_run_by<true>(stream, out, ins, x, step_x, windows, buffer, y, step_y);
    }
  }

  // A row of windows that share columns, of `ins` channels, a multiple of 16, to pixels of all channels side by side:
  // some windows at once. buffer: planes_bytes(), then staging_bytes().
  static void gemm_columns_row(const int32_t* stream, const Output& out, const ColumnsRow& r, uint32_t* buffer,
                               int8_t* y) {
    mve::PixelsArguments arguments = pixels_arguments(stream, out, r.kernel_h * r.ins / 16, buffer);
    arguments.plane = mve::plane_bytes(r.windows);
    int8_t* const planes = arguments.windows;
    const int32_t outs = stream[1];
    const Results results = {mve::staging_bytes(outs) > 0, outs, outs, planes + arguments.vectors * arguments.plane};
    for (int32_t done = 0; done < r.windows; done += mve::kColumnWindows) {
      const int32_t left = r.windows - done;
      const int32_t windows = left < mve::kColumnWindows ? left : mve::kColumnWindows;
      load_planes(r, done - r.pad_left, windows + 2, arguments.plane, planes);
      arguments.windows = planes;
      for (int32_t rest = windows; rest > 0; rest -= kStreamPixels, y += kStreamPixels * outs) {
        arguments.pixels = rest < kStreamPixels ? rest : kStreamPixels;
        multiply<mve::gemm_columns<kRelu>>(arguments, results, y);
        arguments.windows += kStreamPixels * 16;
      }
    }
  }

  // ---- strips (ops/conv2d/conv2d_strip.kernel.h)

  static void fill(int8_t* to, int32_t value, int32_t bytes) {
    asm volatile(
        "vdup.8 q0, %[value]\n wlstp.8 lr, %[bytes], 2f\n"
        "1: vstrb.8 q0, [%[to]], #16\n letp lr, 1b\n"
        "2:\n"
        : [to] "+r"(to)
        : [value] "r"(value), [bytes] "r"(bytes)
        : "lr", "q0", "memory");
  }

  // Copies `count` pieces of `bytes` bytes, step_x apart at x, to places step_to apart.
  static void spread(const int8_t* x, int32_t step_x, int32_t bytes, int32_t count, int8_t* to, int32_t step_to) {
    if (bytes <= mve::kSmallPiece) return spread_small(x, step_x, bytes, count, to, step_to);
    for (; bytes > 0; bytes -= 16, x += 16, to += 16)
      spread_vectors(x, step_x, vctp8q(static_cast<uint32_t>(bytes)), count, to, step_to);
  }

  // One row of a linear: whole blocks of channels in place, the channels of a last one by way of the stack.
  static void stream_rows(const int32_t* stream, const Output& out, const int8_t* x, int32_t ins, int32_t outs,
                          int32_t /*rows*/, int8_t* /*scratch*/, int8_t* y) {
    const int32_t odd = outs % mve::kRowChannels;
    const int32_t* const end = stream + stream[0];
    const int32_t* const whole = odd == 0 ? end : end - mve::row_block_words(ins, stream[2] != 0);
    mve::RowArguments arguments = {
        stream + mve::kRowHeader, whole, x, mve::row_head(ins), mve::vectors(ins), y, stream[2], stream[3], out.zero};
    if (outs > odd) mve::gemm_row_asm(&arguments);
    if (odd == 0) return;
    int8_t last[mve::kRowChannels];
    arguments.stream = whole;
    arguments.stream_end = end;
    arguments.y = last;
    mve::gemm_row_asm(&arguments);
    copy(y + outs - odd, last, odd);
  }

  static void copy(int8_t* to, const int8_t* from, int32_t bytes) {
    asm volatile(
        "wlstp.8 lr, %[bytes], 2f\n"
        "1: vldrb.u8 q0, [%[from]], #16\n vstrb.8 q0, [%[to]], #16\n letp lr, 1b\n"
        "2:\n"
        : [to] "+r"(to), [from] "+r"(from)
        : [bytes] "r"(bytes)
        : "lr", "q0", "memory");
  }

  // ---- depthwise over planar rows (isa/mve/depthwise.h)

  static constexpr bool kMakesPairs = true;
  static bool makes_pairs(const PlanarShape& p) {
    return mve::makes_pairs(makes_patches(p), p.stride, p.pixel_out, p.row_out);
  }
  static int32_t depthwise_channels(const PlanarShape& p) {
    return mve::depthwise_channels(makes_patches(p), p.columns);
  }
  static constexpr int32_t planar_row_bytes(int32_t columns) { return mve::planar_row_bytes(columns); }

  // Planar rows hold padding where pixels will not come.
  static void depthwise_begin(const PlanarShape& p, int8_t* planar, int32_t planar_bytes, int8_t* work) {
    if (!makes_patches(p)) return;
    fill(planar, p.zero, planar_bytes);
    reinterpret_cast<mve::PatchArguments*>(work)->made = 0;
  }

  static void planar(const PlanarShape& p, const int8_t* x, int32_t channels, int8_t* to) {
    if (makes_patches(p)) {
      planar_words(p, x, channels, to);
    } else {
      planar_lanes(p, x, channels, to);
    }
  }

  // One output row of `channels` channels, or two; returns the end of their records. places: of the rows they see.
  static const int32_t* depthwise_row(const PlanarShape& p, const Output& out, const int32_t* stream, int32_t channels,
                                      const int8_t* planar, const int32_t* places, int8_t* work, int8_t* y) {
    return makes_patches(p) ? depthwise_patches(p, out, stream, channels, 1, planar, places, work, y)
                            : depthwise_lanes(p, out, stream, channels, planar, places, y);
  }
  static const int32_t* depthwise_pair(const PlanarShape& p, const Output& out, const int32_t* stream, int32_t channels,
                                       const int8_t* planar, const int32_t* places, int8_t* work, int8_t* y) {
    return depthwise_patches(p, out, stream, channels, 2, planar, places, work, y);
  }

 private:
  [[gnu::noinline]] static void spread_vectors(const int8_t* x, int32_t step_x, mve_pred16_t lanes, int32_t count,
                                               int8_t* to, int32_t step_to) {
    for (; count > 0; --count, x += step_x, to += step_to) vstrbq_p_s8(to, vldrbq_z_s8(x, lanes), lanes);
  }

  // spread() of at most kSmallPiece bytes. A vector holds as many pieces as offsets of 8 bits reach; its lanes left
  // over repeat the first.
  [[gnu::noinline]] static void spread_small(const int8_t* x, int32_t step_x, int32_t bytes, int32_t count, int8_t* to,
                                             int32_t step_to) {
    static constexpr uint8_t kPieces[mve::kSmallPiece][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                                              {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7},
                                                              {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5},
                                                              {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}};
    const int32_t reach = 1 + (256 - bytes) / (step_x > step_to ? step_x : step_to);
    const int32_t pieces = 16 / bytes < reach ? 16 / bytes : reach;
    const uint8x16_t piece = vld1q_u8(kPieces[bytes - 1]);
    const uint8x16_t byte = vsubq_u8(vidupq_n_u8(0, 1), vmulq_n_u8(piece, static_cast<uint8_t>(bytes)));
    const mve_pred16_t used = vctp8q(static_cast<uint32_t>(pieces * bytes));
    const auto offsets = [&](int32_t step) {
      return vpselq_u8(vaddq_u8(vmulq_n_u8(piece, static_cast<uint8_t>(step)), byte), vdupq_n_u8(0), used);
    };
    const uint8x16_t from = offsets(step_x);
    const uint8x16_t places = offsets(step_to);
    for (; count >= pieces; count -= pieces, x += pieces * step_x, to += pieces * step_to)
      vstrbq_scatter_offset_s8(to, places, vldrbq_gather_offset_s8(x, from));
    const mve_pred16_t rest = vctp8q(static_cast<uint32_t>(count * bytes));
    vstrbq_scatter_offset_p_s8(to, places, vldrbq_gather_offset_z_s8(x, from, rest), rest);
  }

  static mve::PixelsArguments pixels_arguments(const int32_t* stream, const Output& out, int32_t vectors,
                                               uint32_t* buffer) {
    return {stream + mve::kPixelHeader, nullptr, 0, vectors, 0, reinterpret_cast<int8_t*>(buffer), out.zero,
            stream + stream[0],         0};
  }

  template <bool kStaged>
  [[gnu::noinline]] static void gemm_run_by(const int32_t* stream, const Output& out, int32_t ins, const int8_t* x,
                                            int32_t step_x, int32_t windows, uint32_t* buffer, int8_t* y,
                                            int32_t step_y) {
    mve::PixelsArguments arguments = pixels_arguments(stream, out, mve::vectors(ins), buffer);
    const Results results = {kStaged, stream[1], step_y, arguments.windows + mve::window_bytes(ins)};
    arguments.pixels = kStreamPixels;
    for (; windows >= kStreamPixels; windows -= kStreamPixels) {
      load_four(x, step_x, kStreamPixels, ins, arguments.windows);
      multiply<mve::gemm_pixels<kRelu>>(arguments, results, y);
      x += kStreamPixels * step_x;
      y += kStreamPixels * step_y;
    }
    if (windows == 0) return;
    arguments.pixels = windows;
    load_four(x, step_x, windows, ins, arguments.windows);
    multiply<mve::gemm_pixels<kRelu>>(arguments, results, y);
  }

  // Where results go: pixels of `outs` channels, `step` bytes apart; where channels end within a quad, by way of rows
  // of their own.
  struct Results {
    bool staged;
    int32_t outs, step;
    int8_t* staging;
  };

  template <void (*kGemm)(const mve::PixelsArguments&)>
  static void multiply(mve::PixelsArguments& arguments, const Results& to, int8_t* y) {
    arguments.y = to.staged ? to.staging : y;
    arguments.step = to.staged ? mve::round_up(to.outs, mve::kQuad) : to.step;
    kGemm(arguments);
    for (int32_t i = 0; to.staged && i < arguments.pixels; ++i)
      copy(y + i * to.step, to.staging + i * arguments.step, to.outs);
  }

  // Four windows of `bytes` bytes, `step` bytes apart, to their places in the buffer; for missing ones the first again.
  static void load_four(const int8_t* x, int32_t step, int32_t windows, int32_t bytes, int8_t* to) {
    const int8_t* b = windows > 1 ? x + step : x;
    const int8_t* c = windows > 2 ? x + 2 * step : x;
    const int8_t* d = windows > 3 ? x + 3 * step : x;
    int32_t now = bytes < mve::kChunk ? bytes : mve::kChunk;
    asm volatile(
        "1: wlstp.8 lr, %[now], 3f\n"
        "2: vldrb.u8 q0, [%[a]], #16\n vldrb.u8 q1, [%[b]], #16\n vldrb.u8 q2, [%[c]], #16\n"
        "vldrb.u8 q3, [%[d]], #16\n vstrw.32 q1, [%[to], #64]\n vstrw.32 q2, [%[to], #128]\n"
        "vstrw.32 q3, [%[to], #192]\n vstrw.32 q0, [%[to]], #16\n letp lr, 2b\n"
        "3: subs %[bytes], %[now]\n beq 4f\n add %[to], #192\n"
        "cmp %[bytes], #64\n it lt\n movlt %[now], %[bytes]\n b 1b\n"
        "4:\n"
        : [a] "+r"(x), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [to] "+r"(to), [bytes] "+r"(bytes), [now] "+r"(now)
        :
        : "lr", "q0", "q1", "q2", "q3", "memory", "cc");
  }

  // `count` columns from ix on, padding included, one plane for each 16 channels of each row.
  [[gnu::noinline]] static void load_planes(const ColumnsRow& r, int32_t ix, int32_t count, int32_t plane, int8_t* to) {
    const int32_t first = clamp(-ix, 0, count);
    const int32_t end = clamp(r.in_w - ix, first, count);
    for (int32_t ky = 0; ky < r.kernel_h; ++ky)
      for (int32_t c = 0; c < r.ins; c += 16, to += plane) {
        const int8_t* const row = r.rows[ky];
        if (row == nullptr) {
          fill(to, r.zero, 16 * count);
          continue;
        }
        fill(to, r.zero, 16 * first);
        copy_column(row + (ix + first) * r.ins + c, end - first, r.ins, to + 16 * first);
        fill(to + 16 * end, r.zero, 16 * (count - end));
      }
  }

  // Copies `count` times 16 bytes, `step` apart at `from`.
  static void copy_column(const int8_t* from, int32_t count, int32_t step, int8_t* to) {
    if (step == 16) return copy(to, from, 16 * count);
    asm volatile(
        "wls lr, %[count], 2f\n"
        "1: vldrb.u8 q0, [%[from]]\n add %[from], %[step]\n vstrb.8 q0, [%[to]], #16\n le lr, 1b\n"
        "2:\n"
        : [to] "+r"(to), [from] "+r"(from)
        : [count] "r"(count), [step] "r"(step)
        : "lr", "q0", "memory");
  }

  static bool makes_patches(const PlanarShape& p) { return p.way == mve::kPatches; }

  [[gnu::noinline]] static void planar_words(const PlanarShape& p, const int8_t* x, int32_t channels, int8_t* row) {
    const int32_t words = mve::depthwise_channels(true, p.columns);
    const int32_t before = p.left + mve::columns_before(p.left);
    if (x == nullptr) return fill(row, p.zero, words * mve::round_up(before + p.inside, 4));
    const mve_pred16_t loaded = vctp8q(static_cast<uint32_t>(channels));
    row += before * words;
    const int32_t groups = p.inside >> 2;
    if (groups > 0) {
      const mve::PlanarArguments arguments = {x, p.pixel_in, row, 4 * words, groups, loaded};
      mve::planar_groups_asm(&arguments);
      row += groups * 4 * words;
      x += groups * 4 * p.pixel_in;
      if (words == 8) fill(row, p.zero, 32);  // where channels were written that a block of eight lacks
    }
    const mve_pred16_t stored = vctp8q(static_cast<uint32_t>(words));
    const uint8x16_t offsets = vidupq_n_u8(0, 4);
    for (int32_t i = p.inside & 3; i > 0; --i, x += p.pixel_in, ++row)
      vstrbq_scatter_offset_p_s8(row, offsets, vldrbq_z_s8(x, loaded), stored);
  }

  // Arguments of the loop that are the same for all rows of a layer, made `rows` at a time.
  static void set_patch_arguments(mve::PatchArguments& a, const PlanarShape& p, const Output& out, int32_t rows,
                                  int8_t* work) {
    static constexpr uint16_t kPairColumns[] = {0, 2, 1, 3, 0, 2, 1, 3};
    static constexpr uint16_t kPairRows[] = {0, 0, 0, 0, 1, 1, 1, 1};
    static constexpr uint16_t kRowColumns[] = {0, 4, 1, 5, 2, 6, 3, 7};
    const int32_t before = mve::columns_before(p.left);
    const int32_t unit = rows == 2 ? 4 : 8;  // columns
    const uint16x8_t columns = vld1q_u16(rows == 2 ? kPairColumns : kRowColumns);
    uint16x8_t results = vmulq_n_u16(columns, static_cast<uint16_t>(p.pixel_out));
    if (rows == 2) results = vaddq_u16(results, vmulq_n_u16(vld1q_u16(kPairRows), static_cast<uint16_t>(p.row_out)));
    vst1q_u16(a.results, results);
    a.channel_bytes = p.channel_out;
    a.work = work;
    a.vectors = mve::vectors(before + p.columns);
    a.vector_bytes = 16 * mve::depthwise_channels(true, p.columns);
    a.first = work + 4 * before;
    a.units = rows == 2 ? (p.outputs - 1) / 4 : (p.outputs - 1) / 8;
    const int32_t last = p.outputs - a.units * unit;
    a.last_is_half = last <= unit / 2 ? 1 : 0;
    a.last_lanes = vcmphiq_u16(vdupq_n_u16(static_cast<uint16_t>(last)), columns);
    a.zero = out.zero;
    a.unit_bytes = unit * p.pixel_out;
    a.made = rows;
  }

  [[gnu::noinline]] static const int32_t* depthwise_patches(const PlanarShape& p, const Output& out,
                                                            const int32_t* stream, int32_t channels, int32_t rows,
                                                            const int8_t* planar, const int32_t* places, int8_t* work,
                                                            int8_t* y) {
    mve::PatchArguments& a = *reinterpret_cast<mve::PatchArguments*>(work);
    if (a.made != rows) set_patch_arguments(a, p, out, rows, work + mve::kPatchArgumentBytes);
    // Rows of a patch that no window sees, whose weights are zeros, are the first of the ring.
    const mve_pred16_t seen = vctp32q(static_cast<uint32_t>(p.kernel_h + rows - 1));
    vst1q_u32(a.rows,
              vaddq_n_u32(vreinterpretq_u32_s32(vldrwq_z_s32(places, seen)), reinterpret_cast<uint32_t>(planar)));
    const int32_t words = mve::depthwise_channels(true, p.columns);
    vst1q_u32(a.columns, vmulq_n_u32(vidupq_n_u32(0, 1), static_cast<uint32_t>(4 * words)));
    a.y = y;
    a.stream = stream;
    a.stream_end = stream + channels * mve::kPatchWords;
    if (rows == 2) {
      mve::patches_pair_asm<kRelu>(&a);
    } else if (p.stride == 1) {
      mve::patches_stride_1_asm<kRelu>(&a);
    } else {
      mve::patches_stride_2_asm<kRelu>(&a);
    }
    return a.stream_end;
  }

  [[gnu::noinline]] static void planar_lanes(const PlanarShape& p, const int8_t* x, int32_t channels, int8_t* to) {
    const mve_pred16_t lanes = vctp16q(static_cast<uint32_t>(channels));
    const int16x8_t padding = vdupq_n_s16(static_cast<int16_t>(p.zero));
    const int32_t left = x == nullptr ? p.columns : p.left;
    const int32_t end = x == nullptr ? p.columns : p.left + p.inside;
    for (int32_t i = 0; i < left; ++i, to += mve::kLanes) vstrbq_s16(to, padding);
    for (int32_t i = left; i < end; ++i, to += mve::kLanes, x += p.pixel_in) vstrbq_s16(to, vldrbq_z_s16(x, lanes));
    for (int32_t i = end; i < p.columns; ++i, to += mve::kLanes) vstrbq_s16(to, padding);
  }

  [[gnu::noinline]] static const int32_t* depthwise_lanes(const PlanarShape& p, const Output& out, const int32_t* block,
                                                          int32_t channels, const int8_t* planar, const int32_t* places,
                                                          int8_t* y) {
    const int32_t* scales = block + 8 + 2 * p.kernel_h * p.kernel_w;
    const mve_pred16_t lanes = vctp16q(static_cast<uint32_t>(channels));
    const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), static_cast<uint16_t>(p.channel_out));
    for (int32_t ox = 0; ox < p.outputs; ++ox, planar += mve::kLanes * p.stride, y += p.pixel_out) {
      int32x4_t even = vld1q_s32(block);
      int32x4_t odd = vld1q_s32(block + 4);
      const int8_t* weights = reinterpret_cast<const int8_t*>(block + 8);
      for (int32_t ky = 0; ky < p.kernel_h; ++ky)
        for (int32_t kx = 0; kx < p.kernel_w; ++kx, weights += mve::kLanes) {
          const int16x8_t x = vldrbq_s16(planar + places[ky] + mve::kLanes * kx * p.dilation);
          const int16x8_t w = vldrbq_s16(weights);
          even = vaddq_s32(even, vmullbq_int_s16(x, w));
          odd = vaddq_s32(odd, vmulltq_int_s16(x, w));
        }
      int16x8_t narrow = vdupq_n_s16(0);
      narrow = vqmovnbq_s32(narrow, scaled(even, scales, scales + 8));
      narrow = vqmovntq_s32(narrow, scaled(odd, scales + 4, scales + 12));
      narrow = vqaddq_n_s16(narrow, static_cast<int16_t>(out.zero));
      narrow = vmaxq_s16(vminq_s16(narrow, vdupq_n_s16(127)), vdupq_n_s16(-128));
      vstrbq_scatter_offset_p_s16(y, offsets, narrow, lanes);
    }
    return scales + 16;
  }

  // acc * multiplier, shifted right by 1 to 31 (shifts are negative): half is added, less one where acc is negative.
  static int32x4_t scaled(int32x4_t acc, const int32_t* multipliers, const int32_t* shifts) {
    const int32x4_t high = vqrdmulhq_s32(acc, vld1q_s32(multipliers));
    return vrshlq_s32(vaddq_s32(high, vshrq_n_s32(acc, 31)), vld1q_s32(shifts));
  }
};

struct Mve : MveKernels<false> {
  using Relu = MveKernels<true>;
};

}  // namespace v0_1
}  // namespace f8k
