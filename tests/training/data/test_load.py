"""Sources by name, the embedded digits, and what is held out."""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from cnncli.diagnostics import UsageError
from cnncli.recipe.data import Data
from cnncli.training.data.dataset import Dataset, labeled, of_classes
from cnncli.training.data.holdout import held_out
from cnncli.training.data.load import load, load_measured
from scripts.make_digits import FOLDER, files

FASHION = Path("/usr/share/datasets/fashion-mnist")


def test_digits_are_scikit_learns_each_in_one_part() -> None:
    found = load(Data(source="digits"), (1, 8, 8))
    source = load_digits()
    assert found.classes == tuple("0123456789")
    assert (found.train.count, found.test.count) == (1438, 359)
    assert found.notes == ()
    ours = Counter(
        (int(label), image.numpy().tobytes())
        for part in (found.train, found.test)
        for image, label in zip(part.images, part.labels, strict=True)
    )
    theirs = Counter(
        (int(label), np.rint(image / 16 * 255).astype(np.uint8).tobytes())
        for image, label in zip(source.images, source.target, strict=True)
    )
    assert ours == theirs
    shares = torch.bincount(found.test.labels) / torch.bincount(torch.from_numpy(source.target))
    assert shares.tolist() == pytest.approx([0.2] * 10, abs=0.003)


def test_the_bundled_digits_are_what_the_script_makes() -> None:
    made = files()
    assert {path.name for path in FOLDER.iterdir()} == {*made, "README.md"}
    for name, content in made.items():
        assert gzip.decompress((FOLDER / name).read_bytes()) == gzip.decompress(content)


def test_what_is_held_out_of_the_digits_never_changes() -> None:
    images = load(Data(source="digits"), (1, 8, 8)).test.images
    assert hashlib.sha256(images.numpy().tobytes()).hexdigest()[:16] == "ccfc453cf745e984"


def test_digits_are_resized_and_notes_say_so() -> None:
    found = load(Data(source="digits"), (3, 32, 32))
    assert found.input_shape == (3, 32, 32)
    assert found.notes == (
        "1x8x8 images resized to 1x32x32 (bilinear)",
        "1x8x8 images with gray repeated to 3 channels",
    )


def test_hold_out_depends_on_names_only() -> None:
    keys = [f"image-{number}" for number in range(100)]
    labels = [number % 3 for number in range(100)]
    chosen = held_out(labels, keys)
    assert Counter(labels[index] for index in chosen) == {0: 7, 1: 7, 2: 7}
    order = list(reversed(range(100)))
    again = held_out([labels[index] for index in order], [keys[index] for index in order])
    assert {keys[index] for index in chosen} == {keys[order[index]] for index in again}


@pytest.mark.parametrize(("count", "held"), [(1, 1), (2, 1), (7, 1), (8, 2), (100, 20)])
def test_a_fifth_rounded_and_at_least_one(count: int, held: int) -> None:
    assert len(held_out([0] * count, [str(index) for index in range(count)])) == held


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("digitz", "unknown data source 'digitz'", "did you mean 'digits'?"),
        ("", "unknown data source ''", ""),
        ("digits:x", "digits takes no path", ""),
        ("idx:", "idx needs a path", ""),
        ("npz:/nowhere/at/all.npz", "no such file or folder: /nowhere/at/all.npz", ""),
        ("/", "unknown data source '/'", "did you mean 'idx:/', 'folder:/', 'pairs:/' or 'packed:/'?"),
        (
            __file__,
            "unknown data source",
            f"did you mean 'npz:{__file__}', 'csv:{__file__}' or 'coco:{__file__}'?",
        ),
    ],
)
def test_wrong_sources(source: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load(Data(source=source), (1, 8, 8))
    assert caught.value.diagnostics[0].hint == hint


def test_fingerprint_sees_every_part() -> None:
    def dataset(
        images: int = 1, label: int = 0, name: str = "a", shape: tuple[int, ...] = (1, 2, 2)
    ) -> Dataset:
        part = labeled(torch.full((3, *shape), images, dtype=torch.uint8), torch.tensor([0, 1, label]))
        return Dataset("source", of_classes((name, "b")), part, part)

    prints = [
        each.fingerprint()
        for each in (dataset(), dataset(images=2), dataset(label=1), dataset(name="c"), dataset(shape=(4, 1)))
    ]
    assert len(set(prints)) == 5
    assert dataset().fingerprint() == prints[0]


@pytest.mark.skipif(
    not FASHION.is_dir(), reason="Fashion-MNIST is not installed (package dataset-fashion-mnist)"
)
def test_fashion_mnist() -> None:
    found = load(Data(source=f"idx:{FASHION}", resize="pad"), (1, 32, 32))
    assert (found.train.count, found.test.count) == (60000, 10000)
    assert torch.bincount(found.train.labels).tolist() == [6000] * 10
    assert found.notes == ("1x28x28 images padded with zeros to 1x32x32",)
    # The means of the published set, 0.2860 of 28x28 pixels.
    assert found.train.images.double().mean().item() / 255 * (32 / 28) ** 2 == pytest.approx(0.2860, abs=1e-4)


def npz_of_labels(folder: Path, train: list[int], test: list[int], **how: Any) -> Dataset:
    x = np.zeros((1, 4, 4), dtype=np.uint8)
    arrays: dict[str, Any] = {"x_train": x.repeat(len(train), 0), "x_test": x.repeat(len(test), 0)}
    np.savez(folder / "data.npz", y_train=np.array(train), y_test=np.array(test), **arrays)
    return load(Data(source=f"npz:{folder / 'data.npz'}", **how), (1, 4, 4))


def test_labels_from_1_are_an_error_until_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="labels start at 1") as caught:
        npz_of_labels(tmp_path, [1, 2, 3, 3], [2])
    assert caught.value.diagnostics[0].received == "labels from 1 to 3"
    assert "set train.data.first_label=1" in caught.value.diagnostics[0].hint
    assert "classes=" not in caught.value.diagnostics[0].hint
    found = npz_of_labels(tmp_path, [1, 2, 3, 3], [2], first_label=1)
    assert found.classes == ("1", "2", "3")
    assert (found.train.labels.tolist(), found.test.labels.tolist()) == ([0, 1, 2, 2], [1])
    assert found.notes == ()
    found = npz_of_labels(tmp_path, [1, 2, 3, 3], [2], first_label=0)
    assert found.classes == ("0", "1", "2", "3")
    assert found.notes == ("no training image is labeled 0",)
    with pytest.raises(UsageError, match=r"has the label 0, but train.data.first_label is 1"):
        npz_of_labels(tmp_path, [0, 1, 2], [2], first_label=1)
    with pytest.raises(UsageError, match="label 4, but the training data does not") as caught:
        npz_of_labels(tmp_path, [1, 2, 3, 3], [4], first_label=1)
    assert caught.value.diagnostics[0].expected == "labels from 1 to 3"
    # Classes are matched by name, so what is measured needs no base.
    measured = load_measured(Data(source=f"npz:{tmp_path / 'data.npz'}"), (1, 4, 4), of_classes("1234"))
    assert measured.as_known(of_classes("1234")).labels.tolist() == [3]


def test_unbalanced_classes_are_noted(tmp_path: Path) -> None:
    found = npz_of_labels(tmp_path, [0] * 270 + [1] * 3 + [2] * 3, [0])
    note = "unbalanced classes, from 3 to 270 training images: 270 0, 3 2 and 3 1"
    assert found.notes == (note,)
    assert npz_of_labels(tmp_path, [0] * 27 + [1] * 3, [0]).notes == ()
    assert npz_of_labels(tmp_path, [0] * 30 + [1] * 3, [0]).notes[0].startswith("unbalanced")


@pytest.mark.parametrize("place", ["a" * 5000, "~nobody-of-this-name/x", "nul\0character"])
@pytest.mark.parametrize("form", ["npz:{}", "{}"])
def test_paths_that_cannot_be(place: str, form: str) -> None:
    with pytest.raises(UsageError, match=r"no such file or folder|unknown data source"):
        load(Data(source=form.format(place)), (1, 8, 8))


def test_what_the_system_refuses_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UsageError, match=r"cannot read .*Permission denied"):
        load(Data(source=f"folder:{tmp_path}"), (1, 8, 8))
