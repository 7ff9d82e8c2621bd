"""Train an ensemble of seeds at once: stacked parameters, one batched product per layer for all of them."""

import numpy as np
import torch
import torch.nn.functional as F

from blowup.arguments import integer, per_member, seed_list
from blowup.curves import Curves
from blowup.optimizers import OPTIMIZERS, spread
from blowup.progress import bar


def train(
    net,
    x,
    y,
    seeds=16,
    steps=300,
    lr=0.02,
    batch=32,
    momentum=0.9,
    optimizer="sgd",
    clip=None,
    weight_decay=0.0,
    x_test=None,
    y_test=None,
    every=10,
    device="cpu",
    progress=True,
):
    """Train ``net`` once for each seed, all at once, on the mean cross-entropy; returns Curves.

    x: (n, *input) for all members, or (members, n, *input), one data set for each; y: (n,) classes.
    x_test, y_test: the same for the test set; without one, the accuracy is that on x.
    seeds: a number n (seeds 0 … n − 1) or a sequence, in which seeds may repeat. A seed decides the
    starting weights and the order of the batches, so it gives the same curve alone and in company.
    lr, clip, weight_decay, net.gain: one number, or one for each member: a whole map is one call.
    optimizer: "sgd" (with ``momentum``), "adam" or "adamw" (``momentum`` is β₁); torch.optim's updates.
    weight_decay: L2 for "sgd" and "adam" (added to the gradient), decoupled for "adamw", as in torch.
    clip: the largest global gradient norm of a member, before decay is added, as torch's clip_grad_norm_
    (None: any).
    device: "cpu" or "cuda"; the starting weights and the batches are the same on both.
    batch: examples a step, drawn without replacement, shuffled anew when fewer are left; all if n is less.

    Recorded before any update, every ``every`` updates and after the last: the loss of the batch at hand
    before its update, the accuracy, the gradient norm of each layer before clipping (loss and gradient leave
    the decay out), and the norm of the update that follows. A member that overflows goes on as it would
    alone: its loss says inf or nan from there on, its accuracy is that of predicting class 0, and the others
    never notice. Batch norm measures the accuracy with its running statistics, the batch at hand included.

    ValueError names the argument that is out of range, of a wrong shape, or not finite.
    """
    seeds = seed_list(seeds)
    members = len(seeds)
    integer("steps", steps), integer("every", every), integer("batch", batch)
    lr = per_member("lr", lr, members)
    clip = None if clip is None else per_member("clip", clip, members)
    weight_decay = per_member("weight_decay", weight_decay, members, strict=False)
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum: must be at least 0 and below 1, got {momentum!r}")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer: unknown {optimizer!r}; known are {', '.join(OPTIMIZERS)}")
    if (x_test is None) != (y_test is None):
        raise ValueError("x_test and y_test: give both or neither")
    x, y = examples(net, x, y, members, device, "x", "y")
    if x_test is None:
        x_test, y_test = x, y
    else:
        x_test, y_test = examples(net, x_test, y_test, members, device, "x_test", "y_test")
        if x_test.dtype != x.dtype:
            raise ValueError(f"x_test: expected the type of x, {x.dtype}, got {x_test.dtype}")

    params = {name: p.requires_grad_() for name, p in net.init(seeds, device, x.dtype).items()}
    weights = list(params.values())
    optimizer = OPTIMIZERS[optimizer](weights, lr.to(x), momentum, weight_decay.to(x))
    clip = None if clip is None else clip.to(x)
    order = batches(seeds, len(y), batch, steps + 1).to(device)
    rows = sorted({*range(0, steps, every), steps})
    recorded = set(rows)
    shared = x.dim() == len(net.input_shape) + 1
    forward, evaluated = net.modes()
    tensors = [sum(name.startswith(f"{layer}.") for name in params) for layer in net.layer_names]
    records, first_nonfinite = [], torch.where(finite(weights), -1, 0)

    with bar(steps, f"{members} seeds", progress) as shown:
        for step in range(steps + 1):
            chosen = order[step]
            loss = losses(forward(params, pick(x, chosen, shared)), y[chosen])
            grads = torch.autograd.grad(loss.sum(), weights)
            if step in recorded:
                loss_and_accuracy = loss.detach(), accuracy(net, evaluated, params, x_test, y_test)
                sizes = exact(norms(grads), grads)
                before = [p.detach().clone() for p in weights]
            sums = optimizer.step(weights, grads if clip is None else clipped(grads, norms(grads), clip))
            date(first_nonfinite, step, steps, loss, grads, weights, sums)
            if step in recorded:
                moves = [p.detach() - old for p, old in zip(weights, before, strict=True)]
                update = torch.linalg.vector_norm(exact(norms(moves), moves), dim=1)
                layers = torch.stack([s.norm(dim=1) for s in sizes.split(tensors, dim=1)], dim=1)
                records.append([a.double().cpu().numpy() for a in (*loss_and_accuracy, layers, update)])
            shown.update(min(1, steps - step))

    loss, accuracies, grad_norms, update_norms = (np.stack(a, axis=1) for a in zip(*records, strict=True))
    return Curves(
        steps=np.array(rows),
        seeds=np.array(seeds),
        loss=loss,
        accuracy=accuracies,
        grad_norms=grad_norms,
        update_norms=update_norms,
        first_nonfinite=first_nonfinite.cpu().numpy(),
        layers=net.layer_names,
    )


def examples(net, x, y, members, device, x_name, y_name):
    """x and y as tensors on ``device``, checked; ValueError says what is wrong with them."""
    x, y = torch.as_tensor(x, device=device), torch.as_tensor(y, device=device)
    x = x if x.is_floating_point() else x.float()
    shape, own = tuple(net.input_shape), x.dim() == len(net.input_shape) + 2
    if tuple(x.shape[1 + own :]) != shape or (own and len(x) != members):
        sizes = ", ".join(map(str, shape))
        raise ValueError(
            f"{x_name}: expected (n, {sizes}), or ({members}, n, {sizes}) with one data set for each "
            f"member, got {tuple(x.shape)}"
        )
    if x.numel() == 0:
        raise ValueError(f"{x_name}: holds no examples")
    if not bool(x.isfinite().all()):
        raise ValueError(f"{x_name}: must be finite, but {int((~x.isfinite()).sum())} numbers are inf or nan")
    if tuple(y.shape) != (x.shape[own],):
        raise ValueError(
            f"{y_name}: expected one class for each of {x.shape[own]} examples, got {tuple(y.shape)}"
        )
    if not bool(((y == y.long()) & (y >= 0) & (y < net.classes)).all()):
        raise ValueError(f"{y_name}: expected whole numbers from 0 to {net.classes - 1}")
    return x, y.long()


def batches(seeds, n, batch, steps):
    """Which examples each step uses, (steps, members, batch): every member shuffles with its own seed."""
    batch = min(batch, n)
    epoch = n // batch
    columns = []
    for seed in seeds:
        # Another stream than that of the weights, and the same order whatever the network draws.
        generator = torch.Generator().manual_seed(seed + 1_000_003)
        shuffled = [
            torch.randperm(n, generator=generator)[: epoch * batch] for _ in range(-(-steps // epoch))
        ]
        columns.append(torch.cat(shuffled).view(-1, batch)[:steps])
    return torch.stack(columns, dim=1)


def pick(x, chosen, shared):
    """The examples ``chosen`` (members, batch) of x, shared (n, …) or one set for each member."""
    return x[chosen] if shared else x[torch.arange(len(x), device=x.device)[:, None], chosen]


def losses(logits, y):
    """Mean cross-entropy of each member, (members,), of logits (members, batch, classes)."""
    each = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
    return each.view(y.shape).mean(dim=1)


@torch.no_grad()
def date(first, step, last, loss, grads, weights, sums):
    """Enter into ``first`` (members,), −1 so far, the members that ceased to be finite, with the step.

    loss and grads are those of ``step``, weights and their sums those after its update, which count as those
    of the next step, if there is one. Looking at the sums is enough: inf or nan in a gradient is in the
    weights after its update, so that loss and sums tell on every step whether there is anything to date.
    """
    suspects = (first < 0) & ~(loss.isfinite() & sums.isfinite())
    if bool(suspects.any()):
        now = suspects & ~(loss.isfinite() & finite(grads))
        later = suspects & ~now & ~finite(weights) & (step < last)
        first[now], first[later] = step, step + 1


def finite(tensors):
    """Whether all numbers of each member are finite, (members,)."""
    return torch.stack([t.isfinite().flatten(1).all(dim=1) for t in tensors]).all(dim=0)


@torch.no_grad()
def accuracy(net, evaluated, params, x, y, chunk=128):
    """Share of the examples each member gets right, (members,); a nan predicts class 0, as argmax has it."""
    members, own = len(params["readout.b"]), x.dim() == len(net.input_shape) + 2
    x = x if own else x.expand(members, *x.shape)
    right = sum(
        (evaluated(params, x[:, i : i + chunk]).argmax(dim=2) == y[i : i + chunk]).sum(dim=1)
        for i in range(0, len(y), chunk)
    )
    return right.double() / len(y)


def norms(tensors):
    """The norm of each tensor for each member, (members, tensors), in the tensors' own precision."""
    return torch.stack([torch.linalg.vector_norm(t.detach().flatten(1), dim=1) for t in tensors], dim=1)


def exact(sizes, tensors):
    """``sizes`` in float64, with those mended whose squares overflowed although their numbers did not."""
    result = sizes.double()
    if bool(sizes.isinf().any()):
        for member, k in sizes.isinf().nonzero().tolist():
            numbers = tensors[k][member].detach().double()
            largest = numbers.abs().max()
            result[member, k] = largest * (numbers / largest).norm() if largest.isfinite() else largest
    return result


def clipped(grads, sizes, clip):
    """Gradients scaled to a global norm of at most ``clip`` for each member, by torch's formula.

    min(1, clip / (norm + 1e-6)), Pascanu et al. 2013 (Algorithm 1). A norm whose square overflows counts
    as infinite and stops the step, as in torch.
    """
    factor = (clip / (torch.linalg.vector_norm(sizes, dim=1) + 1e-6)).clamp(max=1)
    return [g * spread(factor, g) for g in grads]
