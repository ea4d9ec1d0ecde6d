"""Labels that are plain numbers: what they must be, and the classes that they name."""

from __future__ import annotations

import torch
from torch import Tensor

from cnncli.diagnostics import counted, listing, usage_error


def check_labels(labels: Tensor, images: int, where: str) -> None:
    """Check that there is a label for each image, at least one image, and no negative label.

    ``where`` names the data in messages.

    Raises:
        UsageError: one of these is not the case.
    """
    if len(labels) != images:
        raise usage_error(
            f"{where} has {counted(len(labels), 'label')} for {counted(images, 'image')}",
            expected="one label for each image",
            received=f"{counted(images, 'image')} and {counted(len(labels), 'label')}",
        )
    if images == 0:
        raise usage_error(f"{where} has no images", expected="at least one image")
    lowest = int(labels.min())
    if lowest < 0:
        raise usage_error(f"{where} has a negative label", expected="labels from 0", received=str(lowest))


def named_labels(labels: Tensor) -> tuple[tuple[str, ...], Tensor]:
    """Return the names of the classes that occur in labels 0, 1, 2, ..., and the labels as their numbers."""
    present, numbered = labels.unique(return_inverse=True)
    return tuple(map(str, present.tolist())), numbered


def first_class(train: Tensor, test: Tensor, where: str, stated: int | None) -> int:
    """Return the label of the first class: the one that is ``stated``, otherwise 0.

    Args:
        train: int64 [N], the training labels, none negative, N >= 1.
        test: int64 [M], the held-out labels, none negative, M >= 1.
        where: the source, for messages.
        stated: the setting ``first_label``.

    Raises:
        UsageError: a label is smaller than what is stated, or nothing is stated and labels start at 1, as
            those of MATLAB do: one of the outputs would never be trained.
    """
    lowest, highest = (int(torch.cat((train, test)).aminmax()[each]) for each in (0, 1))
    if stated is None and lowest == 1:
        raise usage_error(
            f"{where}: labels start at 1",
            expected="labels from 0, or train.data.first_label",
            received=f"labels from 1 to {highest}",
            hint="set train.data.first_label=1 for classes 1, 2, ..., or 0 if class 0 just has no images",
        )
    if stated is not None and lowest < stated:
        raise usage_error(
            f"{where} has the label {lowest}, but train.data.first_label is {stated}",
            expected=f"labels from {stated}",
            received=str(lowest),
        )
    return stated or 0


def numbered_classes(
    train: Tensor, test: Tensor, where: str, first: int = 0
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the classes of data whose labels are plain numbers, and notes about them.

    The classes are ``first`` up to the largest training label; a note names those without a training image.

    Args:
        train: int64 [N], the training labels, none below ``first``, N >= 1.
        test: int64 [M], the held-out labels, none below ``first``.
        where: the source, for messages.
        first: the label of the first class.

    Raises:
        UsageError: labels cannot be class numbers, or the held-out data has a class that the training data
            does not have.
    """
    count = int(train.max()) + 1
    if count > max(len(train), 256):
        raise usage_error(
            f"{where}: label {count - 1}, but only {len(train)} training images",
            expected=f"labels that number the classes {first}, {first + 1}, {first + 2}, ...",
            received=str(count - 1),
        )
    if int(test.max()) >= count:
        raise usage_error(
            f"{where}: the held-out data has the label {int(test.max())}, but the training data does not",
            expected=f"labels from {first} to {count - 1}",
            received=str(int(test.max())),
        )
    empty = (torch.bincount(train, minlength=count)[first:] == 0).nonzero().flatten().add(first).tolist()
    notes = (f"no training image is labeled {listing([str(label) for label in empty])}",) if empty else ()
    return tuple(str(label) for label in range(first, count)), notes
