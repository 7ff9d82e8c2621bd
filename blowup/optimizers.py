"""SGD and Adam on stacked parameters, with a learning rate for each member; torch.optim's own updates."""

import torch


def spread(numbers, like):
    """``numbers`` (members,) shaped to multiply ``like`` (members, …)."""
    return numbers.view(-1, *[1] * (like.dim() - 1))


class SGD:
    """b ← momentum · b + g, p ← p − lr · b (Polyak 1964, in the form of torch.optim.SGD)."""

    def __init__(self, params, lr, momentum, weight_decay):
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.moving = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def step(self, params, grads):
        for p, g, moving in zip(params, grads, self.moving, strict=True):
            if self.weight_decay:
                g = g.add(p, alpha=self.weight_decay)
            torch.add(g, moving, alpha=self.momentum, out=moving)
            p.addcmul_(moving, spread(self.lr, p), value=-1)


class Adam:
    """Adam (Kingma and Ba 2015, Algorithm 1); ``momentum`` is its β₁, β₂ = 0.999, ε = 1e-8."""

    def __init__(self, params, lr, momentum, weight_decay):
        self.lr, self.weight_decay, self.betas, self.updates = lr, weight_decay, (momentum, 0.999), 0
        self.mean = [torch.zeros_like(p) for p in params]
        self.square = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def step(self, params, grads):
        self.updates += 1
        first, second = self.betas
        for p, g, mean, square in zip(params, grads, self.mean, self.square, strict=True):
            if self.weight_decay:
                g = g.add(p, alpha=self.weight_decay)
            mean.lerp_(g, 1 - first)
            square.mul_(second).addcmul_(g, g, value=1 - second)
            root = square.sqrt().div_((1 - second**self.updates) ** 0.5).add_(1e-8)
            p.addcmul_(mean / root, spread(self.lr, p), value=-1 / (1 - first**self.updates))


OPTIMIZERS = {"sgd": SGD, "adam": Adam}
