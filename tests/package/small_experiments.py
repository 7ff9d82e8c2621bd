"""Four small experiments of the book's kinds, run whole by the tests of reproduction.

As a script, ``python -m tests.package.small_experiments FOLDER [float64]``, it saves their curves to FOLDER.
"""

import sys
from pathlib import Path

import torch

from blowup.curves import save
from blowup.data import load
from blowup.networks import CNN, MLP
from blowup.training import train


def mlp(gain, lr=0.02, seeds=16, steps=80, dtype=torch.float32, factor=1.0, **other):
    """Twelve tanh layers on the digits: gain 1 is critical, gain 3 explodes. ``factor`` breaks the gain."""
    data = load("digits")
    sets = {"x_test": data.x_test[:200].flatten(1).to(dtype) / 16, "y_test": data.y_test[:200]}
    net = MLP(64, 10, depth=12, width=32, gain=gain * factor)
    x = data.x_train.flatten(1).to(dtype) / 16
    return train(net, x, data.y_train, seeds, steps, lr=lr, every=10, **sets, **other)


def cnn(scale, lr=0.02, seeds=16, steps=50, dtype=torch.float32, factor=1.0, **other):
    """A small CNN on the proteins, raw (scale 1) or normalized (scale 255)."""
    data = load("proteins")
    sets = {"x_test": data.x_test.to(dtype) / scale, "y_test": data.y_test}
    net = CNN(20, 10, channels=(4, 8), gain=2**0.5 * factor)
    return train(net, data.x_train.to(dtype) / scale, data.y_train, seeds, steps, lr=lr, **sets, **other)


EXPERIMENTS = {
    "critical": lambda **changes: mlp(1.0, **changes),
    "exploding": lambda **changes: mlp(3.0, **changes),
    "normalized": lambda **changes: cnn(255, **changes),
    "raw": lambda **changes: cnn(1, **changes),
}

if __name__ == "__main__":
    dtype = getattr(torch, sys.argv[2]) if sys.argv[2:] else torch.float32
    for name, run in EXPERIMENTS.items():
        save(run(dtype=dtype), Path(sys.argv[1]) / f"{name}.csv")
