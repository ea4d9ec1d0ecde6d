"""Features: those that a hook sees, in order, in files that are written and read a part at a time."""

from __future__ import annotations

import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import Tensor

from cnncli.api import evaluate, features
from cnncli.diagnostics import CnncliError, UsageError
from cnncli.network import build_network
from cnncli.training.data.load import load
from cnncli.training.looking import feature_files, parquet
from cnncli.training.looking.feature_files import About, Array, Chunk
from cnncli.training.looking.opened import Opened

ABOUT = About("net", "1", "2", "layer", "", "digits", "test", ("a", "b"))


def by_hook(opened: Opened, layer: str) -> tuple[Tensor, Tensor]:
    """What a hook sees of the held-out digits, normalized as the run says, and their labels."""
    network = build_network(opened.graph)
    opened.run.load(network.eval(), opened.weights)
    test = load(opened.run.record.settings.data, (1, 8, 8)).test
    how = opened.run.record.normalization
    found: list[Tensor] = []
    handle = network.get_submodule(layer).register_forward_hook(lambda *each: found.append(each[2]))
    with torch.no_grad():
        network((test.images / 255 - how.mean[0]) / how.std[0])
    handle.remove()
    return found[0], test.labels


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
@pytest.mark.parametrize(
    ("layer", "pool"), [(None, None), ("conv2_activation", None), ("conv2", "mean"), ("conv1_norm", "max")]
)
def test_they_are_what_a_hook_sees(
    layer: str | None, pool: str | None, suffix: str, run: Path, opened: Opened, tmp_path: Path
) -> None:
    path = tmp_path / f"f.{suffix}"
    found = features(run, "digits", path, layer=layer, pool=pool, device="cpu")
    values, labels = by_hook(opened, layer or "linear1_activation")
    pooled = (
        {None: values.flatten(1), "mean": values.mean((2, 3)), "max": values.amax((2, 3))}[pool]
        if (values.ndim > 2)
        else values
    )
    assert (found.images, found.values) == tuple(pooled.shape)
    assert found.what == "the 359 held-out images of digits"
    stored = (parquet if suffix == "parquet" else feature_files).read(path)
    torch.testing.assert_close(torch.tensor(stored.vectors), pooled, rtol=1e-5, atol=1e-6)
    assert stored.labels.tolist() == labels.tolist()
    assert stored.about.layer == (layer or "linear1_activation")


def test_others_can_read_the_files(run: Path, tmp_path: Path) -> None:
    for suffix in ("npz", "parquet"):
        features(run, "digits", tmp_path / f"f.{suffix}", device="cpu")
    found = np.load(tmp_path / "f.npz")
    assert found["features"].dtype == np.float32
    assert found["index"].tolist() == [*range(359)]
    table = pq.read_table(tmp_path / "f.parquet")
    assert str(table.schema.field("features").type) == "fixed_size_list<element: float>[12]"
    assert table["label"].to_pylist() == found["classes"][found["label"]].tolist()
    np.testing.assert_array_equal(np.stack(table["features"].to_numpy()), found["features"])
    with zipfile.ZipFile(tmp_path / "f.npz") as archive:
        start = archive.getinfo("features.npy").header_offset
        content = (tmp_path / "f.npz").read_bytes()
        array = content.index(b"\x93NUMPY", start)
        assert array % 64 == 0
        assert archive.testzip() is None


def test_files_have_names_and_the_classes_of_their_folders(run: Path, tmp_path: Path) -> None:
    for name in ("3", "other"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("L", (8, 8), 40 * number).save(tmp_path / name / f"{number}.png")
    (tmp_path / "3" / "bad.png").write_bytes(b"no image")
    found = features(run, [tmp_path / "3", tmp_path / "other"], tmp_path / "f.npz", device="cpu")
    assert (found.images, len(found.unreadable)) == (4, 1)
    stored = feature_files.read(tmp_path / "f.npz")
    assert [Path(each).parent.name for each in stored.files.tolist()] == ["3", "3", "other", "other"]
    assert stored.labels.tolist() == [3, 3, -1, -1]


def parts(count: int) -> Iterator[Chunk]:
    for number in range(count):
        vectors = np.full((128, 2048), number, np.float32)
        yield Chunk(vectors, np.zeros(128, np.int64), [f"{number}-{each}" for each in range(128)])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    """32 MiB of vectors, a MiB at a time: beside them only labels and names are kept."""
    tracemalloc.start()
    written = feature_files.write(tmp_path / "f.npz", parts(32), ABOUT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (written.images, peak < 8 << 20) == (32 * 128, True), peak
    stored = feature_files.read(tmp_path / "f.npz")
    assert stored.vectors[::128, 7].tolist() == [*range(32)]
    assert not stored.vectors.flags.owndata
    parquet.write(tmp_path / "f.parquet", parts(32), ABOUT)
    metadata = pq.read_metadata(tmp_path / "f.parquet")
    assert metadata.num_row_groups == 2
    np.testing.assert_array_equal(parquet.read(tmp_path / "f.parquet").vectors, stored.vectors)


def one(vectors: Array) -> Iterator[Chunk]:
    yield Chunk(vectors, np.zeros(len(vectors), np.int64))


def test_a_file_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "f.npz"
    feature_files.write(whole, one(np.ones((50, 8), np.float32)), ABOUT)
    content = whole.read_bytes()
    np.savez(tmp_path / "theirs.npz", features=np.ones((2, 2)))
    np.savez_compressed(
        tmp_path / "small.npz", **{name: np.load(whole)[name] for name in np.load(whole).files}
    )
    (tmp_path / "cut.npz").write_bytes(content[:-200])
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "other.npz").write_bytes(content.replace("1".encode("utf-32-le"), "9".encode("utf-32-le")))
    for name in ("theirs", "small", "cut", "empty", "other", "missing"):
        with pytest.raises(UsageError, match=rf"cannot read .*{name}.npz"):
            feature_files.read(tmp_path / f"{name}.npz")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(UsageError, match=r"cannot read .*cut\.parquet"):
        parquet.read(tmp_path / "cut.parquet")


def test_what_fails_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[Chunk]:
        yield from one(np.ones((2, 2), np.float32))
        raise UsageError(())

    for module, name in ((feature_files, "f.npz"), (parquet, "f.parquet")):
        with pytest.raises(CnncliError):
            module.write(tmp_path / name, broken(), ABOUT)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"layer": "conv3"}, "has no layer 'conv3'.*did you mean 'conv1'|'conv2'"),
        ({"layer": "linear1", "pool": "mean"}, "layer 'linear1' has no positions to pool"),
        ({"pool": "sum"}, "maps are not pooled like this.*'mean' or 'max'.*'sum'"),
        ({"split": "all"}, "no such part of the data"),
        ({"split": "val"}, "no validation part"),
        ({"weights": "bst"}, "no such weights"),
        ({"output": "f.csv"}, "does not end in .npz or .parquet"),
    ],
)
def test_what_cannot_be_meant(how: dict[str, Any], message: str, run: Path, tmp_path: Path) -> None:
    output = tmp_path / how.pop("output", "f.npz")
    with pytest.raises(UsageError, match=message):
        features(run, "digits", output, device="cpu", **how)
    assert not output.exists()


def test_the_extra_is_named(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.training.extras.find_spec", lambda name: None if name == "pyarrow" else 1)
    with pytest.raises(UsageError, match=r"Parquet needs pyarrow.*pip install 'cnncli\[parquet\]'"):
        features(run, "digits", tmp_path / "f.parquet", device="cpu")


def test_the_same_images_as_an_evaluation(run: Path, tmp_path: Path) -> None:
    found = features(run, "digits", tmp_path / "f.npz", device="cpu")
    assert found.images == evaluate(run, device="cpu").evaluation.count
