"""Records tests/data/pt2: small archives as torch.export.save writes them, with inputs and PyTorch's outputs.

    pip install torch==2.13.0 numpy
    python tests/vectors/record_pt2.py

Each class below is one archive, named after the class; its docstring is its line in tests/data/pt2/README.md. The modules
write quantize and dequantize by hand, which gives the graphs that PT2E makes and the ones it makes only now and then.
<name>.in.npy and <name>.out.npy hold the input and the output of the graph; .in0, .in1 ... where there are several.
"""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  registers torch.ops.quantized_decomposed
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "data/pt2"
Q = torch.ops.quantized_decomposed
S8, S32 = (-128, 127, torch.int8), (-2**31, 2**31 - 1, torch.int32)


def f32(v):
    return float(np.float32(v))


SX, ZX = f32(0.02), -5     # input
SW = f32(0.01)             # weights, per tensor
SY, ZY = f32(0.05), 7      # outputs of the linears


class Net(torch.nn.Module):
    """Makes int8 weights and int32 biases as buffers, and gives forward() the words it is written in."""
    linears = {"fc": (5, 8)}      # name: (features out, features in)
    inputs = [(1, 8)]
    input_dtype = torch.float32
    bias, per_channel = True, False
    dynamic_shapes = None
    decompose = False

    def __init__(self):
        super().__init__()
        for name, (n, k) in self.linears.items():
            scale = torch.randint(16, 64, (n,)) / 4096 if self.per_channel else SW
            if self.per_channel:
                self.register_buffer(f"{name}_scale", scale)
                self.register_buffer(f"{name}_zero", torch.zeros(n, dtype=torch.int64))
            self.register_buffer(f"{name}_w", torch.randint(-127, 128, (n, k), dtype=torch.int8))
            if self.bias:
                self.register_buffer(f"{name}_b", torch.randint(-4000, 4000, (n,), dtype=torch.int32))
            if self.bias and self.per_channel:
                self.register_buffer(f"{name}_bias_scale", scale * SX)

    def q(self, x, scale=SY, zero=ZY):
        return Q.quantize_per_tensor(x, scale, zero, *S8)

    def dq(self, x, scale=SY, zero=ZY):
        return Q.dequantize_per_tensor(x, scale, zero, *S8)

    def qdq(self, x, scale=SY, zero=ZY):
        return self.dq(self.q(x, scale, zero), scale, zero)

    def x(self, x):
        return self.qdq(x, SX, ZX)

    def w(self, name="fc"):
        w = getattr(self, f"{name}_w")
        if self.per_channel:
            return Q.dequantize_per_channel(w, getattr(self, f"{name}_scale"), getattr(self, f"{name}_zero"), 0, *S8)
        return self.dq(w, SW, 0)

    def b(self, name="fc", sx=SX):
        b = getattr(self, f"{name}_b")
        if self.per_channel:
            return Q.dequantize_per_channel(b, getattr(self, f"{name}_bias_scale"), getattr(self, f"{name}_zero"), 0, *S32)
        return Q.dequantize_per_tensor(b, f32(sx * SW), 0, *S32)

    def fc(self, x, name="fc", sx=SX):
        return F.linear(x, self.w(name), self.b(name, sx) if self.bias else None)

    def forward(self, x):
        return self.qdq(self.fc(self.x(x)))


# ---------------------------------------------------------------- spellings of linear
class addmm_t(Net):
    """addmm(bias, x, weight.t())"""
    inputs = [(3, 8)]

    def forward(self, x):
        return self.qdq(torch.addmm(self.b(), self.x(x), self.w().t()))


class mm_permute(Net):
    """mm(x, permute(weight, (1, 0))), no bias"""
    inputs, bias = [(3, 8)], False

    def forward(self, x):
        return self.qdq(torch.mm(self.x(x), self.w().permute(1, 0)))


class linear_decomposed(Net):
    """3-D linear after run_decompositions(): view, permute, addmm, view"""
    inputs, decompose = [(2, 3, 8)], True


class linear_3d(Net):
    """3-D input, per-tensor weight"""
    inputs = [(2, 3, 8)]


class linear_per_channel(Net):
    """per-channel weight; the int32 bias is per channel with scales of its own"""
    inputs, per_channel = [(3, 8)], True


class float_bias(Net):
    """float32 bias beside a per-channel int8 weight, as XNNPACKQuantizer leaves it"""
    inputs, per_channel, bias = [(3, 8)], True, False

    def __init__(self):
        super().__init__()
        self.fc_bias = torch.nn.Parameter(torch.randn(5))

    def forward(self, x):
        return self.qdq(F.linear(self.x(x), self.w(), self.fc_bias))


# ---------------------------------------------------------------- where the weights are
class weight_transposed(Net):
    """weight [5, 8] with strides [1, 5]: its storage is the transposed matrix"""
    inputs = [(3, 8)]

    def __init__(self):
        super().__init__()
        self.fc_w = self.fc_w.t().contiguous().t()


class weight_tied(Net):
    """two linears read one weight, under two names"""
    linears = {"fc": (8, 8), "fc2": (8, 8)}
    inputs = [(3, 8)]

    def __init__(self):
        super().__init__()
        self.fc2_w = self.fc_w

    def forward(self, x):
        y = self.qdq(self.fc(self.x(x)))
        return self.qdq(self.fc(y, "fc2", SY))


class weight_slice(Net):
    """weight and bias are slices of larger storages: storage_offset is not 0"""
    inputs = [(3, 8)]

    def __init__(self):
        super().__init__()
        self.fc_w = torch.randint(-127, 128, (12, 8), dtype=torch.int8)[4:9]
        self.fc_b = torch.randint(-4000, 4000, (9,), dtype=torch.int32)[3:8]


class weight_constant(Net):
    """weight in a non-persistent buffer, bias in a plain tensor attribute: both under data/constants"""
    inputs, bias = [(3, 8)], False

    def __init__(self):
        super().__init__()
        self.register_buffer("fc_w", self.fc_w.clone(), persistent=False)
        self.fc_b = torch.randint(-4000, 4000, (5,), dtype=torch.int32)

    def forward(self, x):
        return self.qdq(F.linear(self.x(x), self.w(), self.b()))


class bias_literal(Net):
    """bias written as torch.tensor([...]) in forward: a lifted constant behind lift_fresh_copy"""
    inputs, bias = [(3, 8)], False

    def forward(self, x):
        b = torch.tensor([-3000, 1200, 0, 77, 2500], dtype=torch.int32)
        return self.qdq(F.linear(self.x(x), self.w(), Q.dequantize_per_tensor(b, f32(SX * SW), 0, *S32)))


# ---------------------------------------------------------------- activations after linear
class linear_relu(Net):
    """linear, relu"""
    inputs = [(3, 8)]

    def forward(self, x):
        return self.qdq(torch.relu(self.fc(self.x(x))), SY, -128)


class linear_relu_inplace(Net):
    """linear, relu_ (nn.ReLU(inplace=True))"""
    inputs = [(3, 8)]

    def forward(self, x):
        return self.qdq(F.relu(self.fc(self.x(x)), inplace=True), SY, -128)


class linear_relu6(Net):
    """linear, relu6; some sums exceed 6"""
    linears = {"fc": (5, 32)}
    inputs = [(3, 32)]

    def forward(self, x):
        return self.qdq(F.relu6(self.fc(self.x(x))), SY, -128)


class linear_hardtanh(Net):
    """linear, hardtanh(-1, 1)"""
    inputs = [(3, 8)]

    def forward(self, x):
        return self.qdq(F.hardtanh(self.fc(self.x(x))))


class linear_clamp(Net):
    """linear, clamp with bounds of both number types: min -1.5, max 2"""
    inputs = [(3, 8)]

    def forward(self, x):
        return self.qdq(torch.clamp(self.fc(self.x(x)), -1.5, 2))


class linear_clamp_min(Net):
    """linear, clamp with a lower bound alone"""
    inputs = [(3, 8)]

    def forward(self, x):
        return self.qdq(torch.clamp(self.fc(self.x(x)), min=-0.5))


# ---------------------------------------------------------------- shapes
class view_flatten_quantized(Net):
    """view and flatten between two linears, each in its own quantize/dequantize (as PT2E)"""
    linears, bias = {"fc": (6, 8), "fc2": (4, 12)}, False
    inputs = [(2, 8)]

    def forward(self, x):
        y = self.qdq(self.fc(self.x(x)))
        y = self.qdq(y.view(1, 3, 4))
        y = self.qdq(torch.flatten(y, 1))
        return self.qdq(self.fc(y, "fc2"))


class reshape_squeeze_quantized(Net):
    """reshape, unsqueeze, squeeze before a linear, each in its own quantize/dequantize (as PT2E)"""
    linears, bias = {"fc": (4, 12)}, False
    inputs = [(2, 2, 3)]

    def forward(self, x):
        x = self.x(x)
        x = self.x(x.reshape(-1, 12))
        x = self.x(x.unsqueeze(1))
        x = self.x(x.squeeze(1))
        return self.qdq(self.fc(x))


class shapes_plain(Net):
    """view, reshape, flatten, unsqueeze, squeeze between two linears, with no quantize between them"""
    linears, bias = {"fc": (6, 8), "fc2": (4, 12)}, False
    inputs = [(2, 8)]

    def forward(self, x):
        y = self.qdq(self.fc(self.x(x)))
        y = y.view(3, -1).reshape(2, 3, 2)
        y = torch.flatten(y).unsqueeze(0).unsqueeze(1).squeeze(1)
        return self.qdq(self.fc(y, "fc2", SY))


class dynamic_batch(Net):
    """symbolic batch of 1..64, recorded with 3 rows"""
    linears = {"fc": (6, 8), "fc2": (4, 6)}
    inputs = [(3, 8)]
    dynamic_shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)

    def forward(self, x):
        y = self.qdq(torch.relu(self.fc(self.x(x))), SY, -128)
        return self.qdq(self.fc(y, "fc2", SY))


# ---------------------------------------------------------------- inputs and outputs
class two_inputs(Net):
    """two inputs, two linears that share nothing, two outputs in reversed order"""
    linears = {"left": (5, 8), "right": (3, 4)}
    inputs = [(1, 8), (2, 4)]

    def forward(self, a, b):
        return self.qdq(self.fc(self.x(b), "right")), self.qdq(self.fc(self.x(a), "left"))


class int8_boundary(Net):
    """int8 in, int8 out: the graph begins with dequantize and ends with quantize"""
    inputs, input_dtype = [(3, 8)], torch.int8

    def forward(self, x):
        return self.q(self.fc(self.dq(x, SX, ZX)))


class float_output(Net):
    """the last linear has no quantize: its float32 result is the output"""
    inputs = [(3, 8)]

    def forward(self, x):
        return self.fc(self.x(x))


# ---------------------------------------------------------------- to be refused, or run in float
class unsupported_ops(Net):
    """cumsum and sort in float between two linears"""
    linears, bias = {"fc": (6, 8), "fc2": (4, 6)}, False
    inputs = [(3, 8)]

    def forward(self, x):
        y = self.qdq(self.fc(self.x(x)))
        y = torch.cumsum(y, dim=1)
        y, _ = torch.sort(y, dim=1)
        return self.qdq(self.fc(self.qdq(y), "fc2", SY))


class float_linear(Net):
    """a linear that the quantizer left in float32, between two quantized ones"""
    linears, bias = {"fc": (6, 8), "fc2": (4, 6)}, False
    inputs = [(3, 8)]

    def __init__(self):
        super().__init__()
        self.middle = torch.nn.Linear(6, 6)

    def forward(self, x):
        y = self.qdq(self.fc(self.x(x)))
        y = self.qdq(self.middle(y))
        return self.qdq(self.fc(y, "fc2", SY))


class weight_zero_point(Net):
    """weight with zero point 3"""
    inputs = [(3, 8)]

    def forward(self, x):
        return self.qdq(F.linear(self.x(x), self.dq(self.fc_w, SW, 3), self.b()))


class uint8_activations(Net):
    """activations quantized to uint8"""
    inputs = [(3, 8)]

    def forward(self, x):
        u8 = (0, 255, torch.uint8)
        x = Q.dequantize_per_tensor(Q.quantize_per_tensor(x, SX, 123, *u8), SX, 123, *u8)
        y = Q.quantize_per_tensor(self.fc(x), SY, 135, *u8)
        return Q.dequantize_per_tensor(y, SY, 135, *u8)


# ---------------------------------------------------------------- recording
def shorten_metadata(program):
    """Source places read `record_pt2.py`, wherever it is kept; from_node goes, for it holds memory addresses."""
    for node in program.graph.nodes:
        node.meta.pop("from_node", None)
        if trace := node.meta.get("stack_trace"):
            for folder in (HERE, Path(torch.__file__).parents[1]):
                trace = trace.replace(f"{folder}/", "")
            node.meta["stack_trace"] = trace
    return program


def example_input(shape, dtype):
    values = torch.randint(-128, 128, shape)
    return values.to(torch.int8) if dtype == torch.int8 else (values - ZX) * torch.tensor(SX)


def targets(path):
    with zipfile.ZipFile(path) as archive:
        [name] = [n for n in archive.namelist() if n.endswith("models/model.json")]
        nodes = json.loads(archive.read(name))["graph_module"]["graph"]["nodes"]
    return [re.sub(r"^torch\.ops\.(quantized_decomposed\.)?", "", n["target"]) for n in nodes]


def save(path, tensors, kind):
    for i, t in enumerate(tensors):
        np.save(f"{path}.{kind}{i if len(tensors) > 1 else ''}.npy", t.numpy())


def record(net):
    torch.manual_seed(0)
    path = TARGET / net.__name__
    module = net().eval()
    inputs = tuple(example_input(s, net.input_dtype) for s in net.inputs)
    program = torch.export.export(module, inputs, dynamic_shapes=net.dynamic_shapes)
    if net.decompose:
        program = program.run_decompositions()
    torch.export.save(shorten_metadata(program), f"{path}.pt2")
    with torch.no_grad():
        outputs = torch.export.load(f"{path}.pt2").module(check_guards=False)(*inputs)
        torch.testing.assert_close(outputs, module(*inputs), rtol=0, atol=0)
    save(path, inputs, "in")
    save(path, outputs if isinstance(outputs, tuple) else (outputs,), "out")
    ops = list(dict.fromkeys(t for t in targets(f"{path}.pt2") if not re.match("(de)?quantize_per", t)))
    return f"| `{net.__name__}` | {net.__doc__} | {', '.join(ops)} |"


def main():
    TARGET.mkdir(parents=True, exist_ok=True)
    lines = [record(net) for net in Net.__subclasses__()]
    (TARGET / "README.md").write_text(
        f"# Small archives for the reader's tests\n\nWritten by tests/vectors/record_pt2.py with PyTorch "
        f"{torch.__version__.split('+')[0]}. Every archive comes with its inputs\n(`<name>.in.npy`) and PyTorch's outputs (`<name>.out.npy`); `.in0`, `.in1` where there are several.\n\n"
        "| archive | what is special | ops beside quantize and dequantize |\n|---|---|---|\n" + "\n".join(lines) + "\n")
    print(f"{len(lines)} archives, largest {max(p.stat().st_size for p in TARGET.glob('*.pt2'))} bytes")


if __name__ == "__main__":
    main()
