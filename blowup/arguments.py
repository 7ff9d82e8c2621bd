"""The checks of arguments that networks and training share: one clear ValueError each."""

import torch


def integer(name, value, least=1):
    """``value`` if it is an integer of at least ``least``; ValueError naming ``name`` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")
    return value


def seed_list(seeds):
    """``seeds`` as a list: an int n means 0 … n − 1, a sequence stands for itself (seeds may repeat)."""
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        return list(range(integer("seeds", seeds)))
    try:
        members = [int(seed) for seed in seeds]
        whole = all(seed == given for seed, given in zip(members, seeds, strict=True))
    except (TypeError, ValueError):
        whole, members = False, [0]
    if not whole or min(members, default=-1) < 0:
        raise ValueError(
            f"seeds: expected a number of seeds (at least 1) or a sequence of them, got {seeds!r}"
        )
    return members


def per_member(name, value, members, least=0.0, strict=True):
    """``value``, one number or one for each member, as a float64 tensor (members,).

    Every number must be finite and above ``least`` (not below it, where ``strict`` is False).
    """
    try:
        numbers = torch.as_tensor(value, dtype=torch.float64).reshape(-1)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name}: expected a number or one for each member, got {value!r}") from None
    if len(numbers) not in (1, members):
        raise ValueError(f"{name}: expected 1 or {members} numbers (one for each seed), got {len(numbers)}")
    allowed = (numbers > least) if strict else (numbers >= least)
    if not bool((allowed & numbers.isfinite()).all()):
        raise ValueError(
            f"{name}: must be finite and {'above' if strict else 'at least'} {least:g}, got {value!r}"
        )
    return numbers.expand(members)
