"""``scenes``: what they are known to contain."""

from __future__ import annotations

import pytest
import torch

from cnncli.diagnostics import UsageError
from cnncli.recipe.data import SOURCES, Data
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.load import load
from cnncli.training.data.sources.scenes import COLUMNS


def scenes(shape: tuple[int, ...] = (1, 32, 32)) -> Dataset:
    return load(Data(source="scenes"), shape)


def test_every_column_says_the_same() -> None:
    found = scenes()
    assert (found.train.count, found.test.count) == (2000, 400)
    assert (*found.columns,) == SOURCES["scenes"].columns
    for split in (found.train, found.test):
        masks, tags, counts = (split.targets[name] for name in ("mask", "labels", "value"))
        for mask, tag, count in zip(masks, tags, counts, strict=True):
            digits = set(mask.unique().tolist()) - {0}
            assert digits == {digit + 1 for digit in tag.nonzero().flatten().tolist()}
            assert len(digits) <= count <= 3
            assert count >= 1
        assert (tags.sum(0) > split.count / 20).all()


def test_digits_are_brighter_than_what_is_around_them() -> None:
    part = scenes().train
    for image, mask in zip(part.images[:200, 0].float(), part.targets["mask"][:200], strict=True):
        assert image[mask > 0].mean() > image[mask == 0].mean() + 30


def test_rough_backgrounds_have_noise() -> None:
    part = scenes().train
    images, mask = part.images[:, 0].float(), part.targets["mask"]
    corner = images[:, :2, :2].flatten(1)
    clear = (mask[:, :4, :4] == 0).all(2).all(1)
    spread = corner.std(1)
    rough = part.targets["background"] == 1
    assert spread[clear & rough].median() > 5 * spread[clear & ~rough].median()
    assert 0.45 < rough.float().mean() < 0.55


def test_scenes_of_a_size_are_always_the_same_and_have_no_digit_in_both_parts() -> None:
    first, second = scenes((3, 40, 24)), scenes((3, 40, 24))
    assert first.fingerprint() == second.fingerprint()
    assert first.train.images.shape == (2000, 3, 40, 24)
    assert first.train.targets["mask"].shape == (2000, 40, 24)
    color = first.train.images.float().std(1)
    assert color[first.train.targets["mask"] > 0].mean() > 5
    both = torch.cat([first.train.images, first.test.images]).flatten(1)
    assert len(both.unique(dim=0)) == len(both)


@pytest.mark.parametrize("shape", [(2, 32, 32), (1, 15, 32), (1024,), (1, 32)])
def test_other_inputs_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="scenes cannot have the shape"):
        scenes(shape)
    assert COLUMNS["mask"].names[0] == "background"
