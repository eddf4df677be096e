"""Shows what fold8 makes of the digit classifier in this folder. Needs build/fold8 and Python's standard library.

    script/demo
"""

import ast
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CPU = "cortex-m4"
MODEL = "examples/digits/digits_mlp.pt2"
IMAGES = "examples/digits/test_images.npy"


def read_npy(path):
    """(shape, flat list of numbers) of an array that numpy.save wrote."""
    data = Path(path).read_bytes()
    header_bytes = struct.unpack_from("<H", data, 8)[0]
    header = ast.literal_eval(data[10:10 + header_bytes].decode())
    code = {"<f4": "f", "<f2": "e", "|i1": "b", "|u1": "B"}[header["descr"]]
    values = struct.iter_unpack("<" + code, data[10 + header_bytes:])
    return header["shape"], [v for (v,) in values]


def rows(path):
    (count, width), values = read_npy(path)
    return [values[i * width:(i + 1) * width] for i in range(count)]


def fold8(*arguments, show=True):
    if show:
        print("  $ build/fold8 " + " ".join(arguments))
    result = subprocess.run(["build/fold8", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if show:
        print("".join(f"  {line}\n" for line in result.stdout.splitlines()), end="")
    if result.returncode != 0:
        sys.exit(f"fold8 {arguments[0]} failed")


def classes(logits):
    return [row.index(max(row)) for row in logits]


def percent(found, labels):
    return f"{100 * sum(a == b for a, b in zip(found, labels)) / len(labels):.1f} %"


def compare(ours, theirs):
    """How the int8 logits of fold8 and PyTorch differ, in words."""
    steps = [abs(a - b) for x, y in zip(ours, theirs) for a, b in zip(x, y)]
    agree = sum(a == b for a, b in zip(classes(ours), classes(theirs)))
    apart = ", ".join(f"{steps.count(n)} by {n}" for n in range(1, max(steps) + 1) if n in steps)
    return (f"{steps.count(0)} of {len(steps)} int8 logits equal PyTorch's{'; off ' if apart else ''}{apart}; "
            f"same class for {agree} of {len(ours)} images")


def drawing(image):
    """Eight lines; each pixel is two characters wide, as a terminal's are half as wide as high."""
    shades = " .:-=+*#%@"
    return ["".join(2 * shades[min(int(image[8 * y + x] * 10), 9)] for x in range(8)) for y in range(8)]


def margin(logits):
    first, second = sorted(logits, reverse=True)[:2]
    return first - second


def picture_captions(logits, label):
    """Eight lines beside a drawing."""
    found = classes([logits])[0]
    bars = [f"  {d}  {logits[d]:5d}" + ("  <- fold8" if d == found else "") + ("  <- label" if d == label else "")
            for d in sorted(range(10), key=lambda d: -logits[d])[:3]]
    return ["", f"  label {label}, fold8 says {found}" + ("" if found == label else ", wrongly"), "", "  best int8 logits:", *bars, ""]


def main():
    labels = read_npy(HERE / "test_labels.npy")[1]
    images = rows(HERE / "test_images.npy")
    in_float = rows(HERE / "float_logits.npy")
    in_torch = rows(HERE / "int8_logits.npy")

    print(f"\n1. Accuracy on {len(labels)} images that neither training nor calibration saw")
    folder = ROOT / "build/demo"
    folder.mkdir(parents=True, exist_ok=True)
    fold8("run", MODEL, "--input", IMAGES, "--io", "int8", "--output", "build/demo/logits.npy")
    ours = rows(folder / "logits.npy")
    print(f"  float32 model, PyTorch (recorded)        {percent(classes(in_float), labels)}")
    print(f"  int8 model, PyTorch (recorded)           {percent(classes(in_torch), labels)}")
    print(f"  int8 model, fold8 on this machine        {percent(classes(ours), labels)}")
    print(f"  {compare(ours, in_torch)}")

    print(f"\n2. Firmware for {CPU}")
    fold8("compile", MODEL, "--target", CPU, "--link", "-o", "build/demo/digits", "--name", "digits")

    print("\n3. The firmware's integers, on a simulated core, against those of this machine")
    fold8("verify", MODEL, "--target", CPU, "--input", IMAGES)
    print(f"  so the {CPU} has the same {percent(classes(ours), labels)}")

    wrong = [i for i, found in enumerate(classes(ours)) if found != labels[i]]
    sure = max(range(len(ours)), key=lambda i: margin(ours[i]))
    hard = max(wrong, key=lambda i: margin(ours[i])) if wrong else min(range(len(ours)), key=lambda i: margin(ours[i]))
    for what, i in (("The surest answer", sure), ("The surest mistake" if wrong else "The closest call", hard)):
        print(f"\n{what}: image {i}")
        for line, caption in zip(drawing(images[i]), picture_captions(ours[i], labels[i])):
            print(f"  |{line}|{caption}".rstrip())


if __name__ == "__main__":
    main()
