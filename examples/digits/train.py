"""Trains a small digit classifier, quantizes it to int8 with PT2E and saves everything fold8 needs to check it.

    pip install torch==2.13.0 torchao==0.18.0 scikit-learn numpy
    python train.py

Writes digits_mlp.pt2, test_images.npy, test_labels.npy, float_logits.npy and int8_logits.npy beside this file.
Takes about ten seconds on one core.
"""

import copy
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

HERE = Path(__file__).resolve().parent


class DigitsMlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 32)
        self.fc2 = nn.Linear(32, 16)
        self.fc3 = nn.Linear(16, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


def data():
    """Pixels are counts 0..16, scaled to 0..1. 500 images are held out."""
    digits = load_digits()
    images = (digits.data / 16).astype(np.float32)
    return train_test_split(images, digits.target, test_size=500, random_state=0, stratify=digits.target)


def shifted(images, rng):
    """Each image moved by -1, 0 or 1 pixel in both directions."""
    padded = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    at = rng.choice(3, size=(len(images), 2), p=(0.15, 0.7, 0.15))
    return np.stack([p[r:r + 8, c:c + 8].ravel() for p, (r, c) in zip(padded, at)])


def train(model, images, labels, epochs=150):
    rng = np.random.default_rng(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        order = rng.permutation(len(images))
        x, y = torch.from_numpy(shifted(images[order], rng)), torch.from_numpy(labels[order])
        for i in range(0, len(x), 32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[i:i + 32]), y[i:i + 32], label_smoothing=0.05).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def quantize(model, calibration):
    """Static int8: per-tensor activations, symmetric per-channel weights. Returns an ExportedProgram of batch 1."""
    example = (torch.zeros_like(calibration[:1]),)
    graph = torch.export.export(model, example).module(check_guards=False)
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    graph = prepare_pt2e(graph, quantizer)
    for image in calibration:
        graph(image[None])
    return torch.export.export(convert_pt2e(graph), example)


def shorten_paths(program, here=HERE):
    """Source places in the archive read `train.py` and `torch/nn/...`, wherever this machine keeps them."""
    for node in program.graph.nodes:
        trace = node.meta.get("stack_trace") or ""
        for folder in (here, HERE, Path(torch.__file__).parents[1]):
            trace = trace.replace(f"{folder}/", "")
        node.meta["stack_trace"] = trace or None
    return program


def int8_outputs(program, images):
    """What the graph's last quantize gives, before the dequantize that makes its float output."""
    module = copy.deepcopy(program).module(check_guards=False)
    [output] = module.graph.find_nodes(op="output")
    last = output.all_input_nodes[0]
    assert "dequantize_per_tensor" in str(last.target)
    output.replace_input_with(last, last.args[0])
    module.recompile()
    return torch.cat([module(image[None]) for image in images])


def accuracy(logits, labels):
    return 100 * float((np.asarray(logits).argmax(1) == labels).mean())


def report(float_logits, int8_logits, labels):
    print(f"float32: {accuracy(float_logits, labels):.1f} %  int8: {accuracy(int8_logits, labels):.1f} %  "
          f"same class: {accuracy(int8_logits, float_logits.argmax(1)):.1f} %  of {len(labels)} held-out images")


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    train_images, test_images, train_labels, test_labels = data()
    model = train(DigitsMlp(), train_images, train_labels)
    test = torch.from_numpy(test_images)
    with torch.no_grad():
        float_logits = model(test).numpy()
        program = quantize(model, torch.from_numpy(train_images[:500]))
        torch.export.save(shorten_paths(program), HERE / "digits_mlp.pt2")
        int8_logits = int8_outputs(torch.export.load(HERE / "digits_mlp.pt2"), test).numpy()
    assert int8_logits.dtype == np.int8
    assert (float_logits.astype(np.float16).argmax(1) == float_logits.argmax(1)).all()

    np.save(HERE / "test_images.npy", test_images)
    np.save(HERE / "test_labels.npy", test_labels.astype(np.uint8))
    np.save(HERE / "float_logits.npy", float_logits.astype(np.float16))
    np.save(HERE / "int8_logits.npy", int8_logits)
    report(float_logits, int8_logits, test_labels)


if __name__ == "__main__":
    main()
