"""Records src/ops/lut/lut.torch.f8: every function of src/ops/lut/functions.h on all 256 inputs.

    pip install torch==2.13.0 numpy
    python tests/vectors/record_lut.py

The expected results are PyTorch's function in float64, divided by the scale and rounded once, half to even; a NaN
becomes the zero point. They must be met exactly.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from f8 import OPS, f32, hexf, write

SMALL, WIDE, POSITIVE = (f32(0.017), -20), (f32(0.071), 3), (f32(0.031), -128)
UNIT, SIGNED = (1 / 256, -128), (1 / 128, 0)


@dataclass
class Case:
    function: str
    torch_op: callable
    x: tuple = WIDE
    y: tuple = None  # scale and zero point; None: of the range of finite results
    numbers: dict = field(default_factory=dict)
    name: str = None


def cases():
    a = torch.ops.aten
    yield Case("sigmoid", torch.sigmoid, y=UNIT)
    yield Case("sigmoid", torch.sigmoid, x=(f32(0.4), 127), y=(f32(0.0041), -120), name="sigmoid_wide")
    yield Case("tanh", torch.tanh, y=SIGNED)
    yield Case("tanh", torch.tanh, x=SMALL, name="tanh_small")
    yield Case("hardsigmoid", F.hardsigmoid, y=UNIT)
    yield Case("hardswish", F.hardswish)
    yield Case("silu", F.silu)
    yield Case("silu", F.silu, x=(f32(8.0), 5), name="silu_far")
    yield Case("gelu", F.gelu, numbers={"approximate": 0.0})
    yield Case("gelu", lambda x: F.gelu(x, approximate="tanh"), numbers={"approximate": 1.0}, name="gelu_tanh")
    yield Case("gelu", F.gelu, x=SMALL, numbers={"approximate": 0.0}, name="gelu_small")
    yield Case("mish", F.mish)
    yield Case("mish", F.mish, x=(f32(5.0), -5), name="mish_far")
    elu = {"alpha": 1.0, "scale": 1.0, "input_scale": 1.0}
    yield Case("elu", F.elu, numbers=elu)
    yield Case("elu", lambda x: a.elu(x, 0.75, 1.25, 0.5), numbers={"alpha": 0.75, "scale": 1.25, "input_scale": 0.5},
               name="elu_numbers")
    yield Case("celu", F.celu, numbers={"alpha": 1.0})
    yield Case("celu", lambda x: F.celu(x, 2.5), numbers={"alpha": 2.5}, name="celu_alpha")
    yield Case("selu", F.selu)
    yield Case("leaky_relu", F.leaky_relu, numbers={"negative_slope": 0.01})
    yield Case("leaky_relu", lambda x: F.leaky_relu(x, -0.5), numbers={"negative_slope": -0.5}, name="leaky_relu_down")
    yield Case("softplus", F.softplus, numbers={"beta": 1.0, "threshold": 20.0})
    yield Case("softplus", lambda x: F.softplus(x, 3.0, 2.0), numbers={"beta": 3.0, "threshold": 2.0},
               name="softplus_threshold")
    yield Case("log_sigmoid", F.logsigmoid)
    yield Case("hardshrink", F.hardshrink, numbers={"lambd": 0.5})
    yield Case("softshrink", F.softshrink, numbers={"lambd": 0.5})
    yield Case("threshold", lambda x: F.threshold(x, 0.75, -2.0), numbers={"threshold": 0.75, "value": -2.0})
    yield Case("exp", torch.exp, x=SMALL)
    yield Case("exp2", torch.exp2, x=SMALL)
    yield Case("expm1", torch.expm1, x=SMALL)
    for log in ("log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal"):
        yield Case(log, getattr(torch, log), x=POSITIVE)
        yield Case(log, getattr(torch, log), x=SMALL, y=(f32(0.02), 10), name=f"{log}_of_negatives")
    for name in ("abs", "neg", "square", "sin", "cos", "tan", "atan", "sinh", "cosh", "asinh", "erf", "erfc", "floor",
                 "ceil", "round", "trunc", "frac"):
        yield Case(name, getattr(torch, name), x=WIDE)
    yield Case("round", torch.round, x=(0.25, 1), y=(1.0, 0), name="round_ties")
    yield Case("sign", torch.sign, y=SIGNED)
    for name in ("asin", "acos", "atanh"):
        yield Case(name, getattr(torch, name), x=(f32(0.0098), 0), y=(f32(0.02), -5))
    yield Case("acosh", torch.acosh, x=POSITIVE, y=(f32(0.01), -100))
    for exponent in (2.0, 3.0, 0.5, -1.5):
        yield Case("pow.Tensor_Scalar", lambda x, e=exponent: torch.pow(x, e), x=POSITIVE if exponent % 1 else WIDE,
                   numbers={"exponent": exponent}, name=f"pow_{exponent}".replace(".", "_").replace("-", "m"))


def qparams(reals):
    finite = reals[np.isfinite(reals)]
    lo, hi = min(0.0, float(finite.min())), max(0.0, float(finite.max()))
    scale = f32((hi - lo) / 255)
    return scale, int(np.clip(-128 - np.rint(lo / scale), -128, 127))


def record(case, _):
    scale, zero = case.x
    stored = np.arange(-128, 128)
    reals = case.torch_op(torch.tensor((stored - zero) * scale, dtype=torch.float64)).numpy()
    y_scale, y_zero = case.y or qparams(reals)
    with np.errstate(invalid="ignore"):
        y = np.clip(np.rint(reals / y_scale) + y_zero, -128, 127)
    y = np.where(np.isnan(reals), y_zero, y).astype(int)
    numbers = "".join(f" {k}={hexf(v)}" for k, v in sorted({**case.numbers}.items()))
    attributes = sorted([f'function="{case.function}"'] + numbers.split())
    lines = ["in %x : f32[256]", f"%x_q = quantize %x : q8[256] scale={hexf(scale)} zero={zero}",
             "%x_dq = dequantize %x_q : f32[256]", f"%r = lut %x_dq {' '.join(attributes)} : f32[256]",
             f"%y_q = quantize %r : q8[256] scale={hexf(y_scale)} zero={y_zero}", "%y = dequantize %y_q : f32[256]",
             "out %y"]
    name = case.name or case.function.split(".")[0]
    body = "\n".join([f"; test: {name}", "program form=torch {"] + ["  " + line for line in lines] + ["}"])
    return f"{body}\n; run: [-128..127] == [{' '.join(map(str, y))}]\n", y, 0


if __name__ == "__main__":
    write(OPS / "lut/lut.torch.f8", __file__, cases(), record)
