from __future__ import annotations

import numpy as np
import pytest
import torch

from cnncli.training.data import rows
from cnncli.training.data.normalization import affine, measure
from cnncli.training.data.recorded import Normalization
from cnncli.training.data.rows import Rows


def some_bytes(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", [(7, 3, 5, 4), (9, 2, 11), (3, 2, 2, 3, 2)])
def test_measured_by_channel(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_CHUNK_VALUES", 50)  # several pieces
    images = some_bytes(*shape)
    values = images.numpy().astype(np.float64) / 255
    axes = (0, *range(2, len(shape)))
    found = measure(Rows(images))
    assert found.mean == pytest.approx(values.mean(axes), rel=1e-14)
    assert found.std == pytest.approx(values.std(axes), rel=1e-12)


def test_vectors_have_one_of_each() -> None:
    images = some_bytes(20, 6)
    values = images.numpy().astype(np.float64) / 255
    found = measure(Rows(images))
    assert found.mean == pytest.approx([values.mean()], rel=1e-14)
    assert found.std == pytest.approx([values.std()], rel=1e-12)


@pytest.mark.slow
def test_sums_are_exact_where_floats_would_not_be() -> None:
    # A hundred million values of 255 and one of 254: the deviation is 1e-4 / 255, lost in 32-bit sums.
    images = torch.full((100, 1, 1000, 1000), 255, dtype=torch.uint8)
    images[0, 0, 0, 0] = 254
    found = measure(Rows(images))
    assert found.mean[0] == (255 * 10**8 - 1) / 10**8 / 255
    assert found.std[0] == pytest.approx((1e-8 * (1 - 1e-8)) ** 0.5 / 255, rel=1e-12)


def test_a_channel_that_never_changes_becomes_zero() -> None:
    images = torch.full((4, 1, 2, 2), 51, dtype=torch.uint8)
    found = measure(Rows(images))
    assert found == Normalization((0.2,), (1.0,))
    scale, shift = affine(found, 3, torch.device("cpu"))
    assert torch.allclose(images * scale + shift, torch.zeros(1), atol=1e-7)
