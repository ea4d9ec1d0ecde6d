"""The last step of the sources that read arrays: checks, conversion, and the finished data set."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from cnncli.training.data.dataset import Dataset, Measured, labeled, of_classes
from cnncli.training.data.labels import check_labels, first_class, named_labels, numbered_classes
from cnncli.training.data.resize import conform


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
    notes: tuple[str, ...] = (),
    first_label: int | None = None,
) -> Dataset:
    """Return a data set of two parts whose labels are numbers, from ``first_label`` on.

    Raises:
        UsageError: labels do not match the images, or images cannot be converted to the spec's input.
    """
    check_labels(train.labels, len(train.images), f"{name}: the training part")
    check_labels(test.labels, len(test.images), f"{name}: the held-out part")
    first = first_class(train.labels, test.labels, name, first_label)
    classes, class_notes = numbered_classes(train.labels, test.labels, name, first)
    train_images, train_notes = conform(train.images, input_shape, resize)
    test_images, test_notes = conform(test.images, input_shape, resize)
    # Both parts usually have the same notes: keep each once.
    all_notes = dict.fromkeys((*notes, *class_notes, *train_notes, *test_notes))
    return Dataset(
        name=name,
        columns=of_classes(classes),
        train=labeled(train_images, train.labels - first),
        test=labeled(test_images, test.labels - first),
        notes=tuple(all_notes),
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
