"""What the scripts that record .torch.f8 files share: seeded data, the text form, quantize/dequantize as PyTorch has
them, and the integer answer (docs/arithmetic.md, profile tflite) to hold PyTorch's against.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  registers torch.ops.quantized_decomposed

OPS = Path(__file__).resolve().parents[2] / "src/ops"
Q = torch.ops.quantized_decomposed
INF = math.inf
RELU = (0.0, INF)


# ---------------------------------------------------------------- data
def f32(v):
    return float(np.float32(v))


def seed(s, n, lo=-128, hi=127):
    """The `seed(s, lo, hi)` of the text form: a splitmix64 step per element."""
    z = (np.uint64(s) << np.uint64(32)) + np.arange(1, n + 1, dtype=np.uint64)
    z *= np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(32)).astype(np.int64) % (hi - lo + 1) + lo


@dataclass
class Data:
    """Integers with the text that stands for them: a literal when short, a seed otherwise."""
    values: np.ndarray
    text: str

    @staticmethod
    def seeded(s, n, lo, hi, brackets="{}"):
        values = seed(s, n, lo, hi)
        if n <= 6:
            return Data.literal(values, brackets)
        return Data(values, f"seed({s})" if (lo, hi) == (-128, 127) else f"seed({s}, {lo}, {hi})")

    @staticmethod
    def literal(values, brackets="{}"):
        values = np.asarray(values, np.int64)
        return Data(values, brackets[0] + " ".join(map(str, values)) + brackets[1])


# ---------------------------------------------------------------- text
def hexf(v):
    """float.hex() without the trailing zeros of its mantissa."""
    if math.isinf(v):
        return "inf" if v > 0 else "-inf"
    head, exponent = v.hex().split("p")
    return (head.rstrip("0").rstrip(".") if "." in head else head) + "p" + exponent


def dims(shape):
    return "[" + ",".join(map(str, shape)) + "]"


def scale_text(scales, per_channel):
    return f"scale={{{' '.join(map(hexf, scales))}}} axis=0" if per_channel else f"scale={hexf(scales[0])}"


def zero_label(zero):
    return f"z{'m' if zero < 0 else ''}{abs(zero)}"


def run_text(inputs, outputs):
    return f"; run: {inputs} ~= [{' '.join(map(str, outputs.flatten().tolist()))}]"


# ---------------------------------------------------------------- PyTorch
def quantize(x, scale, zero):
    return Q.quantize_per_tensor(x, scale, zero, -128, 127, torch.int8)


def dequantize(q, scale, zero):
    """Dequantized activations; quantizing them again gives the same integers."""
    x = Q.dequantize_per_tensor(q, scale, zero, -128, 127, torch.int8)
    assert torch.equal(quantize(x, scale, zero), q)
    return x


def dequantize_constant(values, shape, scales, dtype, per_channel):
    """Weights and biases: symmetric, per tensor or along axis 0."""
    t = torch.tensor(values, dtype=dtype).reshape(shape)
    lo, hi = torch.iinfo(dtype).min, torch.iinfo(dtype).max
    if per_channel:
        s = torch.tensor(scales, dtype=torch.float32)
        return Q.dequantize_per_channel(t, s, torch.zeros(len(scales), dtype=torch.int64), 0, lo, hi, dtype)
    return Q.dequantize_per_tensor(t, scales[0], 0, lo, hi, dtype)


def clamped(y, bounds):
    if bounds == RELU:
        return torch.relu(y)
    return y if bounds is None else torch.clamp(y, *(None if math.isinf(v) else v for v in bounds))


def output_qparams(y, headroom=0.96, zero=None):
    """Scale and zero point for reals `y`. headroom: output range / calibrated range: below 1 the extremes saturate."""
    lo, hi = (min(0.0, float(y.min())) * headroom, max(0.0, float(y.max())) * headroom)
    scale = f32(max(hi - lo, 1e-3) / 255)
    return scale, int(min(max(-128 - round(lo / scale), -128), 127)) if zero is None else zero


# ---------------------------------------------------------------- integers
def rescaled(acc, effective):
    """acc * effective as the kernels round it, twice."""
    m, e = math.frexp(effective)
    m = round(m * 2**31)
    m, e = (m // 2, e + 1) if m == 2**31 else (m, e)
    m, e = (0, 0) if e < -31 else (m, e)
    v = (acc * 2 ** max(e, 0) * m + 2**30) >> 31
    r = max(-e, 0)
    half = (1 << r) >> 1
    return np.where(v >= 0, (v + half) >> r, -((-v + half) >> r))


def requantized(acc, effectives, axis, scale, zero, bounds):
    """int64 accumulators -> int8 values; channel o along `axis` has effectives[o] (or the only one)."""
    y = np.moveaxis(np.empty_like(acc), axis, 0)
    for o, channel in enumerate(np.moveaxis(acc, axis, 0)):
        y[o] = rescaled(channel, effectives[o if len(effectives) > 1 else 0])
    lo, hi = (-128, 127)
    if bounds:
        lo, hi = (min(max(round(v / scale) + zero, -128), 127) if math.isfinite(v) else d
                  for v, d in zip(bounds, (lo, hi)))
    return np.clip(np.moveaxis(y, 0, axis) + zero, lo, hi)


def steps_off(name, integers, y):
    """How many of PyTorch's values are one step off the integer answer; more than one step is refused."""
    d = np.abs(integers.astype(int) - y.numpy().astype(int))
    assert d.max() <= 1, f"{name}: {d.max()} steps"
    return int((d != 0).sum())


# ---------------------------------------------------------------- file
def write(target, script, cases, record):
    """record(case, number) -> its text, the outputs, and how many are one step off the integer answer."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    version = torch.__version__.split("+")[0]
    text = f"; Recorded by tests/vectors/{Path(script).name} with PyTorch {version}. Do not edit.\n"
    count = total = off_total = saturated = 0
    for number, case in enumerate(cases, 1):
        body, got, off = record(case, number)
        text += "\n" + body
        count, total, off_total = count + 1, total + got.size, off_total + off
        saturated += int(((got == -128) | (got == 127)).sum())
    target.write_text(text)
    print(f"{target.name}: {count} cases, {len(text)} bytes, {total} outputs, {saturated} at -128 or 127, "
          f"{off_total} one step off the integer answer")
