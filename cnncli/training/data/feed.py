"""How a batch gets to the network: gathered, changed, normalized, with what its outputs are compared with.

Images and targets stay in memory as bytes, on the device if they fit; without transforms a batch is one
gather and one affine map. No Python code runs per sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

import torch
from torch import Tensor

from cnncli.recipe.columns import CLASS, INPUT, MASK, PICTURE, Column
from cnncli.training.data.dataset import Split
from cnncli.training.data.normalization import affine
from cnncli.training.data.recorded import Normalization
from cnncli.training.data.rows import Rows
from cnncli.training.data.targets import WAYS, has_classes, present
from cnncli.training.device import BACKENDS

_LARGEST: Final = 255
_NOTHING: Final[Mapping[str, Tensor]] = MappingProxyType({})


class Batch(NamedTuple):
    """What a step gets: ``inputs`` float32 [n, *shape], normalized, and the targets of its columns.

    ``targets`` are as :data:`~cnncli.training.data.targets.WAYS` describes them; those of the column
    ``input`` are the images before they were corrupted, float32 with values from 0 to 1. ``present``, bool
    [n], says which samples have a target; a column of which all samples of the part have one is not in it.
    If samples are mixed with others, ``mixed`` has the rest of what they are compared with.
    """

    inputs: Tensor
    targets: Mapping[str, Tensor]
    present: Mapping[str, Tensor] = _NOTHING
    mixed: Mixed | None = None

    def slices(self, bounds: Sequence[tuple[int, int]]) -> Iterator[Batch]:
        """Yield its samples between ``bounds``."""
        if len(bounds) == 1:
            yield self
            return
        for start, end in bounds:
            yield self._slice(slice(start, end))

    def first(self, count: int) -> Batch:
        """Return its first samples."""
        return self if count == len(self.inputs) else self._slice(slice(count))

    def _slice(self, place: slice) -> Batch:
        mixed = self.mixed
        return Batch(
            self.inputs[place],
            {name: each[place] for name, each in self.targets.items()},
            {name: each[place] for name, each in self.present.items()},
            None if mixed is None else Mixed(mixed.share[place], mixed.partner._slice(place)),
        )


class Mixed(NamedTuple):
    """Of a batch of mixed samples, the ``share`` of each sample, float32 [n], and what has the rest.

    The targets of the ``partner`` are those of the other samples. Its pictures are those of the batch, which
    are mixed themselves; so are masks where they were pasted.
    """

    share: Tensor
    partner: Batch


class Views(NamedTuple):
    """Images of a batch, float32 [n, *shape], values from 0 to 1, and the targets that move with them.

    ``masks`` are int64 [n, *spatial], ``pictures`` float32 [n, channels, *spatial]. If each image is mixed
    with the next one in the batch, ``share`` is how much of it remains, float32 [n], and ``partner_masks``
    what the rest is compared with.
    """

    images: Tensor
    masks: Mapping[str, Tensor] = _NOTHING
    pictures: Mapping[str, Tensor] = _NOTHING
    share: Tensor | None = None
    partner_masks: Mapping[str, Tensor] = _NOTHING


Alter: TypeAlias = Callable[[Views, Tensor], Views]
"""Changes samples that have these numbers, int64 [n] on the CPU."""


def unaltered(views: Views, index: Tensor) -> Views:
    """Return samples as they are."""
    del index
    return views


class Alters(NamedTuple):
    """What happens to samples: ``views`` to images and targets, then ``inputs`` to what the network sees."""

    views: Alter = unaltered
    inputs: Alter = unaltered


def fits(nbytes: int, device: torch.device) -> bool:
    """Return whether to keep ``nbytes`` of data on the device: at most half of its free memory."""
    free = BACKENDS[device.type].free_memory(device)
    return free is None or nbytes <= free // 2


class Feed:
    """A part of the data that yields batches.

    ``columns`` are those whose targets are needed. The column ``input``, if it is one of them, has no targets
    in the part: they are the images.
    """

    def __init__(
        self,
        split: Split,
        columns: Mapping[str, Column],
        normalization: Normalization,
        device: torch.device,
        *,
        keep: bool,
    ) -> None:
        """Move the part to ``device`` if ``keep``; otherwise each batch is moved on its own."""
        self._home = device if keep else torch.device("cpu")
        self._device = device
        self._images = split.rows.on(self._home)
        self._forms = {name: column.form for name, column in columns.items() if name != INPUT}
        self._of_input = INPUT in columns
        self._targets = {name: split.column(name).on(self._home) for name in self._forms}
        found = {name: present(form, split.column(name)) for name, form in self._forms.items()}
        self._present = {
            name: Rows(each).on(self._home) for name, each in found.items() if not bool(each.all())
        }
        self._scale, self._shift = affine(normalization, len(split.shape), device)

    def __len__(self) -> int:
        return self._images.count

    @property
    def image_values(self) -> int:
        """The number of values of one image."""
        return self._images.stored[0].numel()

    def shuffled(
        self, order: Tensor, bounds: Sequence[tuple[int, int]], alters: Alters | None = None
    ) -> Iterator[Batch]:
        """Yield the batches of ``order`` between ``bounds``."""
        at_home = order.to(self._home)
        self._announce(at_home, bounds[:1])
        for number, (start, end) in enumerate(bounds, 1):
            self._announce(at_home, bounds[number : number + 1])
            index = at_home[start:end]
            yield self._batch(index, order[start:end], alters)

    def _announce(self, order: Tensor, bounds: Sequence[tuple[int, int]]) -> None:
        """Say that batches will be gathered soon."""
        for start, end in bounds:
            for rows in (self._images, *self._targets.values()):
                rows.announce(order[start:end])

    def in_order(self, bounds: list[tuple[int, int]], alters: Alters | None = None) -> Iterator[Batch]:
        """Yield the batches between ``bounds`` in the order of the data."""
        for start, end in bounds:
            yield self._batch(slice(start, end), torch.arange(start, end), alters)

    def _batch(self, place: Tensor | slice, index: Tensor, alters: Alters | None) -> Batch:
        def moved(rows: Rows) -> Tensor:
            return rows.take(place).to(self._device, non_blocking=True)

        images = moved(self._images)
        known = {name: moved(each) for name, each in self._present.items()}
        targets = {name: self._ready(name, moved(each)) for name, each in self._targets.items()}
        if alters is None and not self._of_input:
            return Batch(images.to(torch.float32).mul_(self._scale).add_(self._shift), targets, known)
        views = Views(images.to(torch.float32).div_(_LARGEST), *self._moving(targets))
        alters = alters or Alters()
        views = alters.views(views, index)
        targets |= {**views.masks, **views.pictures}
        known |= {name: has_classes(each) for name, each in views.masks.items()}
        if self._of_input:
            targets[INPUT] = views.images
        seen = alters.inputs(Views(views.images), index).images
        batch = Batch(seen.mul(self._scale * _LARGEST).add_(self._shift), targets, known)
        if views.share is None:
            return batch
        return batch._replace(mixed=Mixed(views.share, _partner(batch, views)))

    def _ready(self, name: str, targets: Tensor) -> Tensor:
        """Return targets as they are compared."""
        form = self._forms[name]
        if form == CLASS and name not in self._present:
            return targets
        return WAYS[form].ready(targets)

    def _moving(self, targets: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the masks and the pictures among targets."""
        masks, pictures = (
            {name: each for name, each in targets.items() if self._forms[name] == form}
            for form in (MASK, PICTURE)
        )
        return masks, pictures


def _partner(batch: Batch, views: Views) -> Batch:
    """Return a batch of the samples that those of a batch are mixed with: each time the next one."""
    moved = {**views.masks, **views.pictures, INPUT: views.images}
    targets = {
        name: views.partner_masks.get(name, each) if name in moved else each.roll(-1, 0)
        for name, each in batch.targets.items()
    }
    present = {
        name: has_classes(views.partner_masks[name]) if name in views.partner_masks else each.roll(-1, 0)
        for name, each in batch.present.items()
    }
    return Batch(batch.inputs, targets, present)
