"""Records src/ops/scale_bias/scale_bias.torch.f8: float constants beside int8 activations, in PyTorch's own
quantize/dequantize graph.

    pip install torch==2.13.0 numpy
    python tests/vectors/record_scale_bias.py

Inputs are seeded; the expected outputs are float32 PyTorch, rounded by its quantize. Beside them the script computes
y = gain * x + shift in float64 and refuses to write a case that is more than one step off it.
"""

from dataclasses import dataclass

import numpy as np
import torch

from f8 import OPS, RELU, Data, clamped, dequantize, dims, f32, hexf, output_qparams, quantize, run_text, write

WIDE = [.02, .9, 3.1, 1.7, .6, 2.3, 40.0, .005]
RULES = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b}


@dataclass
class Step:
    """One node: the value so far and a constant, in this order or the other."""
    op: str
    shape: tuple
    values: list
    constant_first: bool = False


@dataclass
class Case:
    name: str
    shape: tuple
    steps: list
    zero: int = 0
    scale: float = 0.03
    clamp: tuple = None
    headroom: float = 0.96


def constants(rng, shape, spread):
    """Values of both signs whose magnitudes span 2^-spread to 2^spread."""
    count = int(np.prod(shape)) if shape else 1
    return [f32(s * 2.0 ** e) for s, e in zip(rng.choice([-1, 1], count), rng.uniform(-spread, spread, count))]


def cases():
    rng = np.random.default_rng(5)
    yield Case("standardize", (8, 6), [Step("mul", (6,), [f32(1 / np.float32(v)) for v in WIDE[:6]])])
    yield Case("sub_then_divide", (2, 8, 3), [Step("sub", (8, 1), constants(rng, (8, 1), 2)),
                                              Step("mul", (8, 1), [f32(1 / v) for v in WIDE])])
    shapes = [((3, 5), (5,)), ((3, 5), (3, 1)), ((3, 5), (3, 5)), ((1, 33), (33,)), ((2, 4, 3, 5), (4, 1, 1)),
              ((2, 4, 3, 5), (1, 1, 3, 1)), ((2, 4, 3, 5), (3, 5)), ((2, 4, 3, 5), (2, 1, 1, 5)), ((7,), ()),
              ((4, 1), (6,)), ((1, 3, 1), (2, 1, 4))]
    zeros = [-128, 0, 127, -3]
    for i, (shape, k) in enumerate(shapes):
        for op in RULES:
            values = constants(rng, k, 3)
            clamp = RELU if i % 3 == 1 else (-0.5, 1.25) if i % 3 == 2 else None
            yield Case(f"{op}_{i}", shape, [Step(op, k, values, constant_first=i % 2 == 1)], zeros[i % 4], clamp=clamp)
    for i in range(8):
        steps = [Step(op, k, constants(rng, k, 1), constant_first=bool(rng.integers(2)))
                 for op, k in zip(rng.choice(list(RULES), 4), [(5,), (3, 1), (), (3, 5)])]
        yield Case(f"chain_{i}", (2, 3, 5), steps, zeros[i % 4], clamp=RELU if i % 2 else None)
    for i, gain in enumerate([9.0, 60.0, 300.0, 5000.0]):
        yield Case(f"saturating_{i}", (4, 16), [Step("mul", (16,), [f32(gain * v) for v in constants(rng, (16,), 1)]),
                                                Step("add", (), [0.5])], headroom=0.96 / gain)


def record(case, number):
    x = Data.seeded(number, int(np.prod(case.shape)), -128, 127, "[]")
    scale = f32(case.scale)
    real = dequantize(torch.tensor(x.values.reshape(case.shape), dtype=torch.int8), scale, case.zero)
    exact = (x.values.reshape(case.shape).astype(np.float64) - case.zero) * scale
    lines = [f"in %x : f32{dims(case.shape)}"]
    body = [f"%xq = quantize %x : q8{dims(case.shape)} scale={hexf(scale)} zero={case.zero}",
            f"%v0 = dequantize %xq : f32{dims(case.shape)}"]
    for i, step in enumerate(case.steps):
        c = torch.tensor(step.values, dtype=torch.float32).reshape(step.shape)
        pair = [real, c] if not step.constant_first else [c, real]
        real = RULES[step.op](*pair)
        wide = [exact, c.numpy().astype(np.float64)]
        exact = RULES[step.op](*(wide if not step.constant_first else wide[::-1]))
        lines.append(f"const %c{i} : f32{dims(step.shape)} = {{{' '.join(map(hexf, step.values))}}}")
        names = [f"%v{i}", f"%c{i}"]
        body.append(f"%v{i + 1} = {step.op} {', '.join(names if not step.constant_first else names[::-1])}"
                    f" : f32{dims(real.shape)}")
    last = f"%v{len(case.steps)}"
    real = clamped(real, case.clamp)
    if case.clamp:
        body.append(f"%act = clamp {last} max={hexf(case.clamp[1])} min={hexf(case.clamp[0])} : f32{dims(real.shape)}")
        exact, last = np.clip(exact, *case.clamp), "%act"
    y_scale, zero = output_qparams(real, case.headroom)
    y = quantize(real, y_scale, zero)
    wanted = np.clip(np.rint(exact / y_scale) + zero, -128, 127)
    off = np.abs(wanted - y.numpy())
    assert off.max() <= 1, f"{case.name}: {off.max()} steps"
    body += [f"%yq = quantize {last} : q8{dims(real.shape)} scale={hexf(y_scale)} zero={zero}",
             f"%y = dequantize %yq : f32{dims(real.shape)}", "out %y"]
    text = "\n".join([f"; test: {case.name}", "program form=torch {"] + ["  " + line for line in lines + body] + ["}"])
    return f"{text}\n{run_text(x.text, y)}\n", y.numpy().flatten(), int((off != 0).sum())


if __name__ == "__main__":
    write(OPS / "scale_bias/scale_bias.torch.f8", __file__, cases(), record)
