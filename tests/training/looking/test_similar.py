"""Neighbors: those that scikit-learn finds, whether vectors are computed now or come from a file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from cnncli.api import features, similar
from cnncli.diagnostics import UsageError
from cnncli.results.looking import Similar
from cnncli.training.looking import feature_files


@pytest.fixture(scope="module")
def files(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The features of the training and of the held-out images, and some in a Parquet file."""
    folder = tmp_path_factory.mktemp("files")
    found = {"train": folder / "train.npz", "test": folder / "test.npz", "table": folder / "train.parquet"}
    for name, path in found.items():
        features(run, "digits", path, split="test" if name == "test" else "train", device="cpu")
    return found


QUERIES = ("test:0", "test:7", "test:358")


def numbers(found: Similar) -> list[list[int]]:
    return [[each.number for each in query.neighbors] for query in found.queries]


def test_they_are_those_of_another_program(run: Path, files: dict[str, Path]) -> None:
    train, test = (feature_files.read(files[name]) for name in ("train", "test"))
    theirs = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(train.vectors.astype(np.float64))
    distances, expected = theirs.kneighbors(test.vectors[[0, 7, 358]].astype(np.float64))
    for among in (files["train"], files["table"], "digits"):
        found = similar(run, QUERIES, among, device="cpu")
        assert numbers(found) == expected.tolist()
        ours = [[each.distance for each in query.neighbors] for query in found.queries]
        np.testing.assert_allclose(ours, distances, rtol=1e-4)
        labels = [[int(each.label) for each in query.neighbors] for query in found.queries]
        assert labels == train.labels[expected].tolist()
        assert [query.label for query in found.queries] == [str(test.labels[place]) for place in (0, 7, 358)]


@pytest.mark.slow
def test_the_picture(run: Path, files: dict[str, Path], tmp_path: Path) -> None:
    for name, among in (("a", "digits"), ("b", files["train"])):
        similar(run, QUERIES, among, output=tmp_path / f"{name}.png", device="cpu")
    first, second = (Image.open(tmp_path / f"{name}.png") for name in "ab")
    assert first.size == second.size
    # The notes differ in how the images are called; the rows of images below do not.
    below, expected = (np.asarray(each.convert("L"))[90:] for each in (first, second))
    np.testing.assert_array_equal(below, expected)
    with pytest.raises(UsageError, match="exists"):
        similar(run, QUERIES, "digits", output=tmp_path / "a.png", device="cpu")


def test_files_among_files(run: Path, tmp_path: Path) -> None:
    """Equal images have equal distances, and the first of them comes first; a bad one has no number."""
    pixels = np.random.default_rng(3).integers(0, 256, (3, 8, 8), np.uint8)
    for place, number in enumerate((0, 1, 0, 2, 0)):
        Image.fromarray(pixels[number]).save(tmp_path / f"{place}.png")
    (tmp_path / "1a.png").write_bytes(b"bad")
    found = similar(run, tmp_path / "2.png", tmp_path, neighbors=3, output=tmp_path / "x.svg", device="cpu")
    (query,) = found.queries
    assert [Path(each.file).name for each in query.neighbors] == ["0.png", "2.png", "4.png"]
    assert {each.distance for each in query.neighbors} == {query.neighbors[0].distance}
    assert found.images == 5
    assert "1a.png" in " ".join(found.notes)
    assert (tmp_path / "x.svg").read_text().startswith("<?xml")


def test_a_file_of_something_else_is_refused(run: Path, files: dict[str, Path], tmp_path: Path) -> None:
    among = files["train"]
    with pytest.raises(UsageError, match=r"features of another layer.*conv1.*linear1_activation"):
        similar(run, QUERIES, among, layer="conv1", device="cpu")
    with pytest.raises(UsageError, match=r"another layer.*linear1_activation, pooled by max"):
        similar(run, QUERIES, among, pool="max", device="cpu")
    other = tmp_path / "other"
    shutil.copytree(run, other)
    with pytest.raises(UsageError, match="no such file"):
        similar(run, QUERIES, tmp_path / "gone.npz", device="cpu")
    stored = feature_files.read(among)
    for about, message in (
        (stored.about._replace(weights="0" * 64), "other weights of this run"),
        (stored.about._replace(run="0"), "another run"),
    ):
        path = tmp_path / f"{about.run}.npz"
        feature_files.write(path, [feature_files.Chunk(stored.vectors, stored.labels)], about)
        with pytest.raises(UsageError, match=message):
            similar(run, QUERIES, path, device="cpu")


def test_images_that_are_not_those_of_the_file_are_not_drawn(
    run: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    stored, path = feature_files.read(files["train"]), tmp_path / "moved.npz"
    chunk = feature_files.Chunk(np.roll(stored.vectors, 1, 0), stored.labels)
    feature_files.write(path, [chunk], stored.about)
    assert similar(run, QUERIES, path, device="cpu").images == len(stored.labels)
    with pytest.raises(UsageError, match="not the images that the features were computed of"):
        similar(run, QUERIES, path, output=tmp_path / "x.png", device="cpu")
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("test:359", "no such image.*0 to 358.*number 359"),
        ("gone.png", "no such file"),
        ("val:0", "no validation part"),
    ],
)
def test_images_that_are_none(image: str, message: str, run: Path) -> None:
    with pytest.raises(UsageError, match=message):
        similar(run, image, "digits", device="cpu")
    with pytest.raises(UsageError, match="no neighbors"):
        similar(run, "test:0", "digits", neighbors=0, device="cpu")


def test_the_training_images_of_a_folder_have_names(run: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / "train" / name).mkdir(parents=True)
        (tmp_path / "pets" / "test" / name).mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng([number, *name.encode()]).integers(0, 256, (8, 8), np.uint8)
            for part in ("train", "test"):
                Image.fromarray(pixels).save(tmp_path / "pets" / part / name / f"{number}.png")
    where = tmp_path / "pets" / "test" / "dog" / "1.png"
    (query,) = similar(run, where, f"folder:{tmp_path / 'pets'}", neighbors=2, device="cpu").queries
    first = query.neighbors[0]
    assert (first.file, first.label) == ("train/dog/1.png", "dog")
    assert first.distance == pytest.approx(0, abs=1e-5)
    found = features(run, f"folder:{tmp_path / 'pets'}", tmp_path / "f.npz", device="cpu")
    assert found.what == f"the 6 images in its folder 'test' of folder:{tmp_path / 'pets'}"
    assert feature_files.read(tmp_path / "f.npz").files.tolist()[:2] == ["test/cat/0.png", "test/cat/1.png"]
