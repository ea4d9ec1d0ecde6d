"""``hf``: data sets of Hugging Face's library, if it is installed, and of a stand-in for it in any case."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnncli.diagnostics import UsageError
from cnncli.recipe.data import Data
from cnncli.training.data.dataset import of_classes
from cnncli.training.data.load import load, load_held_out, load_measured, resolved
from cnncli.training.data.survey import survey

SHAPE = (3, 4, 5)


class Feature:
    """A feature of the stand-in: an image, a label of some classes, or another value."""

    def __init__(self, dtype: str = "", *, names: Sequence[str] = (), decode: bool = True) -> None:
        self.dtype, self.names, self.decode = dtype, list(names), decode


class StandIn(ModuleType):
    """What cnncli uses of the library: its data sets are columns in memory, its folders a registry."""

    def __init__(self) -> None:
        super().__init__("datasets")
        self.Image, self.ClassLabel, self.Value = (
            type(name, (Feature,), {}) for name in ("Image", "ClassLabel", "Value")
        )
        self.folders: dict[str, Any] = {}

    def load_from_disk(self, place: str) -> Any:
        if place not in self.folders:
            raise FileNotFoundError(f"Directory {place} is neither a `Dataset` directory nor another")
        return self.folders[place]

    def load_dataset(self, name: str) -> Any:
        raise ConnectionError(f"Couldn't reach '{name}' on the Hub")


class Split:
    """A split of the stand-in."""

    def __init__(self, columns: Mapping[str, Sequence[Any]], features: Mapping[str, Any]) -> None:
        self.columns, self.features = columns, features

    def cast_column(self, name: str, feature: Any) -> Split:
        return Split(self.columns, {**self.features, name: feature})

    def __getitem__(self, key: str | int) -> Any:
        if isinstance(key, str):
            return list(self.columns[key])
        row = {name: each[key] for name, each in self.columns.items()}
        assert all(not each.decode for each in self.features.values() if type(each).__name__ == "Image")
        return row


@pytest.fixture(params=["stand-in", "library"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if request.param == "library":
        yield pytest.importorskip("datasets", reason="the extra [hf] is not installed")
        return
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "datasets", stand_in)
    monkeypatch.setattr(
        "cnncli.training.extras.find_spec", lambda name: name if name == "datasets" else find_spec(name)
    )
    yield stand_in


def pixels(seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)


def cell(seed: int) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(pixels(seed)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def write(library: Any, place: Path, splits: Mapping[str, Mapping[str, Any]], features: Any) -> str:
    """Write a data set; a single split called all is one without a name. Returns the source."""
    if isinstance(library, StandIn):
        found: Any = {name: Split(columns, features) for name, columns in splits.items()}
        place.mkdir(parents=True)
        library.folders[str(place)] = found.get("all", found)
    else:
        given = library.Features(features)
        made = {name: library.Dataset.from_dict(dict(each), given) for name, each in splits.items()}
        (made["all"] if "all" in made else library.DatasetDict(made)).save_to_disk(str(place))
    return f"hf:{place}"


def columns(seeds: Sequence[int], labels: Sequence[Any] | None = None) -> dict[str, Any]:
    return {
        "image": [cell(seed) for seed in seeds],
        "label": list(labels) if labels is not None else [seed % 2 for seed in seeds],
    }


def features(library: Any) -> dict[str, Any]:
    return {"image": library.Image(), "label": library.ClassLabel(names=["cat", "dog"])}


def seeds_of(images: torch.Tensor) -> list[int]:
    known = {np.moveaxis(pixels(seed), -1, 0).tobytes(): seed for seed in range(40)}
    return [known[image.numpy().tobytes()] for image in images]


def test_splits_are_parts(library: Any, tmp_path: Path) -> None:
    splits = {
        "train": range(10),
        "validation": range(10, 14),
        "test": range(14, 17),
        "unsupervised": range(3),
    }
    source = write(
        library, tmp_path / "set", {name: columns(seeds) for name, seeds in splits.items()}, features(library)
    )
    found = load(Data(source=source), SHAPE)
    assert found.classes == ("cat", "dog")
    assert found.val is not None
    for part, name in ((found.train, "train"), (found.val, "validation"), (found.test, "test")):
        assert seeds_of(part.images) == [*splits[name]]
        assert part.labels.tolist() == [seed % 2 for seed in splits[name]]
    assert found.notes == ("not used: the splits unsupervised",)
    assert found.name == source == resolved(source)


def test_a_split_alone_has_a_fixed_fifth_held_out(library: Any, tmp_path: Path) -> None:
    source = write(library, tmp_path / "set", {"all": columns(range(20))}, features(library))
    found = load(Data(source=source), SHAPE)
    assert (found.train.count, found.test.count) == (16, 4)
    assert sorted(seeds_of(found.train.images) + seeds_of(found.test.images)) == [*range(20)]
    held = load_held_out(Data(source=source), SHAPE)
    assert seeds_of(held.split.images) == seeds_of(found.test.images)
    whole = load_measured(Data(source=source), SHAPE, of_classes(("cat", "dog")))
    assert (whole.what, whole.split.count) == ("all 20 images", 20)
    assert survey(source).parts == ("train", "held out")


def test_labels_may_be_numbers_or_names(library: Any, tmp_path: Path) -> None:
    for dtype, labels in (("int64", [1, 2] * 5), ("string", ["cat", "dog"] * 5)):
        own = {"image": library.Image(), "label": library.Value(dtype)}
        source = write(library, tmp_path / dtype, {"all": columns(range(10), labels)}, own)
        first = 1 if dtype == "int64" else None
        found = load(Data(source=source, first_label=first), SHAPE)
        assert found.classes == tuple(map(str, dict.fromkeys(labels)))
        assert found.train.labels.tolist() == [seed % 2 for seed in seeds_of(found.train.images)]


def test_what_cannot_be_read_is_named(library: Any, tmp_path: Path) -> None:
    own = columns(range(10))
    own["image"][3] = {"bytes": b"not an image", "path": None}
    source = write(library, tmp_path / "set", {"all": own}, features(library))
    with pytest.raises(UsageError, match=r"set\[3\]: not an image that can be read"):
        load(Data(source=source), SHAPE)


def test_what_is_not_clear_is_refused(library: Any, tmp_path: Path) -> None:
    two = {"left": library.Image(), "right": library.Image(), "label": library.Value("int64")}
    both = {"left": [cell(0)], "right": [cell(1)], "label": [0]}
    with pytest.raises(UsageError, match="it is not clear which columns have images and classes") as caught:
        load(Data(source=write(library, tmp_path / "two", {"train": both}, two)), SHAPE)
    assert caught.value.diagnostics[0].received == "left (Image), right (Image) and label (Value)"
    missing = columns(range(4), [0, 1, -1, 0])
    with pytest.raises(UsageError, match=r"missing\[2\] has no class"):
        load(Data(source=write(library, tmp_path / "missing", {"all": missing}, features(library))), SHAPE)
    other = {"first": columns(range(4)), "second": columns(range(4))}
    with pytest.raises(UsageError, match="has no split to train on"):
        load(Data(source=write(library, tmp_path / "other", other, features(library))), SHAPE)


def test_a_folder_that_is_none(library: Any, tmp_path: Path) -> None:
    del library
    with pytest.raises(UsageError, match=f"cannot read hf:{tmp_path}: Directory"):
        load(Data(source=f"hf:{tmp_path}"), SHAPE)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.training.extras.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"hf:NAME needs datasets, which is not installed") as caught:
        load(Data(source="hf:mnist"), SHAPE)
    assert caught.value.diagnostics[0].hint == "pip install 'cnncli[hf]'"
