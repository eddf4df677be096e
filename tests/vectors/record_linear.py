"""Records src/ops/linear/linear.torch.f8: linear as PyTorch's own quantize/dequantize graph computes it.

    pip install torch==2.13.0 numpy
    python tests/vectors/record_linear.py

Weights, biases and inputs are seeded; the expected outputs are float32 PyTorch, rounded by its quantize. Beside them the
script computes the integer answer and refuses to write a case that is more than one step off, so a case that fails in
fold8 is never a case whose float reference was too coarse.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from f8 import (INF, OPS, RELU, Data, clamped, dequantize, dequantize_constant, dims, f32, hexf, output_qparams, quantize,
                requantized, run_text, scale_text, steps_off, write, zero_label)

TARGET = OPS / "linear/linear.torch.f8"


# ---------------------------------------------------------------- cases
@dataclass
class Case:
    name: str
    shape: tuple                     # of the input; the last dimension is the features
    outs: list                       # features out, one per linear in a row
    zero: int = 0                    # zero point of the input
    per_channel: bool = False
    clamp: tuple = None              # (min, max) after each linear
    bias: bool = True
    small: bool = False              # inputs within 3 of the zero point
    headroom: float = 0.96           # output range / calibrated range: below 1 the extremes saturate
    out_zero: int = None             # forces the output's zero point
    dead: bool = False               # channel 0 with a scale so small that its products round away
    note: str = ""
    layers: list = field(default_factory=list)


def cases():
    shapes = [
        ("rank1_1_2", (1,), [2]),
        ("rank2_1_1", (1, 1), [1]),
        ("rank3_5_3", (4, 2, 5), [3]),
        ("rank4_16_32", (2, 1, 2, 16), [32]),
        ("rank5_4_3", (5, 2, 1, 2, 4), [3]),
        ("batch8_61_37", (8, 61), [37]),
        ("three_in_a_row", (2, 12), [17, 9, 5]),
        ("small_512_10", (1, 512), [10]),
    ]
    # zero point, per channel, relu, bias: the six rows hold every pair of values of any two axes.
    rows = [(-128, 1, 1, 1), (0, 0, 0, 1), (127, 1, 0, 0), (0, 1, 1, 0), (127, 0, 1, 1), (-128, 0, 0, 0)]
    for name, shape, outs in shapes:
        big = name == "batch8_61_37"
        for zero, per_channel, relu, bias in rows[:3] + rows[4:5] if big else rows:
            yield Case(label(name, zero, per_channel, relu, bias or big), shape, outs, zero, bool(per_channel),
                       RELU if relu else None, bool(bias or big), small=name.startswith("small"),
                       note="a lost bias or input offset shows: the inputs lie within 3 of the zero point"
                       if name.startswith("small") else "")
    yield Case("linear_relu6", (6, 24), [7], -12, True, (0.0, 6.0), headroom=2.0)
    yield Case("linear_relu6_saturates_first", (6, 24), [7], 5, False, (0.0, 6.0), headroom=0.5,
               note="the output's range ends below 6")
    yield Case("linear_clamp", (6, 24), [7], 33, True, (-1.5, 2.25), headroom=1.5)
    yield Case("linear_clamp_above_only", (6, 24), [7], -1, False, (-INF, 0.75), bias=False)
    yield Case("linear_relu_zero_inside", (6, 24), [7], 0, True, RELU, out_zero=-60,
               note="relu's bound is not the type's: the output zero point is -60")
    yield Case("linear_dead_channel", (3, 24), [4], -7, True, None, dead=True,
               note="channel 0: sx * sw / sy is below 2^-31")


def label(name, zero, per_channel, relu, bias):
    return "_".join(["linear", name, zero_label(zero), "pc" if per_channel else "pt"] + ["relu"] * relu + ["nobias"] * (not bias))


# ---------------------------------------------------------------- one case
@dataclass
class Layer:
    n: int
    k: int
    w: Data
    w_scale: list
    b: Data
    sx: float
    zx: int
    sy: float = 0.0
    zy: int = 0


def forward(case, layer, x_q):
    """The float32 result before the output's quantize."""
    w = dequantize_constant(layer.w.values, (layer.n, layer.k), layer.w_scale, torch.int8, case.per_channel)
    b = None
    if case.bias:
        scales = [f32(layer.sx * s) for s in layer.w_scale]
        b = dequantize_constant(layer.b.values, (layer.n,), scales, torch.int32, case.per_channel)
    return clamped(torch.nn.functional.linear(dequantize(x_q, layer.sx, layer.zx), w, b), case.clamp)


def integer_answer(case, layer, x_q):
    acc = (x_q.numpy().astype(np.int64) - layer.zx) @ layer.w.values.reshape(layer.n, layer.k).T
    if case.bias:
        acc = acc + layer.b.values
    return requantized(acc, [layer.sx * s / layer.sy for s in layer.w_scale], -1, layer.sy, layer.zy, case.clamp)


def record(case, number):
    """The case as text, and (outputs, outputs one step off the integer answer)."""
    rng = np.random.default_rng(number)
    rows = math.prod(case.shape[:-1])
    few = rows * case.outs[-1] <= 10
    lo, hi = (max(case.zero - 3, -128), min(case.zero + 3, 127)) if case.small else (-128, 127)
    runs = [Data.seeded(number * 10 + i, rows * case.shape[-1], lo, hi, "[]") for i in range(4 if few else 1)]
    at = [torch.tensor(r.values, dtype=torch.int8).reshape(case.shape) for r in runs]

    sx, zx, k = f32(rng.uniform(0.01, 0.05)), case.zero, case.shape[-1]
    answers = list(at)
    for i, n in enumerate(case.outs):
        # Short mantissas keep the per-channel lists short; the bias scales sx * sw are full ones all the same.
        scales = [int(rng.integers(16, 64)) / 2**11 for _ in range(n)] if case.per_channel else [f32(rng.uniform(0.008, 0.03))]
        bound = int((9 if case.small else 400) * math.sqrt(k) * 16)
        b = Data.seeded(number * 10 + 8 - i, n, -bound, bound)
        if case.dead:
            scales[0] = 2.0**-40
            b.values[0] = 193821440
            b = Data.literal(b.values)
        layer = Layer(n, k, Data.seeded(number * 10 + 5 - i, n * k, -127, 127), scales, b, sx, zx)
        floats = [forward(case, layer, a) for a in answers]
        layer.sy, layer.zy = output_qparams(torch.cat([f.flatten() for f in floats]), case.headroom, case.out_zero)
        case.layers.append(layer)
        answers = [quantize(f, layer.sy, layer.zy) for f in floats]
        sx, zx, k = layer.sy, layer.zy, n

    off = 0
    for a, y in zip(at, answers):
        for layer in case.layers:
            a = torch.tensor(integer_answer(case, layer, a), dtype=torch.int8)
        off += steps_off(case.name, a.numpy(), y)
    got = torch.cat([y.flatten() for y in answers]).numpy()
    expectations = [run_text(r.text, y) for r, y in zip(runs, answers)]
    return program_text(case) + "\n".join(expectations) + "\n", got, off


# ---------------------------------------------------------------- text
def program_text(case):
    def scale(values):
        return scale_text(values, case.per_channel)

    first, lead = case.layers[0], case.shape[:-1]
    consts, body = [], [
        f"%x_q = quantize %x : q8{dims(case.shape)} scale={hexf(first.sx)} zero={first.zx}",
        f"%x_dq = dequantize %x_q : f32{dims(case.shape)}",
    ]
    x = "%x"
    for i, c in enumerate(case.layers):
        s = str(i + 1) if len(case.layers) > 1 else ""
        y = "%y" if i + 1 == len(case.layers) else f"%h{s}"
        out = dims(lead + (c.n,))
        consts.append(f"const %w{s} : q8{dims((c.n, c.k))} {scale(c.w_scale)} zero=0 = {c.w.text}")
        body.append(f"%w{s}_dq = dequantize %w{s} : f32{dims((c.n, c.k))}")
        if case.bias:
            bias_scale = scale([f32(c.sx * v) for v in c.w_scale])
            consts.append(f"const %b{s} : q32{dims((c.n,))} {bias_scale} zero=0 = {c.b.text}")
            body.append(f"%b{s}_dq = dequantize %b{s} : f32{dims((c.n,))}")
        bias = f", %b{s}_dq" if case.bias else ""
        body.append(f"%fc{s} = linear {x}_dq, %w{s}_dq{bias} : f32{out}")
        act = f"%fc{s}"
        if case.clamp:
            act = f"%act{s}"
            body.append(f"{act} = clamp %fc{s} max={hexf(case.clamp[1])} min={hexf(case.clamp[0])} : f32{out}")
        last = y == "%y"
        body.append(f"{y}_q = quantize {act} : q8{out} scale={hexf(c.sy)} zero={c.zy}")
        body.append(f"{y if last else y + '_dq'} = dequantize {y}_q : f32{out}")
        x = y
    head = ["; test: " + case.name] + (["; " + case.note] if case.note else []) + ["program form=torch {"]
    lines = [f"in %x : f32{dims(case.shape)}"] + consts + body + ["out %y"]
    return "\n".join(head + ["  " + line for line in lines] + ["}"]) + "\n"


if __name__ == "__main__":
    write(TARGET, __file__, cases(), record)
