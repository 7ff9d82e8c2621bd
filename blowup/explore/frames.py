"""Many similar frames as one: what all have in common stands once, and a frame says only what differs."""

from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True)
class Shared:
    """Frames that share their pieces.

    ``skeleton`` holds fragments of markup and, where frames differ, ``None``: a slot. ``frames[k][s]`` lists
    the indices in ``pieces`` of what frame k puts into slot s.
    """

    skeleton: tuple
    pieces: tuple
    frames: tuple

    def fill(self, k):
        """The markup of each slot in frame ``k``."""
        return ["".join(self.pieces[p] for p in slot) for slot in self.frames[k]]

    def frame(self, k):
        """Frame ``k``, put together again."""
        slots = iter(self.fill(k))
        return "".join(next(slots) if part is None else part for part in self.skeleton)


def share(frames):
    """Shared pieces of ``frames``, a list of lists of markup fragments."""
    common = list(frames[0])
    for frame in frames[1:]:
        common = _common(common, frame)
    gaps = [_gaps(frame, common) for frame in frames]
    used = [g for g in range(len(common) + 1) if any(frame[g] for frame in gaps)]
    skeleton = []
    for g in range(len(common) + 1):
        skeleton += [None] * (g in used) + common[g : g + 1]
    index = {}
    numbered = tuple(
        tuple(tuple(index.setdefault(f, len(index)) for f in frame[g]) for g in used) for frame in gaps
    )
    return Shared(tuple(skeleton), tuple(index), numbered)


def _common(a, b):
    """A long common subsequence of two lists."""
    blocks = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    return [item for block in blocks for item in a[block.a : block.a + block.size]]


def _gaps(frame, common):
    """What ``frame`` has before, between and after the fragments of its subsequence ``common``."""
    gaps, rest = [[]], list(common)
    for fragment in frame:
        if rest and fragment == rest[0]:
            rest.pop(0)
            gaps.append([])
        else:
            gaps[-1].append(fragment)
    return gaps
