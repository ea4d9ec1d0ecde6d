"""Targets on their way into a batch: which samples have one, and what an output is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor

from cnncli.recipe.columns import CLASS, MASK, NUMBER, PICTURE, TAGS
from cnncli.training.data.dataset import IGNORED
from cnncli.training.data.rows import Rows

NO_CLASS: Final = -1
"""The class of a pixel of a mask, in a batch, that has no target."""

_LARGEST: Final = 255


class Way(NamedTuple):
    """How the targets of a form get into a batch.

    ``present`` are the samples that have a target, bool [N], of stored targets [N, ...] of
    :class:`~cnncli.training.data.dataset.Split`; None if all of them have one. ``ready`` converts them to
    what is compared: a class int64 [n], from 0 in any case; tags and numbers float32 [n, k]; a mask int64
    [n, *spatial] with :data:`NO_CLASS` where a pixel is left out; a picture float32 [n, ...], values from 0
    to 1.
    """

    present: Callable[[Tensor], Tensor] | None
    ready: Callable[[Tensor], Tensor]


def _masked(mask: Tensor) -> Tensor:
    classes = mask.to(torch.int64)
    return classes.masked_fill_(classes == IGNORED, NO_CLASS)


WAYS: Final[Mapping[str, Way]] = {
    CLASS: Way(lambda labels: labels >= 0, lambda labels: labels.clamp(min=0)),
    TAGS: Way(
        lambda tags: tags.amax(1) != IGNORED,
        lambda tags: torch.where(tags == IGNORED, 0, tags).to(torch.float32),
    ),
    NUMBER: Way(lambda values: ~values.isnan().any(1), lambda values: values.nan_to_num(0.0)),
    MASK: Way(lambda mask: (mask != IGNORED).flatten(1).any(1), _masked),
    PICTURE: Way(None, lambda pictures: pictures.to(torch.float32).div_(_LARGEST)),
}


def has_classes(masks: Tensor) -> Tensor:
    """Return whether masks of a batch, [n, *spatial], have a pixel with a class: bool [n]."""
    return (masks != NO_CLASS).flatten(1).any(1)


def class_counts(form: str, targets: Rows, classes: int) -> Tensor:
    """Return how many samples, or pixels of masks, each class has: int64 [classes]."""
    if form == MASK:
        counts = [torch.bincount(each.flatten(), minlength=IGNORED + 1) for each in targets.chunks()]
        return torch.stack(counts).sum(0)[:classes]
    labels = targets.whole()
    return torch.bincount(labels[labels >= 0], minlength=classes)


def present(form: str, targets: Rows) -> Tensor:
    """Return the samples that have a target, bool [N]; pictures, which all have one, are not read."""
    found = WAYS[form].present
    if found is None:
        return torch.ones(targets.count, dtype=torch.bool)
    return torch.cat([found(chunk) for chunk in targets.chunks()])
