"""What fails from outside while a network is trained: one message, and the last good checkpoint is there."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnncli.diagnostics import CnncliError, UsageError
from cnncli.recipe.data import Data
from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Trained
from cnncli.training.conduct import Conduct
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.packs.opening import open_pack
from cnncli.training.launch.packing import pack_shaped
from cnncli.training.loop import seed_weights, train
from cnncli.training.plan import Subject
from cnncli.training.runs.run import open_run
from tests.training.support import (
    CPU,
    HEADS,
    Recorder,
    assert_same_result,
    begin,
    press_ctrl_c,
    raise_at,
    resume,
    run_whole,
    settings,
    small_network,
)


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """Let no file become larger, as on a full disk; the system refuses to write the rest."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 900, 5_000])
def test_a_disk_that_takes_only_a_part_of_a_file(tmp_path: Path, room: int) -> None:
    """Of run.json, of the weights, and of the checkpoint."""
    chosen = settings(epochs=2)
    reference, _ = run_whole(tmp_path / "whole", chosen)
    begin(tmp_path / "run", chosen)
    resume(tmp_path / "run", chosen, Recorder(raise_at(1, 3, "train", press_ctrl_c)))
    kept = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    with small_files(room), pytest.raises(CnncliError, match=r"cannot write .*: ") as caught:
        resume(tmp_path / "run", chosen)
    assert caught.value.diagnostics[0].code == "unwritable"
    assert caught.value.diagnostics[0].hint == "the previous content was kept"
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == kept
    network, _ = resume(tmp_path / "run", chosen)
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


class FullAt:
    """A disk that is full from one of the calls of fsync on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fatal: int) -> None:
        self.calls, self._fatal, self._real = 0, fatal, os.fsync
        monkeypatch.setattr(os, "fsync", self._sync)

    def _sync(self, handle: int) -> None:
        self.calls += 1
        if self.calls >= self._fatal:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._real(handle)


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_write(tmp_path: Path) -> None:
    chosen = settings(epochs=2)
    reference, _ = run_whole(tmp_path / "whole", chosen)
    refused: list[str] = []
    for fatal in range(1, 100):
        folder = tmp_path / str(fatal)
        begin(folder, chosen)
        with pytest.MonkeyPatch.context() as patch:
            disk = FullAt(patch, fatal)
            try:
                resume(folder, chosen)
            except CnncliError as error:
                refused.append(error.diagnostics[0].message)
        network, _ = resume(folder, chosen)
        assert_same_result(folder, network, tmp_path / "whole", reference)
        if disk.calls < fatal:
            break
    assert len(refused) == fatal - 1 > 15
    assert all(each.endswith(": No space left on device") for each in refused)


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    chosen = settings(save={"steps": 1})
    begin(tmp_path / "run", chosen)
    remove = Recorder(raise_at(2, 2, "train", lambda: shutil.rmtree(tmp_path / "run")))
    with pytest.raises(CnncliError, match=r"cannot write .*checkpoint.safetensors: No such file"):
        resume(tmp_path / "run", chosen, remove)


def packed(folder: Path) -> Dataset:
    """Images that are mapped from the files of a pack."""
    draw = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        f"x_{part}": draw.integers(0, 256, (count, 8, 8), np.uint8) for part, count in COUNTS.items()
    }
    np.savez(folder / "data.npz", **arrays, **{f"y_{part}": LABELS[:count] for part, count in COUNTS.items()})
    pack_shaped((1, 8, 8), Data(source=f"npz:{folder / 'data.npz'}"), folder / "pack")
    found = open_pack(folder / "pack")
    return Dataset(f"packed:{folder / 'pack'}", found.manifest.columns, found.train, found.test)


COUNTS = {"train": 4_000, "test": 40}
LABELS: Any = np.arange(4_000) % 10


def trained(folder: Path, dataset: Dataset, chosen: Recipe, recorder: Recorder | None = None) -> Trained:
    if not folder.exists():
        begin(folder, chosen, dataset)
    seed_weights(chosen.seed)
    run, conduct = open_run(folder), Conduct(report=0)
    return train(
        Subject(small_network(), HEADS), dataset, chosen, run, device=CPU, observer=recorder, conduct=conduct
    )


def test_data_that_vanishes(tmp_path: Path) -> None:
    """A file that is deleted stays for those who have opened it; one that is cut off does not."""
    dataset, chosen = packed(tmp_path), settings(epochs=2, batch=500)
    images = max((tmp_path / "pack").iterdir(), key=lambda path: path.stat().st_size)
    whole = trained(tmp_path / "whole", dataset, chosen)
    shutil.copytree(tmp_path / "pack", tmp_path / "copy")

    cut = Recorder(raise_at(2, 3, "train", lambda: os.truncate(images, 5_000)))
    with pytest.raises(UsageError, match=r"is damaged: it has 5,000 bytes now, not 256,128") as caught:
        trained(tmp_path / "run", dataset, chosen, cut)
    assert caught.value.diagnostics[0].hint == "copy the pack again, or pack its source again"
    kept = open_run(tmp_path / "run").read_checkpoint()
    assert kept is not None
    assert kept.position.epochs == 1

    images.unlink()
    shutil.copy(tmp_path / "copy" / images.name, images)
    again = open_pack(tmp_path / "pack")
    dataset = Dataset(dataset.name, dataset.columns, again.train, again.test)
    delete = Recorder(raise_at(2, 3, "train", images.unlink))
    finished = trained(tmp_path / "run", dataset, chosen, delete)
    assert finished.outcome == whole.outcome
