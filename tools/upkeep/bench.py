"""How fast an ensemble trains, what limits it, and how long the long commands take: ``make bench``.

An ensemble against the straightforward loop over seeds (nn.Module, torch.optim.SGD, one seed after the
other, nothing recorded), per step. The jobs are short and take turns for half a minute, and the fastest turn
of each counts, so that whatever else the machine does hits all of them alike.
"""

import os

# Threads that spin while they wait slow each other down on a machine that does something else as well.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import sys
import time
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from blowup.networks import CNN, MLP
from blowup.optimizers import SGD
from blowup.training import accuracy, batches, train
from tools.site import executed
from tools.upkeep import seconds
from tools.upkeep.machine import facts

BATCH, LR, EXAMPLES, PIXELS = 32, 0.01, 320, 20
NETS = {
    "MLP, 20 layers of 64, 64 seeds": (MLP(64, 10, depth=20, width=64), 64),
    "CNN, 8 and 16 channels, 32 seeds": (CNN(PIXELS, 10, channels=(8, 16)), 32),
}
SMALL = {
    "MLP, 2 layers of 8, 4 seeds": (MLP(64, 10, depth=2, width=8), 4),
    "CNN, 2 and 3 channels, 3 seeds": (CNN(PIXELS, 10, channels=(2, 3)), 3),
}
STEPS = 10
LEAST_ROUNDS = 3


def fastest(jobs, patience):
    """Seconds of the fastest call of each job; ``jobs`` maps names to functions, called in turns.

    As many turns as ``patience`` seconds allow, and at least three.
    """
    best, began, rounds = dict.fromkeys(jobs, float("inf")), time.perf_counter(), 0
    while rounds < LEAST_ROUNDS or time.perf_counter() - began < patience:
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            best[name] = min(best[name], time.perf_counter() - start)
        rounds += 1
    return best


def data(net):
    """Noise in the shape of the network's input, (320, …), and classes: the time does not depend on them."""
    return torch.randn(EXAMPLES, *net.input_shape), torch.arange(EXAMPLES) % net.classes


def plain(net):
    """The network as an nn.Module, for one seed."""
    if isinstance(net, MLP):
        sizes = [net.inputs, *[net.width] * net.depth]
        hidden = [m for n, k in pairwise(sizes) for m in (nn.Linear(n, k), nn.Tanh())]
        return nn.Sequential(*hidden, nn.Linear(sizes[-1], net.classes))
    layers = [nn.Unflatten(1, (1, PIXELS))]
    for n, k in pairwise([1, *net.channels]):
        layers += [nn.Conv2d(n, k, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(net.features(), net.classes))


def loop(net, steps):
    """Train one seed; the loop over seeds takes as many times longer as there are seeds."""
    (x, y), module = data(net), plain(net)
    optimizer = torch.optim.SGD(module.parameters(), lr=LR, momentum=0.9)
    for chosen in batches([0], len(y), BATCH, steps)[:, 0]:
        optimizer.zero_grad()
        F.cross_entropy(module(x[chosen]), y[chosen]).backward()
        optimizer.step()


def ensemble(net, seeds, steps):
    x, y = data(net)
    train(net, x, y, seeds, steps, LR, BATCH, every=steps, progress=False, x_test=x[:BATCH], y_test=y[:BATCH])


def products(net, seeds):
    """The matrix products of one step of an MLP, z = aW, da = dz Wᵀ, dW = aᵀ dz, and their flops."""
    shapes = [(n, m) for (n, m), _, _ in net.hidden()] + [(net.features(), net.classes)]
    tensors = [(torch.randn(seeds, BATCH, n), torch.randn(seeds, n, m), torch.randn(seeds, BATCH, m))
               for n, m in shapes]  # fmt: skip

    def job():
        for a, W, dz in tensors:
            torch.bmm(a, W), torch.bmm(dz, W.transpose(1, 2)), torch.bmm(a.transpose(1, 2), dz)

    return job, sum(6 * seeds * BATCH * n * m for n, m in shapes)


def convolutions(net, seeds, pool):
    """The convolutions of one step of a CNN, or its pools, there and back, with the channels last."""
    size, jobs = net.size, []
    for n, m in pairwise([1, *net.channels]):
        x, z = (torch.randn(BATCH, seeds * k, size, size) for k in (n, m))
        x, z = (t.contiguous(memory_format=torch.channels_last) for t in (x, z))
        W = torch.randn(seeds * m, n, 3, 3, requires_grad=True)
        x.requires_grad_(n > 1), z.requires_grad_()  # nobody asks for the gradient of the image
        half = torch.randn_like(F.max_pool2d(z.detach(), 2))
        jobs.append((x, W, z, half))
        size //= 2

    def job():
        for x, W, z, half in jobs:
            if pool:
                torch.autograd.grad(F.max_pool2d(z, 2), z, half)
            else:
                asked = [t for t in (x, W) if t.requires_grad]
                torch.autograd.grad(F.conv2d(x, W, padding=1, groups=seeds), asked, z.detach())

    return job


def update(net, seeds):
    """The momentum update of one step with the sums that notice what is not finite, and its megabytes."""
    params = list(net.init(seeds).values())
    grads = [torch.randn_like(p) for p in params]
    optimizer = SGD(params, torch.full((seeds,), LR), 0.9, torch.zeros(seeds))
    return lambda: optimizer.step(params, grads), 6 * 4 * sum(p.numel() for p in params) / 1e6


def measure(nets, patience):
    """Seconds of each job, {name: seconds}, the ensembles' and the loops' per step, and what they compute."""
    jobs, about = {}, {}
    for kind, (net, seeds) in zip(("MLP", "CNN"), nets.values(), strict=True):
        jobs[f"{kind} start"] = partial(ensemble, net, seeds, 1)
        jobs[f"{kind} step"] = partial(ensemble, net, seeds, 1 + STEPS)
        jobs[f"{kind} loop"] = partial(loop, net, STEPS)
        jobs[f"{kind} update"], about[f"{kind} megabytes"] = update(net, seeds)
        about[f"{kind} seeds"] = seeds
    (mlp, many), (cnn, some) = nets.values()
    params, x, y = mlp.init(many), *data(mlp)
    jobs["MLP products"], about["MLP flops"] = products(mlp, many)
    jobs["MLP accuracy"] = partial(accuracy, mlp, mlp, params, x, y)
    jobs["CNN convolutions"] = convolutions(cnn, some, pool=False)
    jobs["CNN pools"] = convolutions(cnn, some, pool=True)
    square = torch.randn(1024, 1024)
    jobs["peak"] = lambda: torch.mm(square, square)
    took = fastest(jobs, patience)
    for kind in ("MLP", "CNN"):
        took[f"{kind} loop"] *= about[f"{kind} seeds"] / STEPS
        # An ensemble of one step starts, records twice and steps twice; the other has ten steps more.
        took[f"{kind} step"] = max((took[f"{kind} step"] - took[f"{kind} start"]) / STEPS, 1e-9)
    return took, about


def report(nets, took, about):
    """The lines that say what was found."""
    peak = 2 * 1024**3 / took["peak"]
    for title, kind in zip(nets, ("MLP", "CNN"), strict=True):
        ratio = took[f"{kind} loop"] / took[f"{kind} step"]
        yield (
            f"{title}: {took[f'{kind} step'] * 1e3:.1f} ms a step, {ratio:.1f} times as fast as the loop "
            f"over seeds; {took[f'{kind} start'] * 1e3:.0f} ms to start and for a first and a last record"
        )
    step, flops = took["MLP step"], about["MLP flops"]
    share = {name: took[f"MLP {name}"] / step for name in ("products", "update")}
    yield (
        f"What limits the MLP: matrix products take {share['products']:.0%} of a step, at "
        f"{flops / took['MLP products'] / peak:.0%} of this machine's peak of {peak / 1e9:.0f} GFLOP/s, for "
        f"they are small; the update takes {share['update']:.0%}, for it moves "
        f"{about['MLP megabytes']:.1f} MB at {about['MLP megabytes'] / 1e3 / took['MLP update']:.1f} GB/s; "
        f"activations, their gradients and the loss take the rest. The accuracy of {EXAMPLES} examples costs "
        f"as much as {took['MLP accuracy'] / step:.1f} steps."
    )
    share = {name: took[f"CNN {name}"] / took["CNN step"] for name in ("convolutions", "pools", "update")}
    yield (
        f"What limits the CNN: convolutions take {share['convolutions']:.0%} of a step, pools "
        f"{share['pools']:.0%}, the update {share['update']:.0%}."
    )


def main(arguments):
    if arguments not in ([], ["--small"]):
        sys.exit(f"bench: the only option is --small, got {' '.join(arguments)!r}")
    nets, patience = (SMALL, 0) if arguments else (NETS, 30)
    print(f"{facts()}, {torch.get_num_threads()} threads", flush=True)
    took, about = measure(nets, patience)
    print("\n".join(report(nets, took, about)), end="\n\n")
    chapters = len(executed.chapters())
    print("\n".join(seconds.table(seconds.read(), seconds.published(), chapters)), end="\n\n")
    ratios = (f"{kind} {took[f'{kind} loop'] / took[f'{kind} step']:.1f}" for kind in ("MLP", "CNN"))
    print(f"Ensemble against loop over seeds: {', '.join(ratios)} times as fast.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: nothing was measured to the end")
