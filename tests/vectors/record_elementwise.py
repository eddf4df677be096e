"""Records src/ops/{add,sub,mul,cat,pad,slice}/*.torch.f8: these ops in PyTorch's own quantize/dequantize graph.

    pip install torch==2.13.0 numpy
    python tests/vectors/record_elementwise.py

Inputs are seeded; the expected outputs are float32 PyTorch, rounded by its quantize. Beside them the script computes
the integer answer and refuses to write a case that is more than one step off.
"""

import math
from dataclasses import dataclass
from typing import Callable

import numpy as np
import torch
import torch.nn.functional as F

from f8 import (INF, OPS, RELU, Data, clamped, dequantize, dims, f32, hexf, output_qparams, quantize, rescaled,
                run_text, steps_off, write, zero_label)


# ---------------------------------------------------------------- operands
@dataclass
class Operand:
    """An activation, or a constant: float as it stands in the model (`reals`), or quantized there (`stored`)."""
    shape: tuple
    scale: float = None
    zero: int = 0
    reals: list = None
    stored: bool = False
    q: np.ndarray = None  # the integers fold8 computes with

    @property
    def is_input(self):
        return self.reals is None and not self.stored

    def real(self):
        if self.reals is not None:
            return torch.tensor(self.reals, dtype=torch.float32).reshape(self.shape)
        return dequantize(torch.tensor(self.q, dtype=torch.int8), self.scale, self.zero)


def float_constant(shape, reals):
    return Operand(shape, reals=reals)


# ---------------------------------------------------------------- integers: docs/arithmetic.md, "Elementwise"
def sum_answer(sign):
    def answer(a, b, y_scale):
        twice = 2 * max(a.scale, b.scale)
        left = rescaled((a.q - a.zero) << 20, a.scale / twice)
        right = rescaled((b.q - b.zero) << 20, b.scale / twice)
        return rescaled(left + sign * right, twice / (2**20 * y_scale))
    return answer


def product_answer(a, b, y_scale):
    return rescaled((a.q - a.zero) * (b.q - b.zero), a.scale * b.scale / y_scale)


BINARY = {"add": (torch.add, sum_answer(1)), "sub": (torch.sub, sum_answer(-1)), "mul": (torch.mul, product_answer)}


def bounded(y, scale, zero, bounds):
    lo, hi = -128, 127
    if bounds:
        lo, hi = (int(np.clip(round(v / scale) + zero, -128, 127)) if math.isfinite(v) else d
                  for v, d in zip(bounds, (lo, hi)))
    return np.clip(y + zero, lo, hi)


# ---------------------------------------------------------------- text
def shared_lines(op_line, operands, shape, scale, zero, bounds):
    """The program around one op: `op_line` has %0, %1, ... for its operands."""
    lines = [f"in %x{i} : f32{dims(x.shape)}" for i, x in enumerate(operands) if x.is_input]
    for i, x in enumerate(operands):
        if x.reals is not None:
            lines.append(f"const %x{i} : f32{dims(x.shape)} = {{{' '.join(map(hexf, x.reals))}}}")
        elif x.stored:
            values = " ".join(map(str, x.q.flatten()))
            lines.append(f"const %x{i} : q8{dims(x.shape)} scale={hexf(x.scale)} zero={x.zero} = {{{values}}}")
    for i, x in enumerate(operands):
        if x.is_input:
            lines.append(f"%x{i}_q = quantize %x{i} : q8{dims(x.shape)} scale={hexf(x.scale)} zero={x.zero}")
        if x.reals is None:
            lines.append(f"%x{i}_dq = dequantize %x{i}{'_q' if x.is_input else ''} : f32{dims(x.shape)}")
    for i, x in reversed(list(enumerate(operands))):
        op_line = op_line.replace(f"%{i}", f"%x{i}" if x.reals is not None else f"%x{i}_dq")
    lines.append(f"%r = {op_line} : f32{dims(shape)}")
    last = "%r"
    if bounds:
        last = "%act"
        lines.append(f"%act = clamp %r max={hexf(bounds[1])} min={hexf(bounds[0])} : f32{dims(shape)}")
    lines.append(f"%y_q = quantize {last} : q8{dims(shape)} scale={hexf(scale)} zero={zero}")
    return lines + [f"%y = dequantize %y_q : f32{dims(shape)}", "out %y"]


def case_text(name, lines, inputs, y):
    body = "\n".join(["; test: " + name, "program form=torch {"] + ["  " + line for line in lines] + ["}"])
    return f"{body}\n{run_text(' '.join(d.text for d in inputs), y)}\n"


def seeded_inputs(operands, number):
    """Gives each activation its integers, and returns them with their text."""
    inputs = []
    for i, x in enumerate(operands):
        if x.is_input:
            inputs.append(Data.seeded(number * 10 + i, math.prod(x.shape), -128, 127, "[]"))
            x.q = inputs[-1].values.reshape(x.shape)
    return inputs


# ---------------------------------------------------------------- add, sub, mul
@dataclass
class Binary:
    name: str
    op: str
    operands: list
    clamp: tuple = None
    out_zero: int = None
    same: bool = False  # the first operand twice


def binary_cases(op):
    rng = np.random.default_rng(len(op) + ord(op[0]))
    shapes = [((3, 5), (3, 5)), ((1, 33), (1, 33)), ((2, 3, 4), (4,)), ((3, 1), (2, 3, 4)), ((2, 1, 4), (1, 3, 1)),
              ((1,), (2, 5)), ((2, 3, 5, 4), (1, 3, 1, 1)), ((2, 5, 4, 3), (2, 1, 1, 3)),
              ((2, 1, 2, 1, 3), (1, 4, 1, 5, 3)), ((4, 7), ()), ((17,), (17,)), ((1, 2, 6, 3), (1, 2, 6, 3))]
    zeros = [(-128, 0), (0, 127), (127, -128), (-128, -128), (127, 127), (0, 0), (-3, 41)]
    ratios = [1, 3.1, 1 / 3.7, 41, 1 / 37, 1000, 1.0001]
    bounds = [None, RELU, None, (0.0, 6.0), None, (-1.5, 2.25), RELU, None, (-INF, 0.75)]
    for i, (a, b) in enumerate(shapes * 3):
        za, zb = zeros[i % len(zeros)]
        scale = f32(rng.uniform(0.01, 0.05))
        operands = [Operand(a, scale, za), Operand(b, f32(scale * ratios[(i // 2) % len(ratios)]), zb)]
        clamp = bounds[i % len(bounds)]
        yield Binary(f"{op}_{i}_{zero_label(za)}_{zero_label(zb)}" + ("_clamped" if clamp else ""), op, operands, clamp)
    for zero, out_zero in [(-128, -128), (0, 5), (127, 127)]:
        twice = [Operand((3, 7), f32(0.021), zero)]
        yield Binary(f"{op}_same_twice_{zero_label(zero)}", op, twice, None, out_zero, same=True)

    def activation(shape, zero=-7):
        return Operand(shape, f32(rng.uniform(0.01, 0.05)), zero)

    varied = [f32(v) for v in (-0.637, 0.048, 1.203, 0.311, 2.0, -1.41)]
    constants = [float_constant((), [1.0]), float_constant((), [-2.5]), float_constant((), [0.0]),
                 float_constant((1,), [f32(0.1)]), float_constant((3,), [0.75] * 3), float_constant((2, 3), varied),
                 float_constant((2, 1), [0.25, 1.75]), float_constant((1, 3), [-0.5, -1.0, -2.0]),
                 Operand((3,), f32(0.013), 5, stored=True, q=np.array([-128, 5, 127])),
                 Operand((2, 3), f32(0.4), -128, stored=True, q=np.arange(-128, 122, 42).reshape(2, 3))]
    for i, constant in enumerate(constants):
        pair = [activation((4, 2, 3), (-128, 0, 127)[i % 3]), constant]
        yield Binary(f"{op}_constant_{i}", op, pair, RELU if i % 2 else None)
        yield Binary(f"{op}_constant_{i}_first", op, pair[::-1], None if i % 2 else RELU)


def record_binary(case, number):
    torch_op, answer = BINARY[case.op]
    inputs = seeded_inputs(case.operands, number)
    a, b = case.operands * 2 if case.same else case.operands
    reals = clamped(torch_op(a.real(), b.real()), case.clamp)
    scale, zero = output_qparams(reals, zero=case.out_zero)
    y = quantize(reals, scale, zero)
    if a.reals or b.reals:  # a line for each element of the constant: docs/arithmetic.md, "Gains and shifts of constants"
        wide = torch_op(a.real().double(), b.real().double()).numpy()
        integers = bounded(np.floor(wide / scale + 0.5), scale, zero, case.clamp)
    else:
        integers = bounded(answer(a, b, scale), scale, zero, case.clamp)
    off = steps_off(case.name, integers, y)
    op_line = f"{case.op} %0, {'%0' if case.same else '%1'}"
    lines = shared_lines(op_line, case.operands, tuple(reals.shape), scale, zero, case.clamp)
    return case_text(case.name, lines, inputs, y), y.numpy().flatten(), off


# ---------------------------------------------------------------- cat, pad, slice
@dataclass
class Mover:
    name: str
    op_line: str
    operands: list
    torch_op: Callable
    same: bool = True  # the result has the operands' parameters


def variants(name, op_line, operands, torch_op):
    """The result once with the first operand's parameters, once with others. `operands`: a function that makes them."""
    for equal in (True, False):
        yield Mover(f"{name}_{'equal' if equal else 'rescaled'}", op_line, operands(equal), torch_op, equal)


def cat_cases():
    cases = [([(1, 3), (2, 3)], 0), ([(2, 3, 1), (2, 3, 4), (2, 3, 2)], 2), ([(2, 1, 3), (2, 5, 3)], 1),
             ([(1, 4, 2, 3), (1, 4, 5, 3)], 2), ([(7,), (1,), (9,)], 0)]
    for i, (shapes, dim) in enumerate(cases):
        def operands(equal, shapes=shapes):
            return [Operand(s, f32(0.02 if equal else 0.013 * (k + 1)), 3 if equal else (-128, 0, 127)[k])
                    for k, s in enumerate(shapes)]
        names = ", ".join(f"%{k}" for k in range(len(shapes)))
        yield from variants(f"cat_{i}", f"cat {names} dim={dim}", operands, lambda *x, dim=dim: torch.cat(x, dim))


def pad_cases():
    cases = [((3, 5), (1, 2), 0.0), ((2, 3, 4), (0, 0, 2, 1), 0.0), ((1, 2, 3, 4), (1, 1, 1, 1), 0.0),
             ((1, 2, 3, 4), (2, 0, 0, 3, 1, 1), 0.5), ((4, 6), (-1, 2, 1, -2), -0.75), ((5, 3), (-2, 0), 0.0),
             ((2, 2, 2, 2, 2), (1, 0, 0, 1, 2, 0, 0, 1, 1, 1), 0.25)]
    for i, (shape, pad, value) in enumerate(cases):
        def operands(_, shape=shape, zero=(-40, 0, 50)[i % 3]):
            return [Operand(shape, f32(0.02), zero)]
        pairs = list(zip(pad[::2], pad[1::2])) + [(0, 0)] * (len(shape) - len(pad) // 2)
        listed = ",".join(f"{lo},{hi}" for lo, hi in reversed(pairs))
        yield from variants(f"pad_{i}", f"pad %0 pad=[{listed}] value={hexf(value)}", operands,
                            lambda x, pad=pad, value=value: F.pad(x, pad, "constant", value))


def slice_cases():
    cases = [((5,), 0, 1, 4, 1), ((5, 3), 0, 1, 5, 2), ((3, 8), 1, 2, 7, 1), ((3, 8), 1, 1, 8, 3),
             ((2, 5, 3), 1, 0, 5, 2), ((1, 6, 2, 3), 1, 2, 6, 1), ((2, 3, 4), 2, 3, 4, 1)]
    for i, (shape, dim, start, end, step) in enumerate(cases):
        def operands(_, shape=shape, zero=(-128, 0, 127)[i % 3]):
            return [Operand(shape, f32(0.02), zero)]
        index = (slice(None),) * dim + (slice(start, end, step),)
        yield from variants(f"slice_{i}", f"slice %0 dim={dim} end={end} start={start} step={step}", operands,
                            lambda x, index=index: x[index])


def record_mover(case, number):
    inputs = seeded_inputs(case.operands, number)
    reals = case.torch_op(*[x.real() for x in case.operands])
    first = case.operands[0]
    scale, zero = (first.scale, first.zero) if case.same else output_qparams(reals)
    y = quantize(reals, scale, zero)
    aligned = [np.clip(rescaled(x.q - x.zero, x.scale / scale), -128 - zero, 127 - zero) for x in case.operands]
    integers = case.torch_op(*[torch.tensor(x, dtype=torch.float64) for x in aligned]).numpy()
    if "value=" in case.op_line:  # the constant of a pad is a real among these integers
        fill = torch.tensor(float.fromhex(case.op_line.split("value=")[1]))
        inside = case.torch_op(torch.full(first.shape, math.nan)).isnan().numpy()
        integers = np.where(inside, integers, float(quantize(fill, scale, zero)) - zero)
    off = steps_off(case.name, np.clip(integers + zero, -128, 127), y)
    lines = shared_lines(case.op_line, case.operands, tuple(reals.shape), scale, zero, None)
    return case_text(case.name, lines, inputs, y), y.numpy().flatten(), off


def main():
    for op in BINARY:
        write(OPS / f"{op}/{op}.torch.f8", __file__, binary_cases(op), record_binary)
    for op, cases in {"cat": cat_cases, "pad": pad_cases, "slice": slice_cases}.items():
        write(OPS / f"{op}/{op}.torch.f8", __file__, cases(), record_mover)


if __name__ == "__main__":
    main()
