"""A validation part that is split off from arrays: the same for every seed and limit, and found again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

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
    assert found.notes[0].endswith(
        "; train.stop or train.schedule.plateau needs one, and train.data.holdout sets its share"
    )
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


def of_three(folder: Path, **changes: Any) -> str:
    """A file with a validation part, and labels from 1."""
    images = np.random.default_rng(1).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    labels = np.arange(12) % 3 + 1
    arrays: dict[str, Any] = {
        "x_train": images,
        "y_train": labels,
        "x_test": images[:2],
        "y_test": labels[:2],
    }
    arrays |= {"x_val": images[5:9], "y_val": labels[5:9], **changes}
    np.savez(folder / "three.npz", **{name: each for name, each in arrays.items() if each is not None})
    return f"npz:{folder / 'three.npz'}"


def test_arrays_of_three_parts(tmp_path: Path) -> None:
    data = Data(source=of_three(tmp_path), first_label=1)
    found = load(data, SHAPE, holdout=0.5)
    assert found.val is not None
    assert (found.train.count, found.val.count, found.test.count) == (12, 4, 2)
    assert torch.equal(found.val.images, found.train.images[5:9])
    assert found.val.labels.tolist() == [2, 0, 1, 2]
    assert torch.equal(load_held_out(data, SHAPE, part="val").split.images, found.val.images)
    with pytest.raises(UsageError, match="has a validation part"):
        load(data.replaced({"holdout": 0.2}), SHAPE)


def test_a_validation_part_without_labels(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no array y_val"):
        load(Data(source=of_three(tmp_path, y_val=None), first_label=1), SHAPE)
    with pytest.raises(UsageError, match="the held-out data has the label 7"):
        load(Data(source=of_three(tmp_path, y_val=np.array([1, 2, 3, 7])), first_label=1), SHAPE)


def test_data_without_classes_is_not_split_by_class() -> None:
    found = load(Data(source="scenes", holdout=0.1, limit=0.5), (1, 40, 40))
    assert found.val is not None
    assert found.val.count == round(0.1 * (found.train.count * 2 + found.val.count))
    assert not any("of each class" in note for note in found.notes)
    assert {*found.val.targets} == {*found.train.targets} == {*found.test.targets}
    again = load_held_out(Data(source="scenes", holdout=0.1), (1, 40, 40), part="val")
    assert all(torch.equal(again.split.targets[name], each) for name, each in found.val.targets.items())
