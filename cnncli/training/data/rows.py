"""Some rows of a tensor, which may be a file of any size: gathered when they are used, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from cnncli.training.data.packs.arrays import MappedFile, announce

_CHUNK_VALUES: Final = 1 << 24
_LEAST_ANNOUNCED: Final = 1 << 14
"""Bytes of a row from which on a call of the system is short beside what a network does with it."""


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """The rows of ``stored`` [M, ...] that have these ``numbers``, int64 [N] on its device; None for all.

    ``files`` are those that they and what belongs to them are mapped from, if they are not in memory.
    """

    stored: Tensor
    numbers: Tensor | None = None
    files: tuple[MappedFile, ...] = ()

    @property
    def count(self) -> int:
        """N."""
        return len(self.stored if self.numbers is None else self.numbers)

    @property
    def nbytes(self) -> int:
        """The bytes of the rows."""
        return self.count * self.stored[:1].nbytes

    def take(self, place: Tensor | slice) -> Tensor:
        """Return the rows at a place among them: a stretch, or int64 [n].

        Raises:
            UsageError: somebody has made a file of theirs shorter.
        """
        self._check()
        if self.numbers is not None:
            return self.stored.index_select(0, self.numbers[place])
        return self.stored[place] if isinstance(place, slice) else self.stored.index_select(0, place)

    def announce(self, place: Tensor) -> None:
        """Say that the rows at a place, int64 [n], are taken soon: those of a file are read until then."""
        if self.files and self.stored[:1].nbytes >= _LEAST_ANNOUNCED:
            announce(self.stored, place if self.numbers is None else self.numbers[place])

    def chunks(self) -> Iterator[Tensor]:
        """Yield all rows, about 16 million values at a time."""
        step = max(1, _CHUNK_VALUES // max(1, self.stored[:1].numel()))
        for start in range(0, self.count, step):
            yield self.take(slice(start, start + step))

    def chosen(self, numbers: Tensor) -> Rows:
        """Return some of the rows, int64 [n], without gathering them."""
        chosen = numbers if self.numbers is None else self.numbers[numbers]
        return Rows(self.stored, chosen, self.files)

    def whole(self) -> Tensor:
        """Return all rows in memory; the tensor itself if they are all of its rows."""
        self._check()
        return self.stored if self.numbers is None else self.stored.index_select(0, self.numbers)

    def _check(self) -> None:
        for file in self.files:
            file.check()

    def on(self, device: torch.device) -> Rows:
        """Return the rows on a device; on the CPU, where they are, they are not gathered."""
        return self if device.type == "cpu" else Rows(self.whole().to(device))
