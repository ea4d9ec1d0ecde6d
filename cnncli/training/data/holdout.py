"""Which images are held out if a source does not say it, and which are used: always the same, by class."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from cnncli.diagnostics import UsageError, usage_error

SAME_SHARE: Final = ", the same share of each class"
"""What is said of images that were chosen by class."""


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
        members.sort(key=lambda index: _hash(keys[index]))
        chosen += members[: max(1, (len(members) * 2 + 5) // 10)]
    return sorted(chosen)


def for_validation(labels: Sequence[int], keys: Sequence[str], share: float) -> list[int]:
    """Return the indices of a share of each class, rounded, at least one, but never a whole class.

    The choice depends on the keys alone, as that of :func:`held_out` does, so runs with different seeds are
    compared on the same images. It is not related to the latter, nor to :func:`share_of`.

    Args:
        labels: the class of each image.
        keys: a name for each image that never changes.
        share: below 1.

    Returns:
        Indices in ascending order.
    """
    by_class: dict[int, list[int]] = defaultdict(list)
    order = sorted(range(len(labels)), key=lambda index: _hash(f"validation {keys[index]}"))
    for index in order:
        by_class[labels[index]].append(index)
    return sorted(
        index
        for members in by_class.values()
        for index in members[: min(max(1, round(len(members) * share)), len(members) - 1)]
    )


def check_validation(held: Sequence[int], where: str) -> None:
    """Check that a validation part that was split off has images.

    Raises:
        UsageError: it has none.
    """
    if not held:
        raise usage_error(
            f"{where}: no validation part can be split off, since each class has one training image",
            expected="a class with two training images or more",
            hint="without train.stop, train.schedule.plateau and train.data.holdout none is needed",
        )


def validation_note(held: int, kept: int, *, by_class: bool, asked: bool) -> str:
    """Return what is said about a validation part that was split off, ``asked`` for or not."""
    share = SAME_SHARE if by_class else ""
    why = (
        ""
        if asked
        else "; train.stop or train.schedule.plateau needs one, and train.data.holdout sets its share"
    )
    return f"{held:,} of {held + kept:,} training images split off as the validation part{share}{why}"


def own_validation(where: str, holdout: float) -> UsageError:
    """Return the error for a validation part that is to be split off beside another."""
    return usage_error(
        f"{where} has a validation part, so train.data.holdout would split off another",
        expected="no train.data.holdout, or data without a validation part",
        received=f"train.data.holdout={holdout:g}",
    )


def share_of(labels: Sequence[int], share: float) -> list[int]:
    """Return the indices of a share of each class, rounded, at least one: a smaller share is a part of it.

    Images are taken in the order of the SHA-256 of their number, which is not related to their own order.
    """
    order = sorted(range(len(labels)), key=lambda index: _hash(str(index)))
    by_class: dict[int, list[int]] = defaultdict(list)
    for index in order:
        by_class[labels[index]].append(index)
    return sorted(
        index for members in by_class.values() for index in members[: max(1, round(len(members) * share))]
    )


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
