"""The tables of docs/performance.md, from `build/fold8 bench`. Run by script/bench."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m33", "cortex-m7", "cortex-m55")


def bench(model, target):
    result = subprocess.run([ROOT / "build/fold8", "bench", model, "--target", target, "--json"], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(result.stderr)
    return json.loads(result.stdout)


def row(cells):
    print("| " + " | ".join(f"{c:,}" if isinstance(c, int) else c for c in cells) + " |", flush=True)


def header(names):
    row(names)
    row(["---" if i < 2 else "---:" for i in range(len(names))])


def per_mac(count, macs):
    return f"{count / macs:.3f}" if macs else ""


# ---- whole models

def default_models():
    yield from sorted((ROOT / "examples").glob("*/*.pt2"))
    folder = Path(os.environ.get("FOLD8_MODELS") or ROOT.parent / "shared/models") / "mlperf"
    yield from (file for name in ("ad", "kws", "ic", "vww") if (file := folder / f"{name}_int8.pt2").exists())


def models(files):
    header(["model", "core", "instructions", "per MAC", "cycles", "per MAC", "MACs", "weights", "code", "arena", "stack at most"])
    for file in files:
        for r in bench(file, "all"):
            row([file.stem, r["target"], r["instructions"], per_mac(r["instructions"], r["macs"]), r["cycles"],
                 per_mac(r["cycles"], r["macs"]), r["macs"], r["weight_bytes"], r["code_bytes"], r["arena_bytes"], r["stack_bytes"]])


# ---- single layers: random weights and inputs, a scale for each channel, no clamp, outputs over most of their range

def scales(channels, middle):
    return "{" + " ".join((middle * (0.5 + (i * 7 % 16) / 16)).hex() for i in range(channels)) + "} axis=0"


def weights(shape):
    size = ",".join(map(str, shape))
    return (f"  const %w : q8[{size}] scale={scales(shape[0], 2**-7)} zero=0 = seed(1,-127,127)\n"
            f"  const %b : q32[{shape[0]}] scale={scales(shape[0], 2**-12)} zero=0 = seed(2,-5000,5000)\n")


def output_scale(terms):
    """So that sums of `terms` random products spread over most of int8."""
    return (2**-12 * 137 * terms**0.5).hex()


def program(inputs, body, result):
    ins = "".join(f"  in %{name} : q8[{shape}] scale=0x1p-5 zero=-3\n" for name, shape in inputs)
    return f"program form=int8 {{\n{ins}{body} : {result}\n  out %y\n}}\n"


def linear(ins, outs):
    return program([("x", f"1,{ins}")], f"{weights([outs, ins])}  %y = linear %x, %w, %b",
                   f"q8[1,{outs}] scale={output_scale(ins)} zero=5")


def conv(ins, outs, kernel, size, stride=1, groups=1):
    height, width = size
    rows, columns = kernel
    after = [-(-height // stride), -(-width // stride)]
    pads = [max(0, (n - 1) * stride + k - given) for n, k, given in zip(after, kernel, size)]
    pad = ",".join(str(p) for total in pads for p in (total // 2, total - total // 2))
    body = (f"{weights([outs, ins // groups, rows, columns])}  %y = conv2d %x, %w, %b dilation=[1,1] groups={groups} "
            f'layout="nhwc" pad=[{pad}] stride=[{stride},{stride}]')
    return program([("x", f"1,{height},{width},{ins}")], body,
                   f"q8[1,{after[0]},{after[1]},{outs}] scale={output_scale(ins // groups * rows * columns)} zero=5")


def depthwise(channels, size, stride=1):
    return conv(channels, channels, (3, 3), size, stride, groups=channels)


def elementwise(op, shape):
    return program([("a", shape), ("b", shape)], f"  %y = {op} %a, %b", f"q8[{shape}] scale=0x1.8p-5 zero=5")


def pool(op, channels, size, kernel, more=""):
    after = [n // kernel for n in size]
    body = f'  %y = {op} %x kernel=[{kernel},{kernel}] stride=[{kernel},{kernel}] pad=[0,0,0,0] {more}layout="nhwc"'
    return program([("x", f"1,{size[0]},{size[1]},{channels}")], body, f"q8[1,{after[0]},{after[1]},{channels}] scale=0x1p-5 zero=-3")


LAYERS = {
    "linear 640 -> 128": linear(640, 128),
    "linear 128 -> 128": linear(128, 128),
    "1x1 conv 64 -> 64, 25x5": conv(64, 64, (1, 1), (25, 5)),
    "1x1 conv 8 -> 16, 48x48": conv(8, 16, (1, 1), (48, 48)),
    "1x1 conv 16 -> 32 stride 2, 32x32": conv(16, 32, (1, 1), (32, 32), 2),
    "3x3 conv 16 -> 16, 32x32": conv(16, 16, (3, 3), (32, 32)),
    "3x3 conv 64 -> 64, 8x8": conv(64, 64, (3, 3), (8, 8)),
    "3x3 conv 3 -> 16, 32x32": conv(3, 16, (3, 3), (32, 32)),
    "3x3 conv 3 -> 8 stride 2, 96x96": conv(3, 8, (3, 3), (96, 96), 2),
    "10x4 conv 1 -> 64 stride 2, 49x10": conv(1, 64, (10, 4), (49, 10), 2),
    "depthwise 3x3, 64 channels, 25x5": depthwise(64, (25, 5)),
    "depthwise 3x3, 8 channels, 48x48": depthwise(8, (48, 48)),
    "depthwise 3x3 stride 2, 16 channels, 48x48": depthwise(16, (48, 48), 2),
    "depthwise 3x3, 256 channels, 3x3": depthwise(256, (3, 3)),
    "add 32x32x16": elementwise("add", "1,32,32,16"),
    "mul 32x32x16": elementwise("mul", "1,32,32,16"),
    "average pool 8x8 -> 1x1, 64 channels": pool("avg_pool", 64, (8, 8), 8, "count_include_pad=0 "),
    "max pool 2x2, 16 channels, 32x32": pool("max_pool", 16, (32, 32), 2),
    "softmax 12": program([("x", "1,12")], "  %y = softmax %x dim=1", "q8[1,12] scale=0x1p-8 zero=-128"),
}


def layers(words):
    header(["layer", "core", "instructions", "per MAC", "cycles", "per MAC", "arena", "code"])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "layer.f8"
        for name, text in LAYERS.items():
            if words and not any(word in name for word in words):
                continue
            file.write_text(text)
            for core in CORES:
                [r] = bench(file, core)
                row([name, core, r["instructions"], per_mac(r["instructions"], r["macs"]), r["cycles"],
                     per_mac(r["cycles"], r["macs"]), r["arena_bytes"], r["code_bytes"]])


if __name__ == "__main__":
    if sys.argv[1:2] == ["layers"]:
        layers(sys.argv[2:])
    else:
        models([Path(file) for file in sys.argv[1:]] or default_models())
