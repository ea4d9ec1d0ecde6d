"""A validation part that is split off from arrays: the same for every seed and limit, and found again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from cnncli.diagnostics import UsageError
from cnncli.recipe.data import Data
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.load import load, load_held_out

SHAPE = (1, 8, 8)


def rows(dataset: Dataset, part: str) -> list[bytes]:
    split = getattr(dataset, part)
    return [image.numpy().tobytes() for image in split.images]


def test_it_is_a_part_of_what_was_trained_on() -> None:
    whole, found = load(Data(), SHAPE), load(Data(holdout=0.1), SHAPE)
    assert found.val is not None
    assert whole.val is None
    assert Counter(rows(found, "train") + rows(found, "val")) == Counter(rows(whole, "train"))
    assert torch.equal(found.test.images, whole.test.images)
    counts, all_counts = found.val.labels.bincount(), whole.train.labels.bincount()
    assert counts.tolist() == [round(int(each) * 0.1) for each in all_counts]
    assert found.notes[0] == (
        f"{found.val.count} of {whole.train.count:,} training images split off as the validation part, "
        "the same share of each class"
    )


def test_what_a_training_needs_is_split_off_and_said() -> None:
    found, asked = load(Data(), SHAPE, holdout=0.1), load(Data(holdout=0.1), SHAPE)
    assert found.val is not None
    assert asked.val is not None
    assert torch.equal(found.val.images, asked.val.images)
    assert found.notes[0].endswith("; train.stop needs one, and train.data.holdout sets its share")
    none = load(Data(holdout=0.0), SHAPE, holdout=0.1)
    assert none.val is None


def test_less_training_data_leaves_it_as_it_is() -> None:
    whole, part = load(Data(holdout=0.1), SHAPE), load(Data(holdout=0.1, limit=0.1), SHAPE)
    assert whole.val is not None
    assert part.val is not None
    assert torch.equal(part.val.images, whole.val.images)
    assert part.train.count == pytest.approx(whole.train.count / 10, abs=5)
    assert set(rows(part, "train")) <= set(rows(whole, "train"))


@pytest.mark.parametrize("limit", [1.0, 0.1])
def test_it_is_read_again_as_it_was(limit: float) -> None:
    data = Data(holdout=0.1, limit=limit)
    found, again = load(data, SHAPE), load_held_out(data, SHAPE, part="val")
    assert found.val is not None
    assert torch.equal(again.split.images, found.val.images)
    assert torch.equal(again.split.labels, found.val.labels)


def test_the_fingerprint_follows_what_was_split_off() -> None:
    prints = [load(Data(holdout=share), SHAPE).fingerprint() for share in (0.0, 0.1, 0.2)]
    assert len(set(prints)) == 3


def test_classes_of_one_image_have_nothing_to_split_off(tmp_path: Path) -> None:
    path = tmp_path / "few.npz"
    images, labels = np.zeros((3, 8, 8), np.uint8), np.arange(3)
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    with pytest.raises(UsageError, match="each class has one training image"):
        load(Data(source=f"npz:{path}", holdout=0.5), SHAPE)
