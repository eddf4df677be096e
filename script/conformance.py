"""Compares `build/fold8 run` with PyTorch on the same archives. Run by script/conformance; needs torch and numpy.

PyTorch computes the quantized graph in float32, fold8 in integers: docs/arithmetic.md, "Against PyTorch", says what may
differ. An alarm, not a bound: fails if some output is further away than one step for each op that rounds, or if fold8 ends
other than with outputs or a diagnostic.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  registers torch.ops.quantized_decomposed

ROOT = Path(__file__).resolve().parents[1]
GENERATED_SAMPLES = 200


def archives():
    yield from sorted((ROOT / "tests/data/pt2").glob("*.pt2"))
    yield from sorted((ROOT / "examples").glob("*/*.pt2"))
    more = os.environ.get("FOLD8_MODELS") or ROOT.parent / "shared/models"
    yield from sorted(Path(more).glob("**/*.pt2"))


def target_name(node):
    return str(node.target) if node.op == "call_function" else ""


def example_shapes(path, program):
    """Shapes of the inputs; symbolic sizes from the recorded arrays, else 1."""
    recorded = [*sorted(path.parent.glob(f"{path.stem}.in*.npy"))]
    if recorded:
        return [np.load(f, mmap_mode="r").shape for f in recorded]
    return [tuple(s if isinstance(s, int) else 1 for s in node.meta["val"].shape) for node in input_nodes(program)]


def input_nodes(program):
    names = set(program.graph_signature.user_inputs)
    return [node for node in program.graph.find_nodes(op="placeholder") if node.name in names]


def samples(program, shapes, rng):
    """One array [GENERATED_SAMPLES, ...] for each input: noise over the whole range of its quantization."""
    for node, shape in zip(input_nodes(program), shapes):
        q = rng.integers(-128, 128, (GENERATED_SAMPLES, *shape))
        if node.meta["val"].dtype == torch.int8:
            yield q.astype(np.int8)
            continue
        quantize = [user for user in node.users if "quantize_per_tensor" in target_name(user)]
        scale, zero = quantize[0].args[1:3] if quantize else (1 / 32, 0)
        yield (scale * (q - zero)).astype(np.float32)


def output_steps(program):
    """The real size of one step of each output."""
    [output] = program.graph.find_nodes(op="output")
    for node in output.args[0]:
        while node.op == "call_function" and "quantize" not in target_name(node) and node.all_input_nodes:
            node = node.all_input_nodes[0]  # a view
        yield float(node.args[1]) if "dequantize_per_tensor" in target_name(node) else 1.0


def rounding_ops(program):
    """Quantizes of results; those of inputs come first and do not count."""
    quantized = [node for node in program.graph.nodes if "quantize_per_tensor" in target_name(node) and "dequantize" not in target_name(node)]
    return max(1, sum(node.args[0].op != "placeholder" for node in quantized))


def fold8(path, shapes, arrays, outputs, folder):
    """The outputs of fold8, or the first line of what it says."""
    command = [ROOT / "build/fold8", "run", path]
    for i, array in enumerate(arrays):
        np.save(folder / f"in{i}.npy", array)
        command += ["--input", folder / f"in{i}.npy"]
    for i in range(outputs):
        command += ["--output", folder / f"out{i}.npy"]
    for _ in range(2):
        result = subprocess.run(command, capture_output=True, text=True)
        symbols = re.findall(r"--bind (\w+)=", result.stderr)
        if result.returncode == 0 or not symbols:
            break
        command += [word for symbol in symbols for word in ("--bind", f"{symbol}={shapes[0][0]}")]
    if result.returncode != 0:
        return result.stderr.splitlines()[0] if result.stderr else f"exit code {result.returncode}"
    return [np.load(folder / f"out{i}.npy") for i in range(outputs)]


def in_torch(program, arrays):
    module = program.module(check_guards=False)
    with torch.no_grad():
        results = [module(*(torch.from_numpy(array[s]) for array in arrays)) for s in range(GENERATED_SAMPLES)]
    results = [r if isinstance(r, (tuple, list)) else (r,) for r in results]
    return [np.stack([r[i].numpy() for r in results]) for i in range(len(results[0]))]


def compare(path, folder):
    """One line of the table, and whether it is as it should be."""
    try:
        program = torch.export.load(path)
        steps = list(output_steps(program))
    except Exception as problem:  # an archive of another torch
        return f"PyTorch cannot load it: {str(problem).splitlines()[0][:60]}", True
    shapes = example_shapes(path, program)
    arrays = list(samples(program, shapes, np.random.default_rng(0)))
    ours = fold8(path, shapes, arrays, len(steps), folder)
    if isinstance(ours, str):
        code = re.search(r"\[(F8-\d{4})\]: (.*)", ours)
        expected = code is not None and code[1] != "F8-0000"
        return f"refused: {code[1]} {code[2][:80]}" if code else ours, expected
    theirs = in_torch(program, arrays)
    apart = [np.abs(np.rint((a.astype(np.float64) - b) / step)).reshape(GENERATED_SAMPLES, -1) for a, b, step in zip(ours, theirs, steps)]
    flat = np.concatenate([a.ravel() for a in apart])
    same = np.mean([np.mean(a.reshape(GENERATED_SAMPLES, -1).argmax(1) == b.reshape(GENERATED_SAMPLES, -1).argmax(1)) for a, b in zip(ours, theirs)])
    return (f"{flat.size:8d} {100 * np.mean(flat > 0):9.3f} % {100 * np.mean(flat > 1):9.3f} % {int(flat.max()):7d} {100 * same:9.1f} %",
            flat.max() <= rounding_ops(program))


def main():
    print(f"{GENERATED_SAMPLES} samples of noise each; distance of fold8 from PyTorch {torch.__version__} in output steps")
    print(f"{'archive':38} {'outputs':>8} {'differ':>11} {'by > 1':>11} {'largest':>7} {'same argmax':>11}")
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in archives():
            line, fine = compare(path, Path(folder))
            bad += not fine
            print(f"{path.stem:38} {line}{'' if fine else '   <- not expected'}", flush=True)
    print("as expected" if bad == 0 else f"{bad} not as expected")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
