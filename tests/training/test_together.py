"""Two processes of one training, and what one process does with the same settings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cnncli.training.runs.run import open_run
from tests.training.support import figures, raise_at, read_metrics
from tests.training.together import (
    DIVERGING,
    EVERYTHING,
    HALVED,
    SIZED,
    SYNCHRONIZED,
    THAWED,
    normalizing_network,
    plain_network,
    planned,
    stop,
    trained,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have trained."""
    folder = tmp_path_factory.mktemp("both")
    begun = trained(folder / "begun by one", EVERYTHING, plain_network, raise_at(2, 3, "train", stop))
    assert begun.status == "interrupted"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    common = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2", "MASTER_PORT": str(port)}
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.training.together", str(folder)],
            env={**os.environ, **common, "MASTER_ADDR": "127.0.0.1", "RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=600)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], errors
    return folder


def assert_close(ours: Path, theirs: Path) -> None:
    """Weights and figures of two runs differ by rounding only."""
    found, expected = (load_file(each / "weights.safetensors") for each in (ours, theirs))
    for name, weights in expected.items():
        torch.testing.assert_close(found[name], weights, rtol=0, atol=1e-5)
    for mine, other in zip(*(read_metrics(open_run(each)) for each in (ours, theirs)), strict=True):
        assert mine.figures == pytest.approx(other.figures, rel=1e-5)


def test_two_processes_are_one_with_the_same_batch(both: Path, tmp_path: Path) -> None:
    """Samples, their mean, accumulation, clipping, averages; and each held-out sample is measured once."""
    trained(tmp_path / "one", EVERYTHING, plain_network)
    assert_close(both / "everything", tmp_path / "one")


def test_another_number_of_processes_continues(both: Path, tmp_path: Path) -> None:
    """One begins and two continue within an epoch, and the other way round."""
    trained(tmp_path / "one", EVERYTHING, plain_network)
    trained(both / "begun by two", EVERYTHING, plain_network)
    for name in ("begun by one", "begun by two"):
        assert_close(both / name, tmp_path / "one")


def test_synchronized_statistics_are_those_of_the_whole_batch(both: Path, tmp_path: Path) -> None:
    """One process uses torch's own module."""
    trained(tmp_path / "one", SYNCHRONIZED, normalizing_network)
    assert_close(both / "synchronized", tmp_path / "one")


def test_a_signal_to_one_process_stops_both_and_nothing_changes(both: Path) -> None:
    """In an epoch and in an evaluation, with dropout, which draws other numbers in each process."""
    stopped, whole = (open_run(both / name) for name in ("stopped", "whole"))
    ours, theirs = (load_file(each.checkpoint) for each in (stopped, whole))
    assert ours.keys() == theirs.keys()
    assert {"random/cpu", "random/1/cpu"} < ours.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not torch.equal(ours["random/cpu"], ours["random/1/cpu"])
    assert figures(read_metrics(stopped)) == figures(read_metrics(whole))


def test_what_is_planned_from_the_graph_is_the_same(both: Path, tmp_path: Path) -> None:
    """Length, sizes and slices; a schedule and an end that follow figures; a batch of which one has none."""
    assert not planned(tmp_path / "one", **SIZED)
    ours, theirs = (open_run(each) for each in (both / "sized", tmp_path / "one"))
    assert_close(ours.folder, theirs.folder)
    assert ours.record.settings.accumulate > 1
    assert ours.record.outcome is not None
    assert ours.record.outcome.reason


def test_16_bits_round_alike(both: Path, tmp_path: Path) -> None:
    """Sums of slices are the same to the bit, and with them clipping, averages and the factor of the loss."""
    assert not planned(tmp_path / "one", accumulate=4, **HALVED)
    ours, theirs = (load_file(each / "weights.safetensors") for each in (both / "halved", tmp_path / "one"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_layers_begin_to_learn_in_all_processes(both: Path, tmp_path: Path) -> None:
    assert not planned(tmp_path / "one", THAWED)
    assert_close(both / "thawed", tmp_path / "one")


def test_all_processes_diverge_with_the_same_words(both: Path, tmp_path: Path) -> None:
    said = planned(tmp_path / "diverging", **DIVERGING).replace(str(tmp_path), str(both))
    assert "the first output that is not finite is that of" in said
    assert [(both / f"said by {rank}").read_text() for rank in range(2)] == [said, said]
