"""Figures of a pass over data: sums over the samples of each batch, on the device until they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from cnncli.training.world import ALONE, World


class Sum(NamedTuple):
    """A figure of a batch: its sum over samples, a scalar, and the number of these samples."""

    total: Tensor
    samples: Tensor | int

    @property
    def mean(self) -> Tensor:
        """The mean over the samples; 0 if there are none."""
        if isinstance(self.samples, int):
            return self.total / self.samples
        count = self.samples.to(self.total.dtype)
        return self.total / count.clamp(min=torch.finfo(count.dtype).tiny)

    def plus(self, other: Sum) -> Sum:
        """Return the sum over the samples of both."""
        return Sum(self.total + other.total, self.samples + other.samples)


@dataclass(frozen=True, eq=False, slots=True)
class Sums:
    """The figures of the batches of a pass by their names: float32 [batches, 2], sums and numbers of samples.

    A batch is written without waiting for the device; rows that were not written have no meaning.
    """

    rows: dict[str, Tensor]

    @classmethod
    def zeros(cls, names: Iterable[str], batches: int, device: torch.device) -> Self:
        """Return sums of nothing."""
        return cls({name: torch.zeros(batches, 2, device=device) for name in names})

    def write(self, batch: int, figures: Mapping[str, Sum]) -> None:
        """Write the figures of a batch."""
        for name, figure in figures.items():
            row = self.rows[name][batch]
            row[0] = figure.total
            row[1] = figure.samples

    def first(self, batches: int) -> dict[str, Tensor]:
        """Return a copy of the first rows on the CPU; waits for the device."""
        return {name: rows[:batches].to("cpu", copy=True) for name, rows in self.rows.items()}

    def restore(self, rows: Mapping[str, Tensor]) -> None:
        """Write the first rows, which :meth:`first` returned."""
        for name, written in rows.items():
            self.rows[name][: len(written)] = written


def means(rows: Mapping[str, Tensor], world: World = ALONE) -> dict[str, float]:
    """Return the mean of each figure over its samples, from rows on the CPU; one without samples has none.

    The rows are those of each process of a ``world``.
    """
    sums = {name: each.to(torch.float64).sum(0) for name, each in rows.items()}
    world.add(sums.values())
    pairs = {name: each.tolist() for name, each in sums.items()}
    return {name: total / count for name, (total, count) in pairs.items() if count}
