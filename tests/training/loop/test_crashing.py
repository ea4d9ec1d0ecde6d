"""A killed process loses at most the work since its last checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cnncli.diagnostics import UsageError
from cnncli.training.runs import files
from cnncli.training.runs import run as runs
from cnncli.training.runs.run import open_run
from tests.training.support import (
    Killed,
    Recorder,
    assert_same_result,
    begin,
    kill,
    press_ctrl_c,
    raise_at,
    resume,
    run_whole,
    settings,
)


@pytest.mark.parametrize(
    ("save", "batches"),
    [
        ({}, 0),
        ({"minutes": 1e-9}, 3),
        ({"steps": 1}, 3),
        ({"steps": 5}, 3),
        ({"steps": 9, "minutes": 1e6}, 2),
    ],
)
def test_killed_between_batches(tmp_path: Path, save: dict[str, float], batches: int) -> None:
    """At the 11th step, after a checkpoint within the epoch if the recipe asks for one."""
    chosen = settings(save=save)
    reference, _ = run_whole(tmp_path / "whole", settings())
    begin(tmp_path / "run", chosen)
    with pytest.raises(Killed):
        resume(
            tmp_path / "run",
            chosen,
            Recorder(raise_at(2, 4, "train", kill)),
        )
    kept = open_run(tmp_path / "run").read_checkpoint()
    assert kept is not None
    assert (kept.position.epochs, kept.position.batches) == (1, batches)
    assert open_run(tmp_path / "run").record.status == "running"
    network, _ = resume(tmp_path / "run", settings())
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] = (content[-1] + 1) % 256
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncated, flipped, Path.unlink])
def test_a_damaged_checkpoint_costs_the_work_since_the_one_before(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Also if the next one is damaged, too, and with a crash before the next one is written."""
    chosen, folder = settings(save={"steps": 2}), tmp_path / "run"
    reference, _ = run_whole(tmp_path / "whole", settings())
    begin(folder, chosen)
    for batch, expected in ((6, (1, 3)), (4, (1, 3)), (6, (1, 3))):
        with pytest.raises(Killed):
            resume(folder, chosen, Recorder(raise_at(2, batch, "train", kill)))
        run = open_run(folder)
        damage(run.checkpoint) if run.checkpoint.exists() else None
        kept = run.read_checkpoint()
        assert kept is not None
        assert (kept.position.epochs, kept.position.batches) == expected
        assert str(run.checkpoint) in run.damage
    network, _ = resume(folder, settings())
    assert_same_result(folder, network, tmp_path / "whole", reference)


def test_two_damaged_checkpoints_are_an_error(tmp_path: Path) -> None:
    run_whole(tmp_path / "run", settings())
    run = open_run(tmp_path / "run")
    truncated(run.checkpoint)
    truncated(run.previous)
    with pytest.raises(UsageError, match=r"cannot read .*checkpoint\.safetensors") as caught:
        resume(tmp_path / "run", settings(epochs=4))
    assert "can still be evaluated" in caught.value.diagnostics[0].hint


class Writes:
    """Counts what reaches the disk; at the one numbered ``fatal`` the process dies, before or after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fatal: int, *, before: bool) -> None:
        self.count = 0
        self._fatal, self._before = fatal, before
        replace, append = Path.replace, files.append_line
        monkeypatch.setattr(Path, "replace", lambda path, target: self._at(lambda: replace(path, target)))
        monkeypatch.setattr(runs, "append_line", lambda path, line: self._at(lambda: append(path, line)))

    def _at(self, write: Callable[[], object]) -> None:
        self.count += 1
        if self.count == self._fatal and self._before:
            raise Killed
        write()
        if self.count == self._fatal:
            raise Killed


@pytest.mark.slow
def test_killed_at_any_write(tmp_path: Path) -> None:
    """Die before and after every single change to the folder, from its creation on; then resume."""
    chosen = settings(epochs=2)
    reference, _ = run_whole(tmp_path / "whole", chosen)
    for before in (True, False):
        for fatal in range(1, 100):
            folder = tmp_path / f"run-{before}-{fatal}"
            with pytest.MonkeyPatch.context() as patch, suppress(Killed):
                writes = Writes(patch, fatal, before=before)
                begin(folder, chosen)
                resume(folder, chosen)
            if writes.count < fatal:
                assert fatal > 10
                break
            if not (folder / "run.json").exists():
                assert fatal == 1
                begin(folder, chosen)  # nothing was begun: the folder can still be given to --run
            network, _ = resume(folder, chosen)
            assert_same_result(folder, network, tmp_path / "whole", reference)


def test_a_torn_line_and_stray_files_are_repaired(tmp_path: Path) -> None:
    chosen = settings()
    reference, _ = run_whole(tmp_path / "whole", chosen)
    folder = tmp_path / "run"
    begin(folder, chosen)
    resume(folder, chosen, Recorder(raise_at(3, 2, "train", press_ctrl_c)))
    run = open_run(folder)
    files.append_line(run.metrics, run.metrics.read_text().splitlines()[0])
    with run.metrics.open("a") as file:
        file.write('{"epoch": 4, "lr"')
    run.weights.unlink()
    (folder / ".checkpoint.safetensors.partial").write_bytes(b"half of")
    network, _ = resume(folder, chosen)
    assert_same_result(folder, network, tmp_path / "whole", reference)
