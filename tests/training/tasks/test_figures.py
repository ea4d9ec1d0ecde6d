"""Sums over batches, against the mean over all samples at once."""

from __future__ import annotations

import pytest
import torch

from cnncli.training.tasks.figures import Sum, Sums, means
from tests.training.support import CPU

VALUES = torch.rand(50, generator=torch.Generator().manual_seed(0))
BOUNDS = [(0, 20), (20, 40), (40, 50)]


def written(batches: int) -> Sums:
    sums = Sums.zeros(["loss", "known.loss"], 3, CPU)
    for batch, (start, end) in enumerate(BOUNDS[:batches]):
        part = VALUES[start:end]
        known = part > 0.5  # a figure of some samples only, whose number is known on the device
        figures = {"loss": Sum(part.sum(), len(part)), "known.loss": Sum(part[known].sum(), known.sum())}
        sums.write(batch, figures)
    return sums


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_means_are_over_samples_not_over_batches(batches: int) -> None:
    found = means(written(batches).first(batches))
    seen = VALUES[: BOUNDS[batches - 1][1]].double()
    assert found["loss"] == pytest.approx(seen.mean().item(), rel=1e-6)
    assert found["known.loss"] == pytest.approx(seen[seen > 0.5].mean().item(), rel=1e-6)


def test_rows_are_restored_to_the_last_bit() -> None:
    sums = Sums.zeros(["loss", "known.loss"], 3, CPU)
    kept = written(2).first(2)
    sums.restore(kept)
    assert means(sums.first(2)) == means(kept)
    kept["loss"].zero_()  # a copy
    assert means(sums.first(2)) == means(written(2).first(2))
