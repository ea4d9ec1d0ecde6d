"""Files that are not those of the run, such as pickles, are refused by name, and nothing in them is run."""

from __future__ import annotations

import pickle  # noqa: TID251 - to make what must not be read
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import cnncli
from cnncli.diagnostics import CnncliError
from cnncli.training.runs.files import write_tensors
from cnncli.training.runs.run import open_run

SPEC = """
input: [1, 8, 8]
layers: [flatten, linear: 10]
train: {data: {source: digits, limit: 0.05, holdout: 0.2}, epochs: 2, batch: 32}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with all files; its last epoch is not the best one."""
    folder = tmp_path_factory.mktemp("run") / "run"
    arch = cnncli.loads(SPEC)
    # The second epoch cannot be better than the first.
    trained = arch.train(run=folder, device="cpu", optimizer={"sgd": {"lr": 1e-30}})
    assert trained.outcome is not None
    assert trained.outcome.epoch == 1
    return folder


class Touches:
    """An object whose unpickling creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(Touches(path.parent / "ran")))


def saved_by_torch(path: Path) -> None:
    torch.save({"linear1.weight": Touches(path.parent / "ran")}, path)


def halved(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def of_another_program(path: Path) -> None:
    save_file({"linear1.weight": torch.zeros(10, 64), "linear1.bias": torch.zeros(10)}, path)


def of_another_network(path: Path) -> None:
    found = {"run": open_run(path.parent).record.id, "epochs": 1, "batches": 0}
    write_tensors(path, {"conv1.weight": torch.zeros(4, 1, 3, 3)}, found)


def of_another_epoch(path: Path) -> None:
    tensors = {"linear1.weight": torch.zeros(10, 64), "linear1.bias": torch.zeros(10)}
    found = {"run": open_run(path.parent).record.id, "epochs": "\x1b[2J", "batches": [1]}
    write_tensors(path, tensors, found)


def of_another_run(path: Path) -> None:
    """The same spec, data and settings but for the seed: every tensor has the right name and shape."""
    other = path.parent.parent / "other"
    cnncli.loads(SPEC).train(run=other, device="cpu", seed=1, optimizer={"sgd": {"lr": 1e-30}})
    shutil.copy(other / path.name, path)


def resume(folder: Path) -> None:
    cnncli.resume(folder, epochs=3, device="cpu").start()


@pytest.mark.parametrize("change", [pickled, saved_by_torch, halved, of_another_program, of_another_network])
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("run.json", resume),
        ("best.safetensors", resume),
        ("best.safetensors", lambda folder: cnncli.evaluate(folder, device="cpu")),
        ("weights.safetensors", lambda folder: cnncli.evaluate(folder, weights="last", device="cpu")),
    ],
)
def test_a_file_of_something_else_is_refused_by_name(
    run: Path, tmp_path: Path, name: str, read: Callable[[Path], object], change: Callable[[Path], None]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    change(folder / name)
    with pytest.raises(CnncliError) as caught:
        read(folder)
    assert str(folder / name) in caught.value.diagnostics[0].message
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("checkpoint.safetensors", resume),
        ("best.safetensors", resume),
        ("best.safetensors", lambda folder: cnncli.evaluate(folder, device="cpu")),
        ("weights.safetensors", lambda folder: cnncli.evaluate(folder, weights="last", device="cpu")),
    ],
)
def test_a_file_of_another_run_is_refused_by_name(
    run: Path, tmp_path: Path, name: str, read: Callable[[Path], object]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    of_another_run(folder / name)
    with pytest.raises(CnncliError, match=f"{name} is a file of another run"):
        read(folder)


@pytest.mark.parametrize("change", [of_another_program, of_another_network])
def test_a_file_that_is_not_a_checkpoint_is_refused(
    run: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    change(folder / "checkpoint.safetensors")
    with pytest.raises(CnncliError, match=r"checkpoint\.safetensors is not a"):
        resume(folder)


@pytest.mark.parametrize("change", [pickled, saved_by_torch, halved])
def test_the_checkpoint_before_is_used_instead_of_a_damaged_one(
    run: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "run"
    for copy in (whole, folder):
        shutil.copytree(run, copy)
    change(folder / "checkpoint.safetensors")
    launch = cnncli.resume(folder, epochs=3, device="cpu")
    assert launch.introduction.finished_epochs == 1
    (note,) = (each for each in launch.introduction.notes if "is used instead" in each)
    assert note.startswith(f"cannot read {folder / 'checkpoint.safetensors'}: ")
    launch.start()
    resume(whole)
    assert not (folder / "ran").exists()
    assert {each.name for each in folder.iterdir()} == {each.name for each in whole.iterdir()}


def test_the_pickles_run_code_where_they_are_read(tmp_path: Path) -> None:
    pickled(tmp_path / "x")
    assert not (tmp_path / "ran").exists()
    pickle.loads((tmp_path / "x").read_bytes())  # noqa: S301 - the tests wrote it
    assert (tmp_path / "ran").exists()


def test_the_best_weights_of_another_moment(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    of_another_epoch(folder / "best.safetensors")
    with pytest.raises(CnncliError, match="does not have the weights of epoch 1") as caught:
        resume(folder)
    assert "\x1b" not in str(caught.value)


def test_lost_weights_are_written_again(run: Path, tmp_path: Path) -> None:
    """The last ones follow from the checkpoint, whatever is there."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    pickled(open_run(folder).weights)
    resume(folder)
    assert cnncli.evaluate(folder, weights="last", device="cpu").figures
    assert not (folder / "ran").exists()
