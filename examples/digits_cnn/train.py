"""Trains a small convolutional digit classifier, quantizes it to int8 with PT2E and saves what fold8 needs to check it.

    pip install torch==2.13.0 torchao==0.18.0 scikit-learn numpy
    python train.py

Writes digits_cnn.pt2, test_images.npy, float_logits.npy and int8_logits.npy beside this file. Data, training and
quantization are those of ../digits/train.py; the labels are ../digits/test_labels.npy. Takes about a minute on one core.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "digits"))
import train as digits  # noqa: E402


class DigitsCnn(nn.Module):
    """Two convolutions, a depthwise separable one, and a linear layer over what an average pool leaves: 24 maps of 2x2."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.wide = nn.Conv2d(8, 12, 3, padding=1)
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.pointwise = nn.Conv2d(12, 24, 1)
        self.classify = nn.Linear(24 * 2 * 2, 10)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = nn.functional.max_pool2d(torch.relu(self.wide(x)), 2)
        x = torch.relu(self.depthwise(x))
        x = torch.relu(self.pointwise(x))
        return self.classify(torch.flatten(nn.functional.avg_pool2d(x, 2), 1))


def images(flat):
    return np.ascontiguousarray(flat.reshape(-1, 1, 8, 8))


class Flat(nn.Module):
    """The model over rows of 64 pixels, as the shared training loop hands them over."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x.reshape(-1, 1, 8, 8))


def without_origins(program):
    """Drops the nodes' from_node: a quarter of the archive, and memory addresses, so that it never comes out the same."""
    for node in program.graph.nodes:
        node.meta.pop("from_node", None)
    return program


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    train_images, test_images, train_labels, test_labels = digits.data()
    model = digits.train(Flat(DigitsCnn()), train_images, train_labels).model
    test = torch.from_numpy(images(test_images))
    with torch.no_grad():
        float_logits = model(test).numpy()
        program = digits.quantize(model, torch.from_numpy(images(train_images[:500])))
        torch.export.save(without_origins(digits.shorten_paths(program, HERE)), HERE / "digits_cnn.pt2")
        int8_logits = digits.int8_outputs(torch.export.load(HERE / "digits_cnn.pt2"), test).numpy()
    assert int8_logits.dtype == np.int8
    assert (float_logits.astype(np.float16).argmax(1) == float_logits.argmax(1)).all()

    np.save(HERE / "test_images.npy", test.numpy())
    np.save(HERE / "float_logits.npy", float_logits.astype(np.float16))
    np.save(HERE / "int8_logits.npy", int8_logits)
    digits.report(float_logits, int8_logits, test_labels)


if __name__ == "__main__":
    main()
