"""Which images are held out if a source does not say it, and which are used: always the same, by class."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence


def held_out(labels: Sequence[int], keys: Sequence[str]) -> list[int]:
    """Return the indices of the held-out images: a fifth of each class, rounded, at least one.

    They are the images whose keys have the smallest SHA-256, so the choice depends on the keys alone: not on
    the training seed, the order, or the version of a random generator.

    Args:
        labels: the class of each image.
        keys: a name for each image that never changes, such as its path below the folder.

    Returns:
        Indices in ascending order.
    """
    by_class: dict[int, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        by_class[label].append(index)
    chosen: list[int] = []
    for members in by_class.values():
        members.sort(key=lambda index: hashlib.sha256(keys[index].encode(errors="surrogateescape")).digest())
        chosen += members[: max(1, (len(members) * 2 + 5) // 10)]
    return sorted(chosen)


def share_of(labels: Sequence[int], share: float) -> list[int]:
    """Return the indices of a share of each class, rounded, at least one: a smaller share is a part of it.

    Images are taken in the order of the SHA-256 of their number, which is not related to their own order.
    """
    order = sorted(range(len(labels)), key=lambda index: hashlib.sha256(str(index).encode()).digest())
    by_class: dict[int, list[int]] = defaultdict(list)
    for index in order:
        by_class[labels[index]].append(index)
    return sorted(
        index for members in by_class.values() for index in members[: max(1, round(len(members) * share))]
    )
