#include "faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "batch.h"
#include "target/stream.h"

namespace fold8::f8 {
namespace {

using namespace ir;

// ---- in the kernels

struct SourceFault {
  const char* name;
  const char* noticed_by;  // the cases whose names begin so
  std::vector<std::string> cpus;
  std::string text, instead;
};

// A core with "/size" behind it: with compact kernels, which stand in for the others where a proof fails.
const std::vector<std::string> kEachCompact = {"cortex-m0plus/size", "cortex-m3/size", "cortex-m4/size",
                                               "cortex-m55/size"};
const std::vector<std::string> kEachIsa = {"cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m55"};

const SourceFault kSourceFaults[] = {
    {"kernel_sum is not read", "small", kEachCompact, "acc[j] = j < rows ? kernel_sum[o + j] : 0;", "acc[j] = 0;"},
    {"right shift truncates", "ties", {"cortex-m0plus/size", "cortex-m3/size"}, "(halves & 1)", "0"},
    {"left shift wraps", "shifts", kEachCompact, "if (x > limit) return INT32_MAX;", ""},
    {"high product truncates",
     "ties",
     {"cortex-m3/size", "cortex-m4/size", "cortex-m55/size"},
     "* b + (1 << 30)) >> 31",
     "* b) >> 31"},
    {"high product truncates", "ties", {"cortex-m0plus/size"}, "rest + (1u << 30)", "rest"},
    {"last input is not read",
     "tails_of_ins",
     {"cortex-m0plus/size", "cortex-m3/size"},
     "k < ins; ++k",
     "k < ins - 1; ++k"},
    {"tail reads one too few",
     "left_shifts",
     {"cortex-m55"},
     "static_cast<uint32_t>(ins - k)",
     "static_cast<uint32_t>(ins - k - 1)"},
    {"sums of four channels are not read",
     "tails_of_outs",
     {"cortex-m4"},
     "ldm lr!, {r8-r11}",
     "add lr, #16\\n mov r8, #0\\n mov r9, #0\\n mov r10, #0\\n mov r11, #0"},
    {"sums of a pair are not read",
     "many_channels",
     {"cortex-m4"},
     "ldm lr!, {r8, r9}",
     "add lr, #8\\n mov r8, #0\\n mov r9, #0"},
    {"biases of elements are not read",
     "tails_of_a_standing_operand",
     {"cortex-m0plus", "cortex-m3", "cortex-m4"},
     "*bias++ + top",
     "top"},
    {"biases of elements are not read",
     "tails_of_a_standing_operand",
     {"cortex-m55"},
     "vaddq_s32(vmulq_s32(x, scale), base)",
     "vmulq_s32(x, scale)"},
    {"rounding by sign is lost", "ties", {"cortex-m4"}, "add r12, \" c \", \" acc \", asr #31", "mov r12, \" c \""},
    {"high product truncates",
     "ties",
     {"cortex-m4"},
     "\"smmlar \" acc \", \" acc \", \" multiplier \", \" c",
     "\"smmla \" acc \", \" acc \", \" multiplier \", \" c"},
    {"second channel keeps the first's sum", "small", {"cortex-m4"}, "sub r9, r9, r8\\n", ""},
    {"tail of one to three is not widened", "tails_of_ins", {"cortex-m4"}, "ldrb r5, [r0, r1]", "mov r5, #0"},
    {"last four of a pair's windows are one's", "pairs_of_pixels", {"cortex-m4"}, "ldr r6, [r1]\\n", "ldr r6, [r0]\\n"},
    {"last bytes of a piece are not copied", "joined_rows", {"cortex-m4"}, "ldrb r3, [r1], #1", "mov r3, #0"},
    {"two of four inputs are not multiplied",
     "pairs_of_pixels",
     {"cortex-m4"},
     "F8K_TWO_PIXELS(\"r1\", \"r5\", \"r7\")",
     "F8K_TWO_PIXELS(\"r0\", \"r5\", \"r7\")"},
    {"windows of the next two pixels are these",
     "pairs_of_pixels",
     {"cortex-m4"},
     "add r2, r1\\n str r2, [sp, #24]",
     "str r2, [sp, #24]"},
    {"results of the next two pixels lie on these",
     "pairs_of_pixels",
     {"cortex-m4"},
     "add r7, r1\\n strd r6, r7",
     "strd r6, r7"},
    {"windows left over are the first", "pairs_of_pixels", {"cortex-m4"}, "x += 2 * pairs * step_x;", ""},
    {"last pixel of a strip has the first row thrice",
     "strips",
     {"cortex-m4"},
     "F8K_LAST_THREE(\"r0\")",
     "F8K_LAST_THREE(\"r3\")"},
    {"second row of a strip is the first", "strips", {"cortex-m4"}, "ldr r5, [r12], #3", "mov r5, r4"},
    {"unwidened inputs change places", "wide_rows", {"cortex-m4"}, "sxtb16 r5, r4, ror #8", "sxtb16 r5, r4, ror #24"},
    {"second pixel starts from the wrong sum",
     "pairs_of_pixels",
     {"cortex-m4"},
     "FROM(\"r8\", \"r9\"",
     "FROM(\"r8\", \"r8\""},
    {"second pixel's result is the first's",
     "pairs_of_pixels",
     {"cortex-m4"},
     "strb r10, [r7, r2]",
     "strb r10, [r6, r2]"},
    {"odd inputs meet the wrong widened weights",
     "pairs_of_pixels",
     {"cortex-m4"},
     "smlad r11, r3, r7, r11",
     "smlad r11, r1, r7, r11"},
    {"lone pixel's second channel is its first",
     "pairs_of_pixels",
     {"cortex-m4"},
     "smlad r9, r2, r4, r9\\n smlad r8, r1",
     "smlad r9, r0, r4, r9\\n smlad r8, r1"},
    {"lone pixel's weights are not taken apart",
     "pairs_of_pixels",
     {"cortex-m4"},
     ", r9\\n sxtb16 \" w \", \" w \"\\n smlad r8",
     ", r9\\n smlad r8"},
    {"bytes left of a row are lost", "joined_rows", {"cortex-m4"}, "lsl r3, r9\\n orr r3, r8", "lsl r3, r9"},
    {"last bytes of joined rows are lost", "joined_rows", {"cortex-m4"}, "cbz r7, 4f", "b 4f"},
    {"third tap is lost", "depthwise_blocks", {"cortex-m4"}, "smlabt r8, r7", "smlabb r8, r7"},
    {"third tap of a strided window is its fourth", "strides", {"cortex-m4"}, "smlabt r9, r6", "smlatt r9, r6"},
    {"lone result of a row is not written", "depthwise_rows", {"cortex-m4"}, "cbz r6, 5f", "b 5f"},
    {"rounding by sign is lost in depthwise", "depthwise_rows", {"cortex-m4"}, "add r6, r6, r9, asr #31", ""},
    {"high product truncates in depthwise",
     "depthwise_rows",
     {"cortex-m4"},
     "\"smmlar r8, r8, r7, r6\\n smmlar r9",
     "\"smmla r8, r8, r7, r6\\n smmla r9"},
    {"two results of any kernel are one", "depthwise_rows", {"cortex-m4"}, "smlad r7, r5, r6", "smlad r7, r4, r6"},
    {"results of a large stride are too near",
     "strides",
     {"cortex-m4"},
     "columns += 2 * p.stride",
     "columns += p.stride"},
    {"rows of a block do not move on", "depthwise_blocks", {"cortex-m4"}, "c = oldest;", ""},
    {"next channel's planes are this one's", "depthwise_blocks", {"cortex-m4"}, "add r11, r7\\n", ""},
    {"next channel's results are this one's",
     "depthwise_blocks",
     {"cortex-m4"},
     "p.channel_out - pair_bytes",
     "-pair_bytes"},
    {"clamp of a block is lost", "clamp", {"cortex-m4"}, "depthwise_clamp<Isa>(s, p, out, channels, s.out_h, y);", ""},
    {"short block has the wrong channels", "depthwise_blocks", {"cortex-m4"}, "planar_asm(x - missing", "planar_asm(x"},
    {"padding beside pixels is 0", "depthwise_rows", {"cortex-m4"}, "uxtb r9, r8", "mov r9, #0"},
    {"padding behind pixels is 0", "depthwise_rows", {"cortex-m4"}, "pkhbt r10, r8, r8, lsl #16", "mov r10, #0"},
    {"rows of padding are 0", "borders", {"cortex-m4"}, "pkhbt r1, r1, r1, lsl #16", "mov r1, #0"},
    {"padding of planar rows is 0", "depthwise_rows", {"cortex-m55"}, "static_cast<int16_t>(p.zero)", "0"},
    {"ring of rows does not close",
     "strides",
     {"cortex-m3", "cortex-m4", "cortex-m55"},
     "if (at >= ring_bytes)",
     "if (at > ring_bytes)"},
    {"row below the image is read",
     "borders",
     {"cortex-m3", "cortex-m4", "cortex-m55"},
     "next < s.in_h",
     "next <= s.in_h"},
    {"sum of a row's first channel is not read",
     "small",
     {"cortex-m0plus"},
     "mov r8, r2\\n mov r9, r3\\n mov r10, r4",
     "mov r9, r3\\n mov r10, r4"},
    {"sum of x is not taken off", "small", {"cortex-m0plus"}, "subs r3, r3, r1\\n subs r5", "subs r5"},
    {"inputs of a row lose their sign", "tails_of_ins", {"cortex-m0plus"}, "ldrsb r2, [r1, r6]", "ldrb r2, [r1, r6]"},
    {"bytes of a row are not swapped", "tails_of_ins", {"cortex-m0plus"}, "rev16 r5, \" w", "mov r5, \" w"},
    {"a digit of a row's sums loses its sign",
     "sums_of_four_channels",
     {"cortex-m0plus"},
     "sxtb r3, r4\\n subs r4",
     "uxtb r3, r4\\n subs r4"},
    {"third channel of a row keeps a digit of the first",
     "sums_of_four_channels",
     {"cortex-m0plus"},
     "subs r5, r5, r3\\n",
     ""},
    {"third channel of a row lacks its highest digit",
     "sums_of_four_channels",
     {"cortex-m0plus"},
     "subs r5, r5, r4\\n subs r7",
     "subs r7"},
    {"rounding by sign is lost", "ties", {"cortex-m0plus"}, "adcs r3, r6", "adds r3, r6"},
    {"rounding of rows by sign is lost", "ties", {"cortex-m0plus"}, "adcs r2, r4", "adds r2, r4"},
    {"upper product of a wide rescale is lost", "wide", {"cortex-m0plus"}, "lsls r0, r0, #1", "movs r0, #0"},
    {"saturation takes the wrong end",
     "extremes",
     {"cortex-m0plus"},
     "movs \" temporary \", #127",
     "movs \" temporary \", #0"},
    {"pixel lends to its neighbour", "channels", {"cortex-m0plus"}, "lsls r3, r3, #15\\n mov r12, r3", "mov r12, r3"},
    {"weights alone are left out",
     "sums_of_four",
     {"cortex-m0plus"},
     "7: ldm r0!, {r1}\\n sxtb r6, r1",
     "7: ldm r0!, {r1}\\n movs r6, #0"},
    {"odd pixel overwrites the even one's sign", "channels", {"cortex-m0plus"}, "adds r4, r6\\n strh", "strh"},
    {"last bytes of a window are not loaded", "channels", {"cortex-m0plus"}, "2: adds r1, #4\\n beq 4f", "2: b 4f"},
    {"fourth weight is the third", "channels", {"cortex-m0plus"}, "muls r5, r1\\n", "muls r5, r6\\n"},
    {"fourth weight of a pair of pixels is lost",
     "channels",
     {"cortex-m0plus"},
     "adds r2, r4\\n adds r7, #32",
     "adds r7, #32"},
    {"upper pixel of a pair is not rounded",
     "channels",
     {"cortex-m0plus"},
     "adds r7, #32\\n add r2, r12",
     "adds r7, #32"},
    {"sixth tap is lost",
     "depthwise_blocks",
     {"cortex-m0plus"},
     "F8K_TAP(\"r3\", \"20\") \"adds r2, r3",
     "\"adds r2, r3"},
    {"third tap is not rounded", "depthwise_blocks", {"cortex-m0plus"}, "adcs r4, \" x", "add r4, \" x"},
    {"upper half is of the next column", "strides", {"cortex-m0plus"}, "is_3x3(p) ? p.stride : 1", "1"},
    {"sum of a row's channel is lost",
     "tails_of_outs",
     {"cortex-m55"},
     "ldm r1!, {r0, r2, r4, r6, r8, r10, r12, lr}\\n",
     "ldm r1!, {r0, r2, r4, r6, r8, r10, r12, lr}\\n mov r4, #0\\n"},
    {"a channel of a row is added to another", "tails_of_ins", {"cortex-m55"}, "(\"r10\", \"q3\")", "(\"r8\", \"q3\")"},
    {"odd channels of a row are shifted as even ones",
     "tails_of_ins",
     {"cortex-m55"},
     "vrshl.s32 q0, q0, q3",
     "vrshl.s32 q0, q0, q1"},
    {"last channels of a row are not copied", "tails_of_outs", {"cortex-m55"}, "last, odd)", "last, odd - 1)"},
    {"sum of the first channel is lost", "channels", {"cortex-m55"}, "vadd.i32 q0, q0, r0\\n ", ""},
    {"rounding by sign is lost", "channels", {"cortex-m55"}, ".if %c[relu]", ".if 1"},
    {"high product above a zero point truncates",
     "zero_point_below_all",
     {"cortex-m55"},
     "vqrdmulh.s32 \" to",
     "vqdmulh.s32 \" to"},
    {"one vector accumulates what was there",
     "channels",
     {"cortex-m55"},
     "F8K_MACS(\"vmladav.s8\", \"q3\", \"r2\", \"r10\")",
     "F8K_MACS(\"vmladava.s8\", \"q3\", \"r2\", \"r10\")"},
    {"first of a few vectors accumulates what was there",
     "channels",
     {"cortex-m55"},
     "vectors(\"vmladav.s8\")",
     "vectors(\"vmladava.s8\")"},
    {"first of many vectors accumulates what was there",
     "channels",
     {"cortex-m55"},
     "(\"vmladav.s8\", \"\", \"64\"",
     "(\"vmladava.s8\", \"\", \"64\""},
    {"one of many vectors is read twice", "channels", {"cortex-m55"}, ", #16\", \"80\"", ", #32\", \"80\""},
    {"last of a few windows is not stored", "channels", {"cortex-m55"}, "vctp.32 r5", "subs r5, #1\\n vctp.32 r5"},
    {"last channels of an unfinished quad are lost",
     "channels",
     {"cortex-m55"},
     "i * arguments.step, to.outs)",
     "i * arguments.step, to.outs - 1)"},
    {"third window of a run is the second", "channels", {"cortex-m55"}, "x + 2 * step", "x + step"},
    {"pieces that a vector does not reach are placed",
     "strips",
     {"cortex-m55"},
     "16 / bytes < reach ? 16 / bytes : reach",
     "16 / bytes"},
    {"second byte of a piece is lost",
     "strips",
     {"cortex-m55"},
     "vaddq_u8(vmulq_n_u8(piece, static_cast<uint8_t>(step)), byte)",
     "vmulq_n_u8(piece, static_cast<uint8_t>(step))"},
    {"last pieces of a strip are lost",
     "strips",
     {"cortex-m55"},
     "static_cast<uint32_t>(count * bytes)",
     "static_cast<uint32_t>(count * bytes / 2)"},
    {"padding of a strip is 0",
     "borders",
     {"cortex-m4", "cortex-m55"},
     "Isa::fill(strip, s.input_zero",
     "Isa::fill(strip, 0"},
    {"rows of a strip lie on one another", "strips", {"cortex-m4", "cortex-m55"}, "++iy, strip += s.ins", "++iy"},
    {"windows go on in the next pixel's", "dilated_pixels", {"cortex-m55"}, "to += room + ", "to += room + 0 * "},
    {"odd channels are scaled as even ones",
     "depthwise_blocks",
     {"cortex-m55"},
     "scales + 4, scales + 12",
     "scales, scales + 12"},
    {"depthwise padding is 0", "borders", kEachCompact, "fill_bytes(padding, s.input_zero", "fill_bytes(padding, 0"},
    {"a tap of a shared column is lost",
     "padded_rows",
     {"cortex-m55"},
     "F8K_TAP_1(\"r6\", \"lr\") F8K_TAP_2(\"r4\", \"r12\")",
     "F8K_TAP_1(\"r6\", \"lr\")"},
    {"windows from 32 on are the first",
     "padded_rows",
     {"cortex-m55"},
     "load_planes(r, done - r.pad_left",
     "load_planes(r, -r.pad_left"},
    {"column right of the image is read",
     "padded_rows",
     {"cortex-m55"},
     "clamp(r.in_w - ix, first, count)",
     "clamp(r.in_w - ix + 1, first, count)"},
    {"first pair of a quad is the second",
     "padded_rows",
     {"cortex-m55"},
     "\"vldrw.u32 q5, [sp]\\n\"",
     "\"vmov q5, q4\\n\""},
    {"second row of a pair sees the third", "depthwise_rows", {"cortex-m55"}, "q2, q0, #8", "q2, q0, #16"},
    {"third result of a lone row is the fourth", "depthwise_rows", {"cortex-m55"}, "r4, q0, q4", "r4, q1, q4"},
    {"last result of a row is not written",
     "depthwise_rows",
     {"cortex-m55"},
     "static_cast<uint16_t>(last)",
     "static_cast<uint16_t>(last - 1)"},
    {"second half of a unit is lost", "depthwise_rows", {"cortex-m55"}, "last <= unit / 2 ? 1 : 0", "1"},
    {"step of two columns is one",
     "strides",
     {"cortex-m55"},
     "F8K_LOAD_PATCH \"vmladav.s8 \" acc",
     "\"vldrw.u32 q4, [r1], #4\\n vmladav.s8 \" acc"},
    {"columns from 16 on are the first", "wide_depthwise_rows", {"cortex-m55"}, "vadd.i32 q0, q0, r9\\n", ""},
    {"words of columns begin with padding",
     "depthwise_rows",
     {"cortex-m55"},
     "row += before * words",
     "row += p.left * words"},
    {"padding of words is 0", "borders", {"cortex-m55"}, "fill(planar, p.zero,", "fill(planar, 0,"},
    {"rows of padding of words are 0", "borders", {"cortex-m55"}, "return fill(row, p.zero,", "return fill(row, 0,"},
    {"channels beyond a block of eight stay on its padding",
     "wide_depthwise_rows",
     {"cortex-m55"},
     "if (words == 8) fill(row, p.zero, 32);",
     ""},
    {"last channel of a block is not written",
     "depthwise_blocks",
     {"cortex-m55"},
     "vctp16q(static_cast<uint32_t>(channels))",
     "vctp16q(static_cast<uint32_t>(channels - 1))"},
    {"sums of a second pair of pixels are lost",
     "channels",
     {"cortex-m3"},
     "ldm r12, {r8, r9}\\n",
     "mov r8, #0\\n mov r9, #0\\n"},
    {"sums of a third pair of pixels are lost",
     "padded_rows",
     {"cortex-m3"},
     "ldm r12, {r10, r11}",
     "mov r10, #0\\n mov r11, #0"},
    {"third pair of pixels has the wrong weights",
     "padded_rows",
     {"cortex-m3"},
     "F8K_THIRD(\"r1\", \"r5\")",
     "F8K_THIRD(\"r1\", \"r4\")"},
    {"borrow of a pixel is lost", "channels", {"cortex-m3"}, "adc \" high \", r3", "add \" high \", r3"},
    {"rounding of pixels by sign is lost", "ties", {"cortex-m3"}, "add \" acc \", \" acc \", r4, lsl #7\\n", ""},
    {"128 is not added to even pixels", "channels", {"cortex-m3"}, "#0x80808080", "#0"},
    {"odd pixel is the even one", "channels", {"cortex-m3"}, "ldr r6, [r0, r5]", "ldr r6, [r0]"},
    {"third pixel of a run is the second",
     "padded_rows",
     {"cortex-m3"},
     "add r10, r10, r5, lsl #1",
     "add r10, r10, r5"},
    {"last of three bytes is not loaded", "channels", {"cortex-m3"}, "byte(\"0\") \"b 5f", "\"b 5f"},
    {"missing pixel is stored last",
     "padded_rows",
     {"cortex-m3"},
     "strb r9, [r4], #1\\n strb r8, [r3], #1\\n strb r7",
     "strb r8, [r3], #1\\n strb r9, [r4], #1\\n strb r7"},
    {"missing sixth pixel is stored last",
     "padded_rows",
     {"cortex-m3"},
     "strb r11, [lr], #1\\n strb r10, [r5], #1",
     "strb r10, [r5], #1\\n strb r11, [lr], #1"},
    {"borrow of a row's channel is lost", "tails_of_ins", {"cortex-m3"}, "adc \" high \", lr", "add \" high \", lr"},
    {"rounding of rows by sign is lost", "ties", {"cortex-m3"}, "add \" acc \", \" acc \", r12, lsl #7\\n", ""},
    {"sum of a row is not taken away", "tails_of_ins", {"cortex-m3"}, "smlal r4, r5, r2, r3", "nop"},
    {"sum of a long row leaves out a byte of four", "long_rows", {"cortex-m3"}, "add r2, r2, r3, asr #24", "nop"},
    {"last ins of a row are not widened", "tails_of_ins", {"cortex-m3"}, "to[i] = x[i];", ""},
    {"a widened byte of four loses its sign", "tails_of_ins", {"cortex-m3"}, "sbfx r5, r7", "ubfx r5, r7"},
    {"bytes of a long row lose their sign", "long_rows", {"cortex-m3"}, "ldrsb r0, [r10], #1", "ldrb r0, [r10], #1"},
    {"third tap is the first", "depthwise_blocks", {"cortex-m3"}, "smlal r6, r7, r9", "smlal r6, r7, r8"},
    {"odd output begins anew", "depthwise_rows", {"cortex-m3"}, "asr r6, r7, #10", "mov r6, #0"},
    {"odd output lends", "depthwise_rows", {"cortex-m3"}, "add r6, r6, #0x100000\\n", ""},
    {"even output lends", "ties", {"cortex-m3"}, "mov r7, #0x200\\n bne", "mov r7, #0\\n bne"},
    {"borrow of a strided output is lost", "ties", {"cortex-m3"}, "adc r6, r6, r7", "add r6, r6, r7"},
    {"last of an even number of outputs is lost",
     "depthwise_rows",
     {"cortex-m3"},
     "lsls r8, r8, #31\\n bne 4f",
     "b 4f"},
    {"second channel starts in the first's plane", "depthwise_blocks", {"cortex-m3"}, "- words),", "- words - 1),"},
    {"rounding of depthwise by sign is lost", "ties", {"cortex-m3"}, "add \" acc \", \" acc \", r11, lsl #10\\n", ""},
    {"lone result of a row is not written",
     "depthwise_rows",
     {"cortex-m3"},
     "r1, #4\\n beq 8f\\n",
     "r1, #4\\n b 8f\\n"},
    {"padding of planar rows is 0", "depthwise_rows", {"cortex-m3"}, "(static_cast<uint32_t>(p.zero) & 0xffu)", "0u"},
    {"rows of padding are 0", "borders", {"cortex-m3"}, "p.zero + p.zero * (1 << v7m::kColumnBits)", "0"},
    {"padding before the first pixel is the pixel", "depthwise_rows", {"cortex-m3"}, "mov r4, r9", "ldr r4, [r0]"},
    {"pixel beside padding is lost", "depthwise_rows", {"cortex-m3"}, "cbz r5, 4f", "b 4f"},
    {"last pixel of a short block is padding",
     "depthwise_blocks",
     {"cortex-m3"},
     "|| pixel >= p.inside",
     "|| pixel + 1 >= p.inside"},
    {"fourth channel is the third", "depthwise_blocks", {"cortex-m3"}, "\"r8\", \"24\"", "\"r8\", \"16\""},
    {"second operand has the first's scale",
     "every_pair",
     {"cortex-m0plus", "cortex-m3", "cortex-m4"},
     "sum += scale_b * b[i]",
     "sum += scale_a * b[i]"},
    {"second operand has the first's scale", "every_pair", {"cortex-m55"}, "b, scale_b)", "b, base)"},
    {"sum saturates late", "every_pair", {"cortex-m0plus"}, "> 255u", "> 256u"},
    {"sum saturates late", "every_pair", {"cortex-m3"}, "0, 255) - 128", "0, 256) - 128"},
    {"sum saturates early", "every_pair", {"cortex-m4"}, "ssat %0, #8", "ssat %0, #7"},
    {"sum wraps", "every_pair", {"cortex-m55"}, "vqrshrnb.s16", "vrshrnb.i16"},
    {"sum is rounded twice", "every_pair", {"cortex-m55"}, "- (1 << (kShift - 1))", ""},
    {"clamp of a sum is lost", "every_pair", {"cortex-m55"}, "if (!kClamp) return sum;", "return sum;"},
    {"last element of a sum is not written",
     "tails I",
     {"cortex-m55"},
     "vctp32q(static_cast<uint32_t>(elems))",
     "vctp32q(static_cast<uint32_t>(elems - 1))"},
    {"product rounds below 0 as above",
     "every_product",
     {"cortex-m0plus", "cortex-m3", "cortex-m4"},
     "((p >> 31) & g.below)",
     "0"},
    {"product rounds below 0 as above", "every_product", {"cortex-m55"}, "vdupq_n_s32(f.below)", "vdupq_n_s32(0)"},
    {"low part of a product is lost",
     "every_product",
     {"cortex-m0plus", "cortex-m3", "cortex-m4"},
     "((g.low * p) >> 14)",
     "0"},
    {"low part of a product is lost", "every_product", {"cortex-m55"}, "vaddq_s32(sum, low)", "sum"},
    {"sums of 16 bits overflow", "sums_at", kEachIsa, "kMostSummed = 256", "kMostSummed = 258"},
    {"a channel's sum keeps what was added to its elements",
     "sums_at",
     {"cortex-m0plus", "cortex-m3"},
     "(even >> 16) - 128 * pixels",
     "(even >> 16)"},
    {"odd channels sum the even ones", "sums_at", {"cortex-m4"}, "%1, %1, %2, ror #8", "%1, %1, %2"},
    {"last channel is not summed",
     "sums_at",
     {"cortex-m55"},
     "vctp16q(static_cast<uint32_t>(lanes))",
     "vctp16q(static_cast<uint32_t>(lanes - 1))"},
    {"smallest is taken for largest",
     "maxima",
     {"cortex-m0plus", "cortex-m3"},
     "most2 = larger(most2, x[2])",
     "most2 = smaller(most2, x[2])"},
    {"smallest is taken for largest of the last channels",
     "maxima",
     {"cortex-m0plus", "cortex-m3", "cortex-m4"},
     "most = larger(most, *x)",
     "most = smaller(most, *x)"},
    {"smallest is taken for largest", "maxima", {"cortex-m4"}, "select(bytes, most, b", "select(most, bytes, b"},
    {"the upper bound is taken for the largest",
     "maxima",
     {"cortex-m4"},
     "select(highest, most, m",
     "select(most, highest, m"},
    {"maxima are not bounded above", "maxima", {"cortex-m55"}, "vminq_s8(most, ", "vmaxq_s8(most, "},
    {"last channel has no largest",
     "maxima",
     {"cortex-m55"},
     "vctp8q(static_cast<uint32_t>(lanes))",
     "vctp8q(static_cast<uint32_t>(lanes - 1))"},
    {"right border reads on", "joined_rows", {"cortex-m4"}, "ix < 0 || ix >= s.in_w", "ix < 0 || ix > s.in_w"},
    {"right border of a row reads on",
     "padded_rows",
     {"cortex-m3", "cortex-m4", "cortex-m55"},
     "clamp(s.in_w - ix, first",
     "clamp(s.in_w - ix + 1, first"},
    {"gathered padding is 0", "joined_rows", {"cortex-m4"}, "fill_bytes(to, s.input_zero", "fill_bytes(to, 0"},
    {"padding of whole pixels is 0",
     "dilated_pixels",
     {"cortex-m3", "cortex-m4", "cortex-m55"},
     "fill_bytes(load.extra, s.input_zero",
     "fill_bytes(load.extra, 0"},
};

// On this machine, where no result need be wrong: the sanitizers have to see them.
const SourceFault kUndefinedBehaviour[] = {
    {"one input too many is read",
     "small",
     {"cortex-m0plus/size", "cortex-m3/size"},
     "k < ins; ++k",
     "k < ins + 1; ++k"},
    {"negative number is shifted",
     "shifts",
     {"cortex-m0plus/size", "cortex-m3/size"},
     "static_cast<uint32_t>(x) << n",
     "x << n"},
};

// How often `text` was there.
size_t replace_all(std::string& source, const std::string& text, const std::string& instead) {
  size_t count = 0;
  for (size_t at = source.find(text); at != std::string::npos; at = source.find(text, at + instead.size())) {
    source.replace(at, text.size(), instead);
    ++count;
  }
  return count;
}

// ---- in what is packed

struct PackingFault {
  const char* name;
  const char* noticed_by;
  bool bias, offset;  // what the kernel sums still hold
};

constexpr PackingFault kPackingFaults[] = {{"kernel_sum lacks the bias", "small", false, true},
                                           {"kernel_sum lacks the input offset", "small", true, false}};

const Node& node_named(const Program& p, const std::string& name) {
  const auto found = std::ranges::find(p.nodes, name, &Node::name);
  require(found != p.nodes.end(), "packing keeps the names of nodes");
  return *found;
}

std::vector<ValueId> sums_of(const Program& p, const Node& node) {
  std::vector<ValueId> ids;
  for (ValueId id : node.inputs)
    if (id != ValueId::none && p[id].is_constant() && p.type(id).elem == Elem::i32) ids.push_back(id);
  return ids;
}

// kernel_sum = bias - zero * (sum of weights), so either term alone follows from the bias.
template <class Sums>
void spoil(Sums&& sums, const Program& int8, const Node& node, const PackingFault& fault) {
  const std::vector<ValueId> biases = sums_of(int8, node_named(int8, node.name));
  for (size_t o = 0; o < sums.size(); ++o) {
    const int32_t bias = biases.empty() ? 0 : int8[biases[0]].constant->as<int32_t>()[o];
    const int32_t offset = sums[o] - bias;
    sums[o] = (fault.bias ? bias : 0) + (fault.offset ? offset : 0);
  }
}

// The stream with other sums in it.
std::shared_ptr<Tensor> spoiled_stream(const Program& int8, const Program& placed, const Node& node,
                                       const PackingFault& fault) {
  const target::StreamFormat& format = *target::stream_format(node.attrs.text("stream"));
  target::Matrix matrix = format.unpack_rows(placed[node.inputs[1]].constant->as<int32_t>().data(),
                                             node.attrs.integer("outs"), placed.type(node.inputs[0]).shape.back());
  spoil(matrix.sums, int8, node, fault);
  const std::vector<int32_t> words = format.pack_rows(matrix).words;
  return std::const_pointer_cast<Tensor>(make_tensor(Elem::i32, {static_cast<int64_t>(words.size())}, words));
}

// Spoils the sums of every linear; returns how many changed.
size_t spoil_sums(const Program& int8, Program& placed, const PackingFault& fault) {
  size_t changed = 0;
  for (const Node& node : placed.nodes)
    for (ValueId id : sums_of(placed, node)) {
      if (node.op->name != "linear") continue;
      std::shared_ptr<Tensor> constant;
      if (node.attrs.has("stream")) {
        constant = spoiled_stream(int8, placed, node, fault);
      } else {
        constant = std::make_shared<Tensor>(*placed[id].constant);
        spoil(constant->as<int32_t>(), int8, node, fault);
      }
      changed += *constant != *placed[id].constant ? 1 : 0;
      placed[id].type.shape = constant->shape;
      placed[id].constant = std::move(constant);
    }
  return changed;
}

// ---- one fault

// Plants the fault between compiling and emitting, or after; returns how often.
struct Plant {
  std::function<size_t(Entry&)> before = [](Entry&) { return size_t{0}; };
  std::function<size_t(std::string&)> after = [](std::string&) { return size_t{0}; };
};

struct Planted {
  std::string problem;  // why it could not be planted
  std::vector<Prepared> cases;
  Batch batch;  // of these cases
};

Planted planted(std::vector<Prepared> cases, const std::string& cpu, const Plant& plant) {
  std::vector<Failure> failures;
  Planted result{"", std::move(cases), {}};
  const size_t slash = cpu.find('/');
  const auto prefer = slash != std::string::npos ? target::Prefer::size : target::Prefer::speed;
  result.batch =
      compile_all(result.cases, *target::find_target(cpu.substr(0, slash)), {.prefer = prefer}, failures);
  size_t places = 0;
  for (Entry& entry : result.batch.entries) places += plant.before(entry);
  emit_all(result.batch);
  for (TextFile& file : result.batch.files) places += plant.after(file.contents);
  if (places == 0) result.problem = "there is no place for it";
  if (!failures.empty()) result.problem = "the cases fail without it";
  return result;
}

// Why the fault went unnoticed by the results; nullopt if it did not.
std::optional<std::string> unnoticed(const Planted& fault) {
  if (!fault.problem.empty()) return fault.problem;
  const std::vector<Failure> failures = on_board(fault.batch, {.flags = {"-w"}});
  for (const Failure& failure : failures)
    if (failure.test == nullptr) return "the image does not run: " + failure.what;
  if (failures.empty()) return "no case notices";
  return std::nullopt;
}

std::optional<std::string> unseen_by_sanitizers(const Planted& fault) {
  if (!fault.problem.empty()) return fault.problem;
  for (const Failure& failure : on_host(fault.batch))
    if (failure.what.find("Sanitizer") != std::string::npos || failure.what.find("runtime error") != std::string::npos)
      return std::nullopt;
  return "the sanitizers see nothing";
}

std::vector<Prepared> cases_named(const std::vector<Prepared>& cases, const std::string& prefix) {
  std::vector<Prepared> named;
  std::ranges::copy_if(cases, std::back_inserter(named),
                       [&](const Prepared& p) { return p.test.name.starts_with(prefix); });
  return named;
}

void count(PlantedResult& result, const char* fault, const std::string& cpu, const std::optional<std::string>& why) {
  if (why) {
    result.failures.push_back(fmt::format("{}, {}: {}", fault, cpu, *why));
  } else {
    ++result.noticed;
  }
}

Plant in_source(const SourceFault& fault) {
  return {.after = [&fault](std::string& source) { return replace_all(source, fault.text, fault.instead); }};
}

Plant in_packing(const PackingFault& fault) {
  return {
      .before = [&fault](Entry& entry) { return spoil_sums(entry.prepared->program, entry.compiled.program, fault); }};
}

}  // namespace

PlantedResult run_planted_faults(const std::vector<Prepared>& cases) {
  PlantedResult result;
  for (const SourceFault& fault : kSourceFaults)
    for (const std::string& cpu : fault.cpus)
      count(result, fault.name, cpu, unnoticed(planted(cases_named(cases, fault.noticed_by), cpu, in_source(fault))));
  for (const SourceFault& fault : kUndefinedBehaviour)
    for (const std::string& cpu : fault.cpus)
      count(result, fault.name, cpu,
            unseen_by_sanitizers(planted(cases_named(cases, fault.noticed_by), cpu, in_source(fault))));
  for (const PackingFault& fault : kPackingFaults)
    for (const std::string& cpu : kEachIsa)
      count(result, fault.name, cpu, unnoticed(planted(cases_named(cases, fault.noticed_by), cpu, in_packing(fault))));
  return result;
}

}  // namespace fold8::f8
