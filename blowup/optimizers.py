"""SGD, Adam and AdamW on stacked parameters, with a rate and a decay for each member; torch.optim's updates.

Decay comes in two kinds that are one only for plain SGD (chapter "Regularization"). L2 adds
``weight_decay`` · p to the gradient, so it passes through momentum and Adam's division (not through
clipping, which comes before); decoupled decay (Loshchilov and Hutter 2019) multiplies the parameter by
1 − lr · weight_decay, beside the gradient.
"""

import torch


def spread(numbers, like):
    """``numbers`` (members,) shaped to multiply ``like`` (members, …)."""
    return numbers.view(-1, *[1] * (like.dim() - 1))


def some(weight_decay):
    """``weight_decay`` (members,), or None where nobody has any: then nothing is computed."""
    return weight_decay if bool(weight_decay.any()) else None


def with_l2(g, p, weight_decay):
    """The gradient of the loss plus that of ½ · weight_decay · ‖p‖²; ``weight_decay`` (members,)."""
    return g + spread(weight_decay, p) * p


class Optimizer:
    """What the optimizers share: ``step`` takes all tensors, ``update`` changes one of them in place."""

    averages = 1
    """How many moving averages, shaped like the tensor, an update of a tensor keeps."""

    def __init__(self, params, lr, momentum, weight_decay):
        self.lr, self.momentum, self.weight_decay = lr, momentum, some(weight_decay)
        self.moving = [[torch.zeros_like(p) for _ in range(self.averages)] for p in params]
        self.updates = 0

    @torch.no_grad()
    def step(self, params, grads):
        """Update ``params`` in place; returns their sums, (members,), which tell whether all are finite.

        A sum is inf or nan if one of its numbers is (or, seldom, if it overflows itself). Right after its
        update a tensor is still in the processor's cache: the sums cost a third of what they cost later.
        """
        self.updates += 1
        sums = []
        for p, g, moving in zip(params, grads, self.moving, strict=True):
            self.update(p, g, *moving)
            sums.append(p.flatten(1).sum(dim=1))
        return torch.stack(sums).sum(dim=0)


class SGD(Optimizer):
    """b ← momentum · b + g, p ← p − lr · b (Polyak 1964, in the form of torch.optim.SGD), with L2."""

    def update(self, p, g, moving):
        if self.weight_decay is not None:
            g = with_l2(g, p, self.weight_decay)
        torch.add(g, moving, alpha=self.momentum, out=moving)
        p.addcmul_(moving, spread(self.lr, p), value=-1)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, Algorithm 1); ``momentum`` is its β₁, β₂ = 0.999, ε = 1e-8; with L2."""

    averages, decoupled = 2, False

    def update(self, p, g, mean, square):
        first, second = self.momentum, 0.999
        if self.weight_decay is not None and self.decoupled:
            p.mul_(1 - spread(self.lr * self.weight_decay, p))
        elif self.weight_decay is not None:
            g = with_l2(g, p, self.weight_decay)
        mean.lerp_(g, 1 - first)
        square.mul_(second).addcmul_(g, g, value=1 - second)
        root = square.sqrt().div_((1 - second**self.updates) ** 0.5).add_(1e-8)
        p.addcmul_(mean / root, spread(self.lr, p), value=-1 / (1 - first**self.updates))


class AdamW(Adam):
    """Adam with decoupled decay: p ← (1 − lr · weight_decay) p, then Adam's step (torch.optim.AdamW)."""

    decoupled = True


OPTIMIZERS = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
