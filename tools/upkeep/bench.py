"""How fast an ensemble trains (``make bench``): ratios, all measured in this one run.

Ensemble against the straightforward loop over seeds (nn.Module, torch.optim.SGD, one seed after the other)
and the share of this machine's matrix-product peak that the ensemble reaches. The measurements take turns,
so that whatever else the machine does hits all of them, and the fastest of each counts.
"""

import time
from functools import partial
from itertools import pairwise

import torch
from torch import nn

from blowup.networks import CNN, MLP
from blowup.optimizers import SGD
from blowup.training import batches, train

ROUNDS, BATCH, LR = 3, 32, 0.01


def fastest(jobs):
    """Seconds of the fastest call of each job; ``jobs`` maps names to functions, called in turns."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def plain_mlp(net):
    sizes = [net.inputs, *[net.width] * net.depth]
    hidden = [m for n, k in pairwise(sizes) for m in (nn.Linear(n, k), nn.Tanh())]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], net.classes))


def plain_cnn(net):
    sizes, layers = [1, *net.channels], []
    for n, k in pairwise(sizes):
        layers += [nn.Conv2d(n, k, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(net.features(), net.classes))


def loop(make, x, y, seeds, steps):
    """Train one seed after the other, recording nothing."""
    order = batches(range(seeds), len(y), BATCH, steps)
    for k in range(seeds):
        module = make()
        optimizer = torch.optim.SGD(module.parameters(), lr=LR, momentum=0.9)
        for chosen in order[:, k]:
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[chosen]), y[chosen]).backward()
            optimizer.step()


def multiply(net, seeds):
    """The batched products of one step of an MLP and nothing else: z = aW, da = dz Wᵀ, dW = aᵀ dz."""
    shapes = [shape for shape, _, _ in net.hidden()] + [(net.width, net.classes)]
    tensors = [(torch.randn(seeds, BATCH, n), torch.randn(seeds, n, m), torch.randn(seeds, BATCH, m))
               for n, m in shapes]  # fmt: skip
    flops = sum(6 * seeds * BATCH * n * m for n, m in shapes)

    def job():
        for a, W, dz in tensors:
            torch.bmm(a, W), torch.bmm(dz, W.transpose(1, 2)), torch.bmm(a.transpose(1, 2), dz)

    return job, flops


def update(net, seeds):
    """The momentum update of one step and nothing else, and the megabytes that it reads and writes."""
    params = list(net.init(seeds).values())
    grads = [torch.randn_like(p) for p in params]
    optimizer = SGD(params, torch.full((seeds,), LR), 0.9, 0.0)
    return lambda: optimizer.step(params, grads), 5 * 4 * sum(p.numel() for p in params) / 1e6


def main():
    threads = torch.get_num_threads()
    print(f"torch {torch.__version__}, {threads} threads; fastest of {ROUNDS} rounds")
    mlp, mlp_seeds, mlp_steps = MLP(64, 10, depth=20, width=64), 64, 40
    cnn, cnn_seeds, cnn_steps = CNN(20, 10, channels=(8, 16)), 32, 6
    y = torch.arange(320) % 10
    x, images = torch.randn(320, 64), torch.randn(320, 20, 20)
    few = {"lr": LR, "batch": BATCH, "progress": False, "x_test": x[:32], "y_test": y[:32]}
    few_images = {**few, "x_test": images[:32]}
    square = torch.randn(1024, 1024)
    products, flops = multiply(mlp, mlp_seeds)
    updates, megabytes = update(mlp, mlp_seeds)
    seconds = fastest(
        {
            "mlp": partial(train, mlp, x, y, mlp_seeds, mlp_steps, every=mlp_steps, **few),
            "mlp loop": partial(loop, partial(plain_mlp, mlp), x, y, mlp_seeds, mlp_steps),
            "cnn": partial(train, cnn, images, y, cnn_seeds, cnn_steps, every=cnn_steps, **few_images),
            "cnn loop": partial(loop, partial(plain_cnn, cnn), images[:, None], y, cnn_seeds, cnn_steps),
            "peak": lambda: torch.mm(square, square),
            "products": products,
            "update": updates,
        }
    )
    report(seconds, mlp_steps, flops, megabytes)


def report(seconds, steps, flops, megabytes):
    for title, name in (
        ("MLP, 20 layers of 64, 64 seeds", "mlp"),
        ("CNN, 8 and 16 channels, 32 seeds", "cnn"),
    ):
        ratio = seconds[f"{name} loop"] / seconds[name]
        print(f"{title}: the ensemble is {ratio:.1f} times as fast as the loop over seeds")
    step = seconds["mlp"] / (steps + 1)  # the last record costs a step too
    peak = 2 * 1024**3 / seconds["peak"]
    products, updates = seconds["products"], seconds["update"]
    print(f"MLP ensemble: {flops / step / peak:.0%} of the matrix-product peak ({peak / 1e9:.0f} GFLOP/s)")
    print(
        f"What limits it: of {step * 1e3:.0f} ms a step the matrix products take {products / step:.0%}, "
        f"at {flops / products / peak:.0%} of the peak; the update takes {updates / step:.0%}, for it moves "
        f"{megabytes:.0f} MB at {megabytes / 1e3 / updates:.0f} GB/s and computes next to nothing; "
        f"activations, norms, checks and the start take {1 - (products + updates) / step:.0%}"
    )


if __name__ == "__main__":
    main()
