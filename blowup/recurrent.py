"""Recurrent networks for an ensemble: one product per time step for all members."""

from dataclasses import dataclass, replace

import torch

from blowup.activations import activation as find_activation
from blowup.arguments import integer, per_member
from blowup.networks import Network


@dataclass(frozen=True)
class RNN(Network):
    """A recurrent network: the same weights at each of ``length`` steps, then a linear readout of the last.

    h_t = activation(x_t U + c + h_{t-1} W + b), h_0 = 0: torch.nn.RNN's cell (Elman 1990), with its two
    biases. U, c are the layer "input", W, b the layer "recurrent". Parameters: "input.W" (members, inputs,
    width), "recurrent.W" (members, width, width), "readout.W" (members, width, classes), and a bias
    (members, 1, fan_out) for each. Input weights start as N(0, 1/inputs), recurrent ones as
    N(0, gain²/width), or with ``orthogonal`` as gain times a random orthogonal matrix; biases at 0, the
    readout with gain 1. ``gain`` is one number or one for each member. ValueError for sizes below 1, a
    negative or non-finite gain or an unknown activation.
    """

    inputs: int
    classes: int
    length: int
    width: int
    activation: str = "tanh"
    gain: object = 1.0
    orthogonal: bool = False
    slope: float = 0.01

    def __post_init__(self):
        for name in ("inputs", "classes", "length", "width"):
            integer(name, getattr(self, name))
        find_activation(self.activation, slope=self.slope)

    @property
    def layer_names(self):
        return "input", "recurrent", "readout"

    @property
    def input_shape(self):
        return (self.length, self.inputs)

    def hidden(self):
        """(shape of W, shape of b, fan-in) of the input's and of the recurrent weights."""
        n, m = self.inputs, self.width
        return [((n, m), (1, m), n), ((m, m), (1, m), m)]

    def features(self):
        return self.width

    def init(self, seeds, device="cpu", dtype=torch.float32):
        """Starting parameters {name: tensor (members, …)}; the gain scales the recurrent weights alone."""
        params = Network.init(replace(self, gain=1.0), seeds, device, dtype)
        W = params["recurrent.W"]
        gain = per_member("gain", self.gain, len(W), strict=False).to(W)[:, None, None]
        if self.orthogonal:
            q, r = torch.linalg.qr(W.double().cpu())
            # With R's diagonal made positive, q is uniform over the orthogonal matrices (Mezzadri 2007).
            W = (q * r.diagonal(dim1=1, dim2=2).sign()[:, None]).to(W)
        params["recurrent.W"] = gain * W
        return params

    def __call__(self, params, x):
        """Logits (members, batch, classes) of x (members, batch, length, inputs)."""
        act = find_activation(self.activation, slope=self.slope)
        members, batch = x.shape[:2]
        W = params["recurrent.W"]
        # What enters from outside, for all steps in one product: (members, length · batch, width).
        outside = torch.baddbmm(params["input.b"], x.transpose(1, 2).flatten(1, 2), params["input.W"])
        outside = (outside + params["recurrent.b"]).view(members, self.length, batch, self.width)
        # unbind, not outside[:, t]: back-propagation through a slice fills a tensor of all steps with zeros.
        first, *later = outside.unbind(1)
        h = act(first)
        for z in later:
            h = act(torch.baddbmm(z, h, W))
        return torch.baddbmm(params["readout.b"], h, params["readout.W"])
