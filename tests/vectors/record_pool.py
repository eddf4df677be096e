"""Records the .torch.f8 files of avg_pool, max_pool, mean, softmax and batch_norm as PyTorch's graph computes them.

    pip install torch==2.13.0 numpy
    python tests/vectors/record_pool.py

As record_linear.py: seeded inputs, outputs of float32 PyTorch, and no case that is more than one step off the integer
answer (docs/arithmetic.md). Inputs and outputs are NCHW. PyTorch rounds ties to even, fold8 away from zero; averages
that keep their parameters tie often, so the script prints how many of the values one step off were ties.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from f8 import (OPS, RELU, Data, clamped, dequantize, dequantize_constant, dims, f32, hexf, output_qparams, quantize,
                rescaled, run_text, scale_text, steps_off, write)

TIES = {"ties": 0, "off": 0}


def program(name, x_shape, x_scale, x_zero, body, y, y_shape, y_scale, y_zero):
    """The case's text; `body` turns %x_dq into `y`, in reals."""
    lines = [f"in %x : f32{dims(x_shape)}",
             f"%x_q = quantize %x : q8{dims(x_shape)} scale={hexf(x_scale)} zero={x_zero}",
             f"%x_dq = dequantize %x_q : f32{dims(x_shape)}"]
    lines += body + [f"%y_q = quantize {y} : q8{dims(y_shape)} scale={hexf(y_scale)} zero={y_zero}",
                     f"%y = dequantize %y_q : f32{dims(y_shape)}", "out %y"]
    return "\n".join(["; test: " + name, "program form=torch {"] + ["  " + line for line in lines] + ["}"]) + "\n"


def by(sizes):
    return "x".join(map(str, sizes))


def noise(number, shape):
    data = Data.seeded(number * 10, math.prod(shape), -128, 127, "[]")
    return data, torch.tensor(data.values, dtype=torch.int8).reshape(shape)


def averaged(sums, count, scale_ratio, up):
    """R(sum * 2^up), R = scale_ratio / count * 2^-up"""
    return rescaled(sums * 2**up, scale_ratio / count * 2.0**-up)


def headroom(n, scale):
    return max(0, min(23 - (n - 1).bit_length(), 31 + math.frexp(scale)[1]))


def clipped(y, scale, zero, relu):
    return np.clip(y, zero if relu else -128, 127)


# ---------------------------------------------------------------- pools
@dataclass
class Pool:
    x: tuple
    kernel: tuple = None
    stride: tuple = None
    pad: tuple = (0, 0)
    ceil: bool = False
    dilation: tuple = (1, 1)
    include: bool = True
    divisor: int = None
    out: tuple = None                # adaptive
    zero: int = -128
    same: bool = True                # the result keeps the operand's parameters
    relu: bool = False
    kind: str = "avg"

    @property
    def name(self):
        words = [self.kind + "_pool", by(self.x)]
        for letter, sizes, plain in [("out", self.out, None), ("k", self.kernel, None), ("s", self.stride, None),
                                     ("p", self.pad, (0, 0)), ("d", self.dilation, (1, 1))]:
            words += [letter + by(sizes)] if sizes != plain else []
        words += ["ceil"] * self.ceil + ["exclude"] * (self.kind == "avg" and not self.include and not self.out)
        words += [f"divisor{self.divisor}"] * bool(self.divisor)
        words += ["z" + str(self.zero).replace("-", "m")] + ["other"] * (not self.same) + ["relu"] * self.relu
        return "_".join(words)

    def torch(self, x):
        if self.out:
            pool = functional.adaptive_avg_pool2d if self.kind == "avg" else functional.adaptive_max_pool2d
            return pool(x, self.out)
        if self.kind == "avg":
            return functional.avg_pool2d(x, self.kernel, self.stride, self.pad, self.ceil, self.include, self.divisor)
        return functional.max_pool2d(x, self.kernel, self.stride, self.pad, self.dilation, self.ceil)

    def windows(self, axis, out):
        """(taps in the image, elements that count) of each window, by PyTorch's rules."""
        size = self.x[2 + axis]
        for i in range(out):
            if self.out:
                taps = range(i * size // out, -(-(i + 1) * size // out))
                yield taps, len(taps)
                continue
            start = i * (self.stride or self.kernel)[axis] - self.pad[axis]
            taps = range(start, start + self.kernel[axis] * self.dilation[axis], self.dilation[axis])
            inside = [t for t in taps if 0 <= t < size]
            yield inside, len([t for t in taps if t < size + self.pad[axis]]) if self.include else len(inside)

    def attributes(self, y_shape):
        if self.out:
            words = [f"out={dims(self.out)}"]
        else:
            stride = self.stride or self.kernel
            reach = [(o - 1) * s + d * (k - 1) + 1 - n - 2 * p for o, s, d, k, n, p
                     in zip(y_shape[2:], stride, self.dilation, self.kernel, self.x[2:], self.pad)]
            pad = [p for p in self.pad for _ in range(2)]
            words = [f"kernel={dims(self.kernel)} stride={dims(stride)} pad={dims(pad)}"]
            words += [f"dilation={dims(self.dilation)}"] * (self.dilation != (1, 1))
            words += [f"overhang={dims([max(r, 0) for r in reach])}"] * any(r > 0 for r in reach)
        if self.kind == "avg":
            words += [f"count_include_pad={int(self.include)}"] + [f"divisor={self.divisor}"] * bool(self.divisor)
        return " ".join(words)


def pool_answer(case, x_q, sx, sy, zy, y_shape):
    x = x_q.numpy().astype(np.int64)
    y = np.zeros(y_shape, np.int64)
    rows, columns = (list(case.windows(i, y_shape[2 + i])) for i in range(2))
    most = max(r[1] for r in rows) * max(c[1] for c in columns)
    up = headroom(most, sx / sy / (case.divisor or most))
    ties = 0
    for (i, (r, r_count)), (j, (c, c_count)) in itertools.product(enumerate(rows), enumerate(columns)):
        window = x[:, :, r][:, :, :, c].reshape(*x.shape[:2], -1)
        count = r_count * c_count
        if case.kind == "max":
            y[:, :, i, j] = window.max(-1)
        elif case.same and not case.divisor:
            sums = window.sum(-1) + case.zero * (count - window.shape[-1])
            y[:, :, i, j] = np.sign(sums) * ((2 * np.abs(sums) + count) // (2 * count))
            ties += int((2 * sums % (2 * count) == count).sum())
        else:
            y[:, :, i, j] = zy + averaged((window - case.zero).sum(-1), case.divisor or count, sx / sy, up)
    return clipped(y, sy, zy, case.relu), ties


def record_pool(case, number):
    rng = np.random.default_rng(number)
    data, x_q = noise(number, case.x)
    sx = f32(rng.uniform(0.01, 0.05))
    y = clamped(case.torch(dequantize(x_q, sx, case.zero)), RELU if case.relu else None)
    sy, zy = (sx, case.zero) if case.same else output_qparams(y)
    y_q = quantize(y, sy, zy)
    answer, ties = pool_answer(case, x_q, sx, sy, zy, y.shape)
    off = steps_off(case.name, answer, y_q)
    if case.kind == "avg" and case.same and not case.divisor:
        TIES["ties"] += ties
        TIES["off"] += off
    body = [f"%p = {case.kind}_pool %x_dq {case.attributes(y.shape)} : f32{dims(y.shape)}"]
    body += [f"%act = clamp %p max=inf min=0x0p+0 : f32{dims(y.shape)}"] * case.relu
    text = program(case.name, case.x, sx, case.zero, body, "%act" if case.relu else "%p", y.shape, sy, zy)
    return text + run_text(data.text, y_q) + "\n", y_q.flatten().numpy(), off


ZEROS = itertools.cycle([-128, 0, 127, -7])


def window_cases(kind):
    for x, kernel, stride, pad in [
            ((1, 1, 4, 4), (2, 2), None, (0, 0)), ((1, 3, 5, 6), (2, 2), None, (0, 0)),
            ((1, 4, 5, 6), (2, 2), (1, 1), (0, 0)), ((1, 5, 6, 5), (3, 3), (1, 1), (1, 1)),
            ((1, 8, 7, 7), (3, 3), (2, 2), (1, 1)), ((1, 2, 9, 4), (5, 2), (2, 1), (2, 1)),
            ((1, 7, 1, 9), (1, 3), (1, 2), (0, 1)), ((1, 2, 9, 1), (4, 1), (3, 1), (2, 0)),
            ((2, 3, 4, 3), (2, 3), (2, 1), (1, 1)), ((1, 16, 4, 4), (2, 2), None, (0, 0)),
            ((1, 17, 3, 4), (3, 2), (1, 2), (0, 1)), ((1, 33, 3, 3), (3, 3), None, (0, 0)),
            ((1, 31, 2, 2), (2, 2), (1, 1), (1, 1)), ((3, 1, 5, 5), (5, 5), None, (0, 0)),
            ((1, 2, 3, 3), (1, 1), (2, 2), (0, 0))]:
        yield Pool(x, kernel, stride, pad, kind=kind, zero=next(ZEROS))
    for x, kernel, stride, pad in [
            ((1, 3, 6, 7), (2, 2), None, (0, 0)), ((1, 2, 7, 6), (3, 3), (2, 2), (0, 0)),
            ((1, 3, 6, 6), (3, 3), (2, 2), (1, 1)), ((1, 2, 5, 7), (2, 2), (3, 3), (1, 1)),
            ((1, 3, 4, 9), (4, 4), (3, 4), (2, 2)), ((1, 1, 2, 2), (3, 3), (2, 2), (0, 0))]:
        yield Pool(x, kernel, stride, pad, True, kind=kind, zero=next(ZEROS))
    for x, out in [((1, 3, 5, 7), (2, 3)), ((1, 2, 4, 3), (6, 5)), ((2, 3, 5, 4), (1, 3)), ((1, 5, 7, 7), (3, 7))]:
        yield Pool(x, out=out, kind=kind, include=False, zero=next(ZEROS))


def avg_cases():
    for case in window_cases("avg"):
        yield case
        padded = any(case.pad) and not case.out
        if padded:
            yield Pool(**{**case.__dict__, "include": False, "zero": next(ZEROS)})
        yield Pool(**{**case.__dict__, "same": False, "include": not padded or next(ZEROS) > 0, "zero": next(ZEROS)})
    yield Pool((1, 2, 5, 5), (3, 3), (1, 1), (1, 1), divisor=4, zero=-7)
    yield Pool((1, 2, 5, 5), (3, 3), (2, 2), (1, 1), True, divisor=20, zero=3, same=False)
    for count in [(7, 7), (8, 8), (25, 5), (13, 17)]:
        yield Pool((1, 9, *count), count, zero=next(ZEROS))
        yield Pool((1, 9, *count), count, zero=next(ZEROS), same=False)
    yield Pool((1, 3, 4, 4), (2, 2), zero=0, same=False, relu=True)


def max_cases():
    yield from window_cases("max")
    yield Pool((1, 3, 7, 8), (2, 2), (1, 1), dilation=(2, 3), kind="max", zero=0)
    yield Pool((1, 2, 9, 9), (3, 3), (2, 2), (1, 1), True, (2, 2), kind="max", zero=-7)
    yield Pool((1, 4, 4, 6), (2, 3), (2, 2), (1, 0), dilation=(1, 2), kind="max", zero=127)
    yield Pool((1, 4, 4, 6), (2, 2), kind="max", zero=3, relu=True)


# ---------------------------------------------------------------- mean
@dataclass
class Mean:
    x: tuple
    over: tuple
    keep: bool
    zero: int = -128
    same: bool = False

    @property
    def name(self):
        words = ["mean", by(self.x), "over" + "_".join(map(str, self.over))]
        return "_".join(words + ["keep"] * self.keep + ["same"] * self.same + ["z" + str(self.zero).replace("-", "m")])


def mean_cases():
    flags = itertools.cycle([(False, False), (True, False), (False, True)])
    for x, over in [
            ((7,), (0,)), ((2, 5), (1,)), ((3, 16), (0,)), ((2, 3, 4), (1,)),
            ((2, 3, 4), (0, 2)), ((2, 6, 33), (2,)), ((2, 33, 3), (1,)), ((2, 3, 4, 5), (1,)),
            ((2, 3, 4, 5), (3,)), ((2, 3, 4, 5), (0, 2)), ((2, 3, 4, 5), (1, 3)), ((1, 3, 1, 20), (1, 2, 3)),
            ((2, 3, 2, 3, 2), (0, 2, 4)), ((2, 3, 2, 3, 2), (1, 3)), ((1, 1000), (1,)), ((64, 3), (0,))]:
        for _ in range(2):
            keep, same = next(flags)
            yield Mean(x, over, keep, next(ZEROS), same)


def record_mean(case, number):
    rng = np.random.default_rng(number)
    data, x_q = noise(number, case.x)
    sx = f32(rng.uniform(0.01, 0.05))
    y = dequantize(x_q, sx, case.zero).mean(case.over, keepdim=case.keep)
    sy, zy = (sx, case.zero) if case.same else output_qparams(y)
    y_q = quantize(y, sy, zy)
    n = math.prod(case.x[d] for d in case.over)
    sums = (x_q.numpy().astype(np.int64) - case.zero).sum(case.over, keepdims=case.keep)
    answer = np.clip(zy + averaged(sums, n, sx / sy, headroom(n, sx / sy / n)), -128, 127)
    body = [f"%m = mean %x_dq dims={dims(case.over)} keepdim={int(case.keep)} : f32{dims(y.shape)}"]
    text = program(case.name, case.x, sx, case.zero, body, "%m", y.shape, sy, zy)
    return text + run_text(data.text, y_q) + "\n", y_q.flatten().numpy(), steps_off(case.name, answer, y_q)


# ---------------------------------------------------------------- softmax
@dataclass
class Softmax:
    x: tuple
    dim: int
    sx: float
    sy: float = 1 / 256
    zy: int = -128
    zero: int = 0

    @property
    def name(self):
        return f"softmax_{by(self.x)}_dim{self.dim}_{self.sx:g}_{self.sy:g}".replace(".", "p").replace("-", "m")


def softmax_cases():
    for x, dim in [
            ((1, 2), 1), ((2, 3), 1), ((2, 10), 1), ((3, 12), 1), ((2, 33), 1),
            ((1, 100), 1), ((5, 4), 0), ((2, 3, 4), 1), ((2, 2, 3, 5), 2), ((3,), 0)]:
        for sx in [1 / 512, 0.03, 0.11, 0.5, 8]:
            yield Softmax(x, dim, f32(sx), zero=next(ZEROS))
    yield Softmax((2, 10), 1, f32(0.07), f32(0.0039196), -128)
    yield Softmax((2, 10), 1, f32(0.07), f32(0.02), -100)
    yield Softmax((1, 200), 1, f32(0.02), f32(0.0002), -128)
    yield Softmax((1, 300), 1, f32(0.09))


def softmax_answer(case, x):
    n = case.x[case.dim]
    error = lambda top: 0.5 * (n + 1) / top / case.sy
    top = 32767 if error(32767) <= 1 / 16 else min((2**32 - 1) // n, 2**30)
    table = np.floor(top * np.exp(-case.sx * np.arange(256)) + 0.5).astype(np.int64)
    t = table[x.max(case.dim, keepdims=True) - x]
    sums = t.sum(case.dim, keepdims=True)
    up = 32 - np.array([int(s).bit_length() for s in sums.flatten()]).reshape(sums.shape)
    q = (2**32 - 1) // (((sums << up) + 2**15) >> 16)
    m, e = math.frexp(1 / case.sy)
    m = (q * 2**14 * round(m * 2**31) + 2**30) >> 31
    v = (t * 2 ** np.maximum(up + e - 31, 0) * m + 2**30) >> 31
    right = np.maximum(31 - up - e, 0)
    return np.clip(case.zy + ((v + ((1 << right) >> 1)) >> right), -128, 127)


def record_softmax(case, number):
    data, x_q = noise(number, case.x)
    y = functional.softmax(dequantize(x_q, case.sx, case.zero), case.dim)
    y_q = quantize(y, case.sy, case.zy)
    off = steps_off(case.name, softmax_answer(case, x_q.numpy().astype(np.int64)), y_q)
    body = [f"%s = softmax %x_dq dim={case.dim} : f32{dims(y.shape)}"]
    text = program(case.name, case.x, case.sx, case.zero, body, "%s", y.shape, case.sy, case.zy)
    return text + run_text(data.text, y_q) + "\n", y_q.flatten().numpy(), off


# ---------------------------------------------------------------- batch norm
@dataclass
class BatchNorm:
    name: str
    x: tuple
    w: tuple
    bias: bool
    affine: bool
    relu: bool
    per_channel: bool = True


def batch_norm_cases():
    for i, (affine, relu, bias, per_channel) in enumerate(
            [(True, True, True, True), (True, False, False, True), (False, True, True, False)]):
        yield BatchNorm(f"batch_norm_linear_{i + 1}", (3, 12), (7, 12), bias, affine, relu, per_channel)
        yield BatchNorm(f"batch_norm_conv2d_{i + 1}", (1, 3, 5, 4), (6, 3, 3, 3), bias, affine, relu, per_channel)


def record_batch_norm(case, number):
    rng = np.random.default_rng(number)
    data, x_q = noise(number, case.x)
    outs, short = case.w[0], lambda lo, hi: np.float32(rng.integers(lo, hi, outs) / 64)  # few digits in the text
    sx, zx = f32(rng.uniform(0.01, 0.05)), -11
    w = Data.seeded(number * 10 + 1, math.prod(case.w), -127, 127)
    sw = [int(rng.integers(16, 64)) / 2**13 for _ in range(outs)] if case.per_channel else [f32(0.004)]
    b, gamma, beta, mean, var = short(-90, 90), short(-100, 100), short(-90, 90), short(-90, 90), short(20, 120)
    weights = dequantize_constant(w.values, case.w, sw, torch.int8, case.per_channel)
    bias = torch.tensor(b) if case.bias else None
    x = dequantize(x_q, sx, zx)
    linear = len(case.w) == 2
    z = functional.linear(x, weights, bias) if linear else functional.conv2d(x, weights, bias, padding=1)
    tensors = [torch.tensor(v) for v in (mean, var)] + [torch.tensor(v) if case.affine else None for v in (gamma, beta)]
    y = clamped(functional.batch_norm(z, *tensors, eps=1e-5), RELU if case.relu else None)
    sy, zy = output_qparams(y)
    y_q = quantize(y, sy, zy)

    floats = lambda v: "{" + " ".join(hexf(float(a)) for a in v) + "}"
    consts = [f"const %w : q8{dims(case.w)} {scale_text(sw, case.per_channel)} zero=0 = {w.text}",
              f"const %mean : f32[{outs}] = {floats(mean)}", f"const %var : f32[{outs}] = {floats(var)}"]
    consts += [f"const %b : f32[{outs}] = {floats(b)}"] * case.bias
    consts += [f"const %gamma : f32[{outs}] = {floats(gamma)}",
               f"const %beta : f32[{outs}] = {floats(beta)}"] * case.affine
    op = "linear" if linear else "conv2d"
    attrs = "" if linear else " dilation=[1,1] groups=1 pad=[1,1,1,1] stride=[1,1]"
    body = consts + [f"%w_dq = dequantize %w : f32{dims(case.w)}",
                     f"%z = {op} %x_dq, %w_dq{', %b' if case.bias else ''}{attrs} : f32{dims(y.shape)}",
                     f"%n = batch_norm %z, {'%gamma, %beta' if case.affine else '_, _'}, %mean, %var "
                     f"eps={hexf(1e-5)} : f32{dims(y.shape)}"]
    body += [f"%act = clamp %n max=inf min=0x0p+0 : f32{dims(y.shape)}"] * case.relu
    text = program(case.name, case.x, sx, zx, body, "%act" if case.relu else "%n", y.shape, sy, zy)
    return text + run_text(data.text, y_q) + "\n", y_q.flatten().numpy(), 0


if __name__ == "__main__":
    write(OPS / "avg_pool/avg_pool.torch.f8", __file__, avg_cases(), record_pool)
    print(f"  with kept parameters: {TIES['ties']} ties, {TIES['off']} values one step off")
    write(OPS / "max_pool/max_pool.torch.f8", __file__, max_cases(), record_pool)
    write(OPS / "mean/mean.torch.f8", __file__, mean_cases(), record_mean)
    write(OPS / "softmax/softmax.torch.f8", __file__, softmax_cases(), record_softmax)
    write(OPS / "batch_norm/batch_norm.torch.f8", __file__, batch_norm_cases(), record_batch_norm)
