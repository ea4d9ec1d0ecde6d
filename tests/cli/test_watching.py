"""What a training prints: for a person, for a script, and for a program."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.report.pages.train import epoch_lines, heading
from cnncli.report.terminal import Screen
from cnncli.report.watching import Display, live_lines
from cnncli.results.training import Epoch, Progress

SPEC = """
name: tiny
input: [1, 8, 8]
layers:
  - conv: {channels: 4, kernel: 3, activation: relu}
  - flatten
  - linear: 10
train: {data: {source: digits, limit: 0.2}, epochs: 2, batch: 64}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tiny.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), ["train", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def events(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    assert all(each["schema"] == "cnncli.event/1" for each in found)
    return found


def test_a_quiet_training_prints_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("tiny.yaml", "--quiet") == (0, "runs/tiny-1\n", "")
    code, text, errors = call("--resume", "runs/tiny-1", "--set", "train.epochs=1", "--quiet")
    assert (code, text) == (2, "")
    assert "the run is already after epoch 2" in errors

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cnncli.training.runs.followers.write_bytes", fail)
    code, text, errors = call("tiny.yaml", "--quiet")
    assert (code, text) == (0, "runs/tiny-2\n")
    assert errors.startswith("warning: OSError: [Errno 28] No space left on device")
    assert (folder / "runs" / "tiny-2" / "metrics.csv").exists()


@pytest.mark.usefixtures("folder")
def test_events_are_lines_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.report.watching.Events.interval", 0.0)
    code, text, errors = call("tiny.yaml", "--json", "--run", "a", "--tensorboard")
    assert (code, errors) == (0, "")
    found = events(text)
    start, *others, end = (each for each in found if each["event"] != "reading")
    assert (start["event"], start["name"], start["folder"]) == ("start", "tiny", "a")
    assert (start["train_count"], start["epochs"], start["finished_epochs"]) == (287, 2, 0)
    names = ["progress"] * 8 + ["epoch"]  # 5 batches, and 3 of an evaluation
    assert [each["event"] for each in others] == names * 2
    assert [each["batch"] for each in others[:8]] == [1, 2, 3, 4, 5, 0, 1, 2]
    assert all(0 <= each["waiting"] <= 1 for each in others if each["event"] == "progress")
    assert all(each["seconds_left"] > 0 for each in others if each["event"] == "progress")
    lines = [json.loads(line) for line in Path("a/metrics.jsonl").read_text().splitlines()]
    for line, epoch in zip(lines, [each for each in others if each["event"] == "epoch"], strict=True):
        assert {name: epoch[name] for name in line if name in epoch} | epoch["figures"] == line
    assert (end["event"], end["status"], end["signal"]) == ("end", "finished", None)
    assert end["outcome"]["figures"]["test.loss"] == lines[-1]["test.loss"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "code", "place"),
    [
        (["tiny.yaml", "--set", "train.epoch=1"], 2, "--set"),
        (["--resume", "nowhere"], 2, None),
        ([], 2, None),
        (["tiny.yaml", "--set", "train.optimizer.sgd.lr=1e30"], 3, None),
    ],
)
def test_the_last_event_is_an_error_where_there_is_one(
    words: list[str], code: int, place: str | None
) -> None:
    found_code, text, errors = call(*words, "--json")
    assert found_code == code
    last = events(text)[-1]
    assert last["event"] == "error"
    (fault, *_) = last["diagnostics"]
    assert fault["file"] == place
    assert f"error: {fault['message']}\n" in errors


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tiny.yaml", "--json", "--quiet"], "--quiet and --json cannot be combined"),
        (["tiny.yaml", "--json", "--dry-run"], "--json is for a training"),
        (["tiny.yaml", "--quiet", "--tensorboard", "--print-recipe"], "--quiet and --tensorboard are for a"),
    ],
)
def test_options_without_an_effect_are_errors(words: list[str], message: str) -> None:
    code, text, errors = call(*words)
    assert (code, text) == (2, "")
    assert message in errors


class Terminal(io.StringIO):
    """A terminal of which only the final screen is looked at."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        lines, row = [""], 0
        for part in re.split(r"(\x1b\[[?\d;]*[A-Za-z]|\r|\n)", self.getvalue()):
            if part == "\n":
                row += 1
                lines += [""] * (row == len(lines))
            elif part == "\x1b[2K":
                lines[row] = ""
            elif part.startswith("\x1b[") and part.endswith("A"):
                row -= int(part[2:-1])
            elif part != "\r" and not part.startswith("\x1b"):
                lines[row] += part
        return lines


def test_a_terminal_without_cursor_movements_gets_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    display = Display(Screen(terminal), Screen(io.StringIO()))
    with display:
        display.progressed(Progress("train", 1, 10, 7, 40, {}, 0.1, 5000.0, 0.034, None, 200.0))
    assert terminal.getvalue() == (
        "epoch 1/10: batch 7 of 40, 5,000 images/s, 3 % waiting for data, 3 min 20 s left\n"
    )


@pytest.mark.parametrize("columns", [45, 60, 80])
def test_a_live_display_leaves_only_what_was_printed(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    display = Display(Screen(terminal), Screen(io.StringIO()))
    figures = {"train.loss": 0.5, "train.accuracy": 0.25, "test.loss": 0.75, "test.accuracy": 0.125}
    progress = Progress("train", 1, 10, 7, 40, figures, 0.1, 5000.0, 0.034, 0.41, 200.0)
    epoch = Epoch(1, 0.1, 2.0, 5000.0, figures)
    with display:
        display.progressed(progress)
        live = terminal.screen()
        assert live[0].split()[:2] == ["training", "1/10"]
        assert live[0].split()[-6:] == ["7/40", "3", "min", "20", "s", "left"]
        assert live[1:] == live_lines(progress, columns)
        assert max(map(len, live)) <= columns
        display.warned("[bold]no room[/bold]")
        display.epoch_finished(epoch, 10)
        display.progressed(progress)
    printed = [line for line in terminal.screen() if line]
    assert printed == ["warning: [bold]no room[/bold]", heading(epoch), *epoch_lines(epoch, 10)]
