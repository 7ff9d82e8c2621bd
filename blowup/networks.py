"""Deep networks from a few words, one for each seed, with stacked parameters.

A network of this module is an ensemble: every parameter has a leading dimension, ``members``, and one
batched product per layer serves all of them. Members never mix: a NaN in one stays in that one.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F

from blowup.activations import activation as find_activation
from blowup.arguments import integer, per_member, seed_list
from blowup.normalization import NORMS, batch_norm, check_norm, fresh_statistics, group_norm

DIPPING = ("gelu", "silu")
"""The activations that do not rise everywhere, so that they do not commute with the maximum of a pool."""


class Network:
    """What the networks share: names and starting weights, from ``hidden()`` and ``features()``."""

    norm = None

    def modes(self):
        """The network as it trains and as it is evaluated: two functions of (params, x), mostly the same."""
        return self, self

    @property
    def layer_names(self):
        return (*(f"layer {k}" for k in range(1, len(self.hidden()) + 1)), "readout")

    def init(self, seeds, device="cpu", dtype=torch.float32):
        """Starting parameters {name: tensor (members, …)}; seeds: a number of them, or a sequence."""
        seeds = seed_list(seeds)
        gain = per_member("gain", self.gain, len(seeds), strict=False)
        # A generator for each member, on the CPU: the same weights alone, in company, on any device.
        # Drawn in float32 whatever the dtype, so that a float64 run starts from the same weights.
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        readout = (self.features(), self.classes), (1, self.classes), self.features()
        params = {}
        for name, (W, b, fan_in) in zip(self.layer_names, [*self.hidden(), readout], strict=True):
            drawn = torch.empty(len(seeds), *W)
            for own, generator in zip(drawn, generators, strict=True):
                own.normal_(generator=generator)
            scale = (torch.ones_like(gain) if name == "readout" else gain) / fan_in**0.5
            params[f"{name}.W"] = drawn.mul_(scale.to(drawn).view(-1, *[1] * len(W)))
            if self.norm is None or name == "readout":
                params[f"{name}.b"] = torch.zeros(len(seeds), *b)
            else:
                params[f"{name}.gamma"] = torch.ones(len(seeds), *b)
                params[f"{name}.beta"] = torch.zeros(len(seeds), *b)
        return {name: p.to(device, dtype) for name, p in params.items()}


@dataclass(frozen=True)
class MLP(Network):
    """A multilayer perceptron: ``depth`` hidden layers of ``width`` units, then a linear readout.

    Weights start as N(0, gain²/fan_in), biases at 0; the readout has gain 1. ``gain`` is one number or
    one for each member. Parameters: "layer k.W" (members, fan_in, fan_out), "layer k.b"
    (members, 1, fan_out), and so on to "readout".

    ``norm`` normalizes the pre-activations of every hidden layer: None, "batch", "layer", "group" (``groups``
    of them) or "rms", see :mod:`blowup.normalization`. Any of them puts "layer k.gamma" (ones) and
    "layer k.beta" (zeros), both (members, 1, fan_out), in place of "layer k.b", which it would undo.

    ValueError for sizes below 1 (depth 0 is the linear readout alone), a negative or non-finite gain, an
    unknown activation or norm, or groups that do not divide the width.
    """

    inputs: int
    classes: int
    depth: int
    width: int
    activation: str = "tanh"
    gain: object = 1.0
    slope: float = 0.01
    norm: str | None = None
    groups: int = 4

    def __post_init__(self):
        for name in ("inputs", "classes", "width"):
            integer(name, getattr(self, name))
        integer("depth", self.depth, least=0)
        find_activation(self.activation, slope=self.slope)
        check_norm(self.norm, self.width, self.groups)

    @property
    def input_shape(self):
        return (self.inputs,)

    def hidden(self):
        """(shape of W, shape of b, fan-in) of each hidden layer."""
        sizes = [self.inputs, *[self.width] * self.depth]
        return [((n, m), (1, m), n) for n, m in pairwise(sizes)]

    def features(self):
        return self.width if self.depth else self.inputs

    def modes(self):
        """The network as it trains and as it is evaluated; batch norm's two share running statistics."""
        if self.norm != "batch":
            return self, self
        running = {}
        return partial(self, running=running), partial(self, running=running, evaluate=True)

    def __call__(self, params, x, running=None, evaluate=False):
        """Logits (members, batch, classes) of x (members, batch, inputs).

        running and evaluate are batch norm's: a dictionary that keeps its running statistics by layer, and
        whether to use them. Without them it uses the statistics of the batch and keeps none.
        """
        act = find_activation(self.activation, slope=self.slope)
        for name in self.layer_names[:-1]:
            z = torch.bmm(x, params[f"{name}.W"])
            if self.norm is None:
                z.add_(params[f"{name}.b"])  # baddbmm copies the bias for every example first, and is slower
            else:
                z = self.normalized(params, name, z, running, evaluate)
            x = act(z)
        return torch.baddbmm(params["readout.b"], x, params["readout.W"])

    def normalized(self, params, name, z, running, evaluate):
        """The pre-activations z (members, batch, width) of layer ``name``, normalized."""
        gamma, beta = params[f"{name}.gamma"], params[f"{name}.beta"]
        if self.norm == "batch":
            statistics = None if running is None else running.setdefault(name, fresh_statistics(z))
            return batch_norm(z, gamma, beta, statistics, evaluate)
        if self.norm == "group":
            return group_norm(z, gamma, beta, self.groups)
        return NORMS[self.norm](z, gamma, beta)


@dataclass(frozen=True)
class CNN(Network):
    """A small convolutional network for gray images of ``size`` × ``size`` pixels.

    For each entry of ``channels``: 3 × 3 convolution (padding 1), activation, 2 × 2 max pool; then a linear
    readout. Weights start as N(0, gain²/fan_in), biases at 0; the readout has gain 1. ``gain`` is one
    number or one for each member. Parameters: "layer k.W" (members, out, in, 3, 3), "layer k.b"
    (members, out), "readout.W" (members, features, classes), "readout.b" (members, 1, classes).
    ValueError for sizes below 1, an image too small for that many pools, a bad gain, an unknown activation.
    """

    size: int
    classes: int
    channels: tuple = (8, 16)
    activation: str = "relu"
    gain: object = 2**0.5
    slope: float = 0.01

    def __post_init__(self):
        integer("size", self.size)
        integer("classes", self.classes)
        for channels in self.channels:
            integer("channels", channels)
        if self.size < 2 ** len(self.channels):
            raise ValueError(f"size: {len(self.channels)} pools need images of at least "
                             f"{2 ** len(self.channels)} pixels a side, got {self.size}")  # fmt: skip
        find_activation(self.activation, slope=self.slope)

    @property
    def input_shape(self):
        return (self.size, self.size)

    def hidden(self):
        """(shape of W, shape of b, fan-in) of each convolution."""
        return [((m, n, 3, 3), (m,), 9 * n) for n, m in pairwise([1, *self.channels])]

    def features(self):
        return (1, *self.channels)[-1] * (self.size // 2 ** len(self.channels)) ** 2

    def __call__(self, params, x):
        """Logits (members, batch, classes) of x (members, batch, size, size).

        One convolution with a group for each member, the channels last: half the time of channels first, a
        third of that of patches and a batched product. Where the activation rises everywhere the pool comes
        first: the maximum of the activations is the activation of the maximum, at a quarter of the work.
        """
        act = find_activation(self.activation, slope=self.slope)
        rising = self.activation not in DIPPING and self.slope >= 0
        members, batch = x.shape[:2]
        x = x.transpose(0, 1).contiguous(memory_format=torch.channels_last)
        for name in self.layer_names[:-1]:
            W, b = params[f"{name}.W"], params[f"{name}.b"]
            x = F.conv2d(x, W.flatten(0, 1), b.flatten(), padding=1, groups=members)
            x = act(F.max_pool2d(x, 2)) if rising else F.max_pool2d(act(x), 2)
        # The readout's rows go by channel, then pixel. Turning them round is less than turning x, whose
        # gradient would then come back with the channels first, to layers that have them last.
        W, pixels = params["readout.W"], x.shape[2] * x.shape[3]
        W = W.view(members, -1, pixels, self.classes).transpose(1, 2).flatten(1, 2)
        x = x.permute(0, 2, 3, 1).reshape(batch, pixels, members, -1)
        x = x.permute(2, 0, 1, 3).flatten(2)  # (members, batch, pixels · channels)
        return torch.baddbmm(params["readout.b"], x, W)
