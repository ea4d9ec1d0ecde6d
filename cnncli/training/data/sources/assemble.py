"""The last step of the sources that read arrays: checks, conversion, and the finished data set."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cnncli.training.data.dataset import Dataset, Measured, Split, labeled, of_classes
from cnncli.training.data.labels import check_labels, first_class, named_labels, numbered_classes
from cnncli.training.data.resize import conform
from cnncli.training.data.space import MEMORY, Space


class Part(NamedTuple):
    """Images and labels as read: uint8 [N, channels, *spatial] or [N, features], and int64 [N]."""

    images: Tensor
    labels: Tensor


def assemble(
    name: str,
    train: Part,
    test: Part,
    input_shape: tuple[int, ...],
    resize: str,
    first_label: int | None = None,
    val: Part | None = None,
    space: Space = MEMORY,
) -> Dataset:
    """Return a data set of two or three parts whose labels are numbers, from ``first_label`` on.

    Images that must be converted are put into ``space``.

    Raises:
        UsageError: labels do not match the images, or images cannot be converted to the spec's input.
    """
    parts = {"training": train, "held-out": test, **({} if val is None else {"validation": val})}
    for what, part in parts.items():
        check_labels(part.labels, len(part.images), f"{name}: the {what} part")
    held_out = test.labels if val is None else torch.cat((test.labels, val.labels))
    first = first_class(train.labels, held_out, name, first_label)
    classes, class_notes = numbered_classes(train.labels, held_out, name, first)
    splits, all_notes = list[Split](), [*class_notes]
    for part in parts.values():
        images, conversions = conform(part.images, input_shape, resize, space)
        splits.append(labeled(images, part.labels - first))
        all_notes += conversions
    return Dataset(
        name=name,
        columns=of_classes(classes),
        train=splits[0],
        test=splits[1],
        # The parts usually have the same notes: keep each once.
        notes=tuple(dict.fromkeys(all_notes)),
        val=None if val is None else splits[2],
    )


def assemble_measured(
    name: str,
    part: Part,
    what: str,
    input_shape: tuple[int, ...],
    resize: str,
    notes: tuple[str, ...] = (),
) -> Measured:
    """Return images to measure a network on, whose labels are numbers; ``what`` says which they are.

    Raises:
        UsageError: labels do not match the images, or images cannot be converted to the spec's input.
    """
    check_labels(part.labels, len(part.images), f"{name}: {what}")
    classes, labels = named_labels(part.labels)
    images, conversions = conform(part.images, input_shape, resize)
    return Measured(name, of_classes(classes), labeled(images, labels), what, (*notes, *conversions))
