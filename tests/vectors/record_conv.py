"""Records src/ops/conv2d/conv2d.torch.f8: convolutions as PyTorch's own quantize/dequantize graph computes them.

    pip install torch==2.13.0 numpy
    python tests/vectors/record_conv.py

As record_linear.py: seeded weights, biases and inputs, outputs of float32 PyTorch, and no case that is more than one step
off the integer answer. Inputs and outputs are NCHW.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from f8 import (INF, OPS, RELU, Data, clamped, dequantize, dequantize_constant, dims, f32, hexf, output_qparams, quantize,
                requantized, run_text, scale_text, seed, steps_off, write, zero_label)

TARGET = OPS / "conv2d/conv2d.torch.f8"
RELU6 = (0.0, 6.0)
NO_PAD = (0, 0, 0, 0)


# ---------------------------------------------------------------- cases
@dataclass
class Case:
    name: str
    x: tuple                         # [N,C,H,W], or [N,C,L] for conv1d
    outs: int
    kernel: tuple
    stride: tuple = (1, 1)
    pad: tuple = NO_PAD              # top, bottom, left, right
    dilation: tuple = (1, 1)
    groups: int = 1
    pad_op: str = ""                 # the padding is an op of its own: "float" without parameters, "same" with the input's,
                                     # "other" with others, so that it stays an op
    zero: int = 0                    # zero point of the input
    per_channel: bool = True
    clamp: tuple = None
    bias: bool = True
    headroom: float = 0.96
    out_zero: int = None             # forces the output's zero point
    note: str = ""


# zero point, per channel, clamp, bias: the rows hold every pair of values of any two axes but the clamps.
ROWS = [(-128, True, RELU, True), (0, False, None, True), (127, True, None, False), (0, True, RELU6, False),
        (127, False, RELU, True), (-128, False, None, False)]


def shapes():
    """name, input, outs, kernel, then what is not the default; each gets the next of ROWS, `rows` of them."""
    yield "1x1_pixels", (1, 5, 3, 4), 7, (1, 1), {"rows": 2}
    yield "1x1_one_byte", (1, 1, 1, 1), 1, (1, 1), {}
    yield "1x1_17_33", (1, 17, 1, 3), 33, (1, 1), {}
    yield "1x1_33_16", (1, 33, 3, 1), 16, (1, 1), {}
    yield "1x1_stride2", (1, 4, 5, 4), 8, (1, 1), {"stride": (2, 2)}
    yield "1x1_padded", (1, 2, 2, 3), 3, (1, 1), {"pad": (1, 1, 1, 1)}
    yield "1x1_batch2", (2, 9, 2, 3), 4, (1, 1), {}
    yield "1x3", (1, 3, 4, 6), 5, (1, 3), {"pad": (0, 0, 1, 1), "rows": 2}
    yield "3x1", (1, 4, 6, 3), 3, (3, 1), {"stride": (2, 1), "pad": (1, 1, 0, 0)}
    yield "2x2_stride2", (1, 8, 4, 6), 9, (2, 2), {"stride": (2, 2), "rows": 2}
    yield "2x2_same", (1, 1, 5, 4), 2, (2, 2), {"pad": (0, 1, 0, 1)}
    yield "3x3", (1, 3, 5, 6), 4, (3, 3), {"rows": 2}
    yield "3x3_same", (1, 2, 4, 5), 5, (3, 3), {"pad": (1, 1, 1, 1), "rows": 3}
    yield "3x3_stride2", (1, 3, 9, 7), 8, (3, 3), {"stride": (2, 2), "pad": (1, 1, 1, 1)}
    yield "3x3_stride2_after", (1, 3, 8, 6), 8, (3, 3), {"stride": (2, 2), "pad": (0, 1, 0, 1), "rows": 2}
    yield "3x3_stride3", (1, 7, 7, 8), 4, (3, 3), {"stride": (3, 3), "pad": (1, 1, 1, 1)}
    yield "3x3_stride21", (1, 4, 7, 4), 3, (3, 3), {"stride": (2, 1), "pad": (1, 1, 1, 1)}
    yield "3x3_dilation2", (1, 3, 6, 7), 4, (3, 3), {"dilation": (2, 2), "pad": (2, 2, 2, 2), "rows": 2}
    yield "3x3_dilation12", (1, 5, 5, 6), 2, (3, 3), {"dilation": (1, 2), "pad": (1, 0, 1, 2)}
    yield "3x3_batch2", (2, 4, 4, 3), 7, (3, 3), {"pad": (1, 1, 1, 1)}
    yield "3x3_16_17", (1, 16, 3, 3), 17, (3, 3), {"rows": 2}
    yield "3x3_wide_pad", (1, 1, 2, 2), 3, (3, 3), {"pad": (2, 2, 2, 2)}
    yield "3x3_window_of_padding", (1, 2, 3, 3), 4, (3, 3), {"pad": (3, 0, 0, 3), "stride": (2, 2)}
    yield "5x5", (1, 2, 6, 5), 3, (5, 5), {"pad": (2, 2, 2, 2), "rows": 2}
    yield "5x5_stride2", (1, 1, 9, 8), 8, (5, 5), {"stride": (2, 2), "pad": (1, 2, 1, 2)}
    yield "10x4_stride2", (1, 1, 9, 7), 8, (10, 4), {"stride": (2, 2), "pad": (4, 5, 1, 1), "rows": 2}
    yield "groups2", (1, 4, 4, 5), 6, (3, 3), {"groups": 2, "pad": (1, 1, 1, 1), "rows": 2}
    yield "groups4_1x1", (1, 8, 3, 3), 4, (1, 1), {"groups": 4}
    yield "groups2_uneven", (1, 6, 5, 3), 10, (2, 2), {"groups": 2, "stride": (2, 1)}
    yield "groups4_dilation2", (1, 8, 5, 5), 8, (3, 2), {"groups": 4, "dilation": (2, 2), "pad": (1, 1, 1, 1)}
    yield "depthwise", (1, 5, 4, 5), 5, (3, 3), {"groups": 5, "pad": (1, 1, 1, 1), "rows": 3}
    yield "depthwise_17", (1, 17, 3, 4), 17, (3, 3), {"groups": 17, "pad": (0, 1, 0, 1), "stride": (2, 2), "rows": 2}
    yield "depthwise_16_stride2", (1, 16, 5, 4), 16, (3, 3), {"groups": 16, "pad": (1, 1, 1, 1), "stride": (2, 2)}
    yield "depthwise_5x5_valid", (1, 3, 6, 7), 3, (5, 5), {"groups": 3}
    yield "depthwise_1x3", (1, 4, 3, 5), 4, (1, 3), {"groups": 4, "dilation": (1, 2), "pad": (0, 0, 2, 2)}
    yield "depthwise_batch2", (2, 8, 3, 3), 8, (3, 3), {"groups": 8, "pad": (1, 1, 1, 1), "stride": (2, 2)}
    yield "depthwise_times2", (1, 4, 4, 4), 8, (3, 3), {"groups": 4, "pad": (1, 0, 0, 1), "rows": 2}
    yield "depthwise_times3", (1, 3, 3, 5), 9, (2, 3), {"groups": 3, "pad": (0, 1, 1, 1), "stride": (2, 1)}
    yield "one_channel_times8", (1, 1, 4, 4), 8, (3, 3), {"pad": (1, 1, 1, 1), "stride": (2, 2)}
    for kind in ("float", "same", "other"):
        yield f"pad_op_{kind}", (1, 3, 4, 5), 4, (3, 3), {"pad": (1, 0, 2, 1), "pad_op": kind, "rows": 2}
    yield "pad_op_depthwise", (1, 4, 4, 4), 4, (3, 3), {"pad": (0, 1, 0, 1), "pad_op": "same", "groups": 4, "stride": (2, 2)}
    yield "conv1d", (1, 3, 9), 5, (3,), {"pad": (0, 0, 1, 1), "rows": 2}
    yield "conv1d_stride2", (2, 4, 8), 3, (4,), {"stride": (1, 2)}
    yield "conv1d_depthwise", (1, 6, 7), 6, (3,), {"groups": 6, "dilation": (1, 2), "pad": (0, 0, 2, 2)}


def cases():
    row = 0
    for name, x, outs, kernel, options in shapes():
        for _ in range(options.pop("rows", 1)):
            zero, per_channel, clamp, bias = ROWS[row % len(ROWS)]
            row += 1
            yield Case(label(name, zero, per_channel, clamp, bias), x, outs, kernel, zero=zero, per_channel=per_channel,
                       clamp=clamp, bias=bias, headroom=1.5 if clamp == RELU6 else 0.96, **options)
    yield Case("conv_relu_zero_inside", (1, 3, 4, 4), 4, (3, 3), zero=-3, clamp=RELU, out_zero=-60,
               note="relu's bound is not the type's: the output zero point is -60")
    yield Case("conv_clamp_above_only", (1, 3, 4, 4), 4, (3, 3), pad=(1, 1, 1, 1), zero=31, clamp=(-INF, 0.75), bias=False)


def label(name, zero, per_channel, clamp, bias):
    act = {None: [], RELU: ["relu"], RELU6: ["relu6"]}[clamp]
    return "_".join(["conv", name, zero_label(zero), "pc" if per_channel else "pt"] + act + ["nobias"] * (not bias))


# ---------------------------------------------------------------- one case
@dataclass
class Recorded:
    """What the text needs beside the case."""
    w: Data
    w_scale: list
    b: Data
    sx: float
    sp: float = 0.0                  # of the input's padded copy, where it has other parameters
    zp: int = 0
    sy: float = 0.0
    zy: int = 0

    def bias_scale(self):
        return [f32(self.sp * s) for s in self.w_scale]


def flat(case):
    return len(case.x) == 3


def image_shape(case):
    return (*case.x[:2], 1, case.x[2]) if flat(case) else case.x


def weight_shape(case):
    kernel = (1, *case.kernel) if flat(case) else case.kernel
    return case.outs, case.x[1] // case.groups, *kernel


def padded(case, x, value=0.0):
    top, bottom, left, right = case.pad
    return functional.pad(x, (left, right, top, bottom), value=value)


def convolved(case, x, w, b, dtype):
    """Of an image [N,C,H,W] that is already padded; conv1d for images that stand for a sequence."""
    x, w = x.to(dtype), w.to(dtype)
    b = None if b is None else b.to(dtype)
    if flat(case):
        return functional.conv1d(x[:, :, 0], w[:, :, 0], b, case.stride[1:], 0, case.dilation[1:], case.groups)
    return functional.conv2d(x, w, b, case.stride, 0, case.dilation, case.groups)


def forward(case, r, x_q):
    """The float32 result before the output's quantize."""
    x = padded(case, dequantize(x_q, r.sx, case.zero))
    if case.pad_op in ("same", "other"):
        x = dequantize(quantize(x, r.sp, r.zp), r.sp, r.zp)
    w = dequantize_constant(r.w.values, weight_shape(case), r.w_scale, torch.int8, case.per_channel)
    b = dequantize_constant(r.b.values, (case.outs,), r.bias_scale(), torch.int32, case.per_channel) if case.bias else None
    return clamped(convolved(case, x, w, b, torch.float32), case.clamp)


def padded_integers(case, r, x_q):
    """The padded image minus its zero point."""
    x = x_q.numpy().astype(np.int64) - case.zero
    if case.pad_op == "other":
        x = requantized(x, [r.sx / r.sp], 1, r.sp, r.zp, None) - r.zp
    return padded(case, torch.tensor(x))


def integer_answer(case, r, x_q):
    w = torch.tensor(r.w.values).reshape(weight_shape(case))
    b = torch.tensor(r.b.values) if case.bias else None
    acc = convolved(case, padded_integers(case, r, x_q), w, b, torch.float64).to(torch.int64).numpy()
    return requantized(acc, [r.sp * s / r.sy for s in r.w_scale], 1, r.sy, r.zy, case.clamp)


def record(case, number):
    """The case as text, its outputs, and how many are one step off the integer answer."""
    rng = np.random.default_rng(number)
    x = Data(seed(number * 10, math.prod(case.x)), f"seed({number * 10})")
    x_q = torch.tensor(x.values, dtype=torch.int8).reshape(image_shape(case))
    taps = math.prod(weight_shape(case)[1:])
    # Short mantissas keep the per-channel lists short; the bias scales sx * sw are full ones all the same.
    scales = [int(rng.integers(16, 64)) / 2**11 for _ in range(case.outs)] if case.per_channel else [f32(rng.uniform(0.008, 0.03))]
    bound = int(400 * math.sqrt(taps) * 16)
    r = Recorded(Data.seeded(number * 10 + 1, case.outs * taps, -127, 127), scales,
                 Data.seeded(number * 10 + 2, case.outs, -bound, bound), sx=f32(rng.uniform(0.01, 0.05)))
    r.sp, r.zp = (f32(r.sx * 1.3), 9) if case.pad_op == "other" else (r.sx, case.zero)
    y = forward(case, r, x_q)
    r.sy, r.zy = output_qparams(y, case.headroom, case.out_zero)
    y_q = quantize(y, r.sy, r.zy)
    off = steps_off(case.name, integer_answer(case, r, x_q), y_q)
    return program_text(case, r, y.shape) + run_text(x.text, y_q) + "\n", y_q.flatten().numpy(), off


# ---------------------------------------------------------------- text
def padding_lines(case, r):
    """The lines that pad, and the value they give."""
    if not case.pad_op:
        return [], "%x_dq"
    n, c, h, w = case.x
    shape = dims((n, c, h + sum(case.pad[:2]), w + sum(case.pad[2:])))
    lines = [f"%p = pad %x_dq pad={dims((0,) * 4 + case.pad)} value=0x0p+0 : f32{shape}"]
    if case.pad_op == "float":
        return lines, "%p"
    lines += [f"%p_q = quantize %p : q8{shape} scale={hexf(r.sp)} zero={r.zp}", f"%p_dq = dequantize %p_q : f32{shape}"]
    return lines, "%p_dq"


def conv_lines(case, r, x, y_shape):
    """The lines from the padded input's reals to the output's reals."""
    bias = ", %b_dq" if case.bias else ""
    pad = NO_PAD if case.pad_op else case.pad
    attrs = f"dilation={dims(case.dilation)} groups={case.groups} pad={dims(pad)} stride={dims(case.stride)}"
    if not flat(case):
        return [f"%conv = conv2d {x}, %w_dq{bias} {attrs} : f32{dims(y_shape)}"]
    image = dims((*y_shape[:2], 1, y_shape[2]))
    return [f"%row = reshape {x} shape={dims(image_shape(case))} : f32{dims(image_shape(case))}",
            f"%rows = conv2d %row, %w_dq{bias} {attrs} : f32{image}",
            f"%conv = reshape %rows shape={dims(y_shape)} : f32{dims(y_shape)}"]


def program_text(case, r, y_shape):
    x_shape, w_shape, y_shape = dims(case.x), dims(weight_shape(case)), tuple(y_shape)
    lines = [f"in %x : f32{x_shape}",
             f"const %w : q8{w_shape} {scale_text(r.w_scale, case.per_channel)} zero=0 = {r.w.text}"]
    if case.bias:
        lines.append(f"const %b : q32[{case.outs}] {scale_text(r.bias_scale(), case.per_channel)} zero=0 = {r.b.text}")
    lines += [f"%x_q = quantize %x : q8{x_shape} scale={hexf(r.sx)} zero={case.zero}", f"%x_dq = dequantize %x_q : f32{x_shape}"]
    pad_lines, x = padding_lines(case, r)
    lines += pad_lines + [f"%w_dq = dequantize %w : f32{w_shape}"]
    if case.bias:
        lines.append(f"%b_dq = dequantize %b : f32[{case.outs}]")
    lines += conv_lines(case, r, x, y_shape)
    act = "%conv"
    if case.clamp:
        act = "%act"
        lines.append(f"%act = clamp %conv max={hexf(case.clamp[1])} min={hexf(case.clamp[0])} : f32{dims(y_shape)}")
    lines += [f"%y_q = quantize {act} : q8{dims(y_shape)} scale={hexf(r.sy)} zero={r.zy}", f"%y = dequantize %y_q : f32{dims(y_shape)}",
              "out %y"]
    head = ["; test: " + case.name] + (["; " + case.note] if case.note else []) + ["program form=torch {"]
    return "\n".join(head + ["  " + line for line in lines] + ["}"]) + "\n"


if __name__ == "__main__":
    write(TARGET, __file__, cases(), record)
