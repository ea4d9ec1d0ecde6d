"""Files that follow from the history of a run: written along, continued, and never worth a training."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

import cnncli
from cnncli.results.training import Epoch
from cnncli.training.observer import Silent
from cnncli.training.pictures import drawing
from cnncli.training.runs import followers
from cnncli.training.runs.growing import Growing
from cnncli.training.runs.tensorboard import first_record, record
from tests.training.support import Recorder, kill, press_ctrl_c, raise_at

SPEC = """
name: tiny
input: [1, 8, 8]
layers:
  - conv: {channels: 4, kernel: 3, activation: relu}
  - dropout
  - flatten
  - linear: 10
train: {data: {source: digits, limit: 0.2}, epochs: 3, batch: 64, transforms: [crop: 1]}
"""


@pytest.fixture
def _drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn, as they are not in most tests."""
    monkeypatch.setattr("cnncli.training.pictures.curves.drawn", drawing.drawn)


def events(path: Path) -> list[tuple[int, dict[str, float]]]:
    """The steps of a file of events with their numbers, as TensorBoard reads them."""
    first, *others = LegacyEventFileLoader(str(path)).Load()
    assert first.file_version == "brain.Event:2"
    return [(each.step, {v.tag: v.simple_value for v in each.summary.value}) for each in others]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


class Watcher(Silent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def warned(self, message: str) -> None:
        self.heard.append(message)


@pytest.mark.usefixtures("_drawing")
def test_who_watches_changes_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All observers at once, reported to after each batch, and none."""
    arch = cnncli.loads(SPEC)
    watched = arch.begin(run=tmp_path / "watched", device="cpu")
    recorder = Recorder()
    watched.start(recorder, Watcher(), report_every=0, tensorboard=True)
    assert len(recorder.progress) > 10
    alone = arch.begin(run=tmp_path / "alone", device="cpu")
    monkeypatch.setattr(type(alone), "_files", lambda *_: ())
    alone.start(report_every=1e9)
    ours, theirs = (load_file(tmp_path / name / "weights.safetensors") for name in ("watched", "alone"))
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    more = {"metrics.csv", "curves.svg", "events.out.tfevents"}
    assert {path.name for path in (tmp_path / "watched").iterdir()} == {
        *more,
        *(path.name for path in (tmp_path / "alone").iterdir()),
    }


@pytest.mark.usefixtures("_drawing")
@pytest.mark.parametrize("act", [press_ctrl_c, kill])
def test_files_are_continued_where_a_run_is(tmp_path: Path, act: Callable[[], None]) -> None:
    launch = cnncli.loads(SPEC).begin(run=tmp_path / "run", device="cpu")
    try:
        launch.start(Recorder(raise_at(3, 2, "train", act)), report_every=0, tensorboard=True)
    except BaseException:  # noqa: BLE001 - killed
        assert act is kill
    path = tmp_path / "run" / "events.out.tfevents"
    before, inode = events(path), path.stat().st_ino
    assert [step for step, _ in before] == [1, 2]
    cnncli.resume(tmp_path / "run", device="cpu").start()
    found = lines(tmp_path / "run")
    assert [step for step, _ in events(path)] == [1, 2, 3]
    assert events(path)[:2] == before
    assert path.stat().st_ino == inode  # a TensorBoard that has it open sees it grow
    for line, row, (_, values) in zip(
        found, table(tmp_path / "run" / "metrics.csv"), events(path), strict=True
    ):
        assert {name: float(value) for name, value in row.items()} == line
        assert values["loss/train"] == pytest.approx(line["train.loss"], rel=1e-6)
        assert values["accuracy/test"] == pytest.approx(line["test.accuracy"], rel=1e-6)
        assert values["lr"] == pytest.approx(line["lr"], rel=1e-6)
    assert ET.parse(tmp_path / "run" / "curves.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own


def test_events_can_begin_with_a_resumed_run(tmp_path: Path) -> None:
    cnncli.loads(SPEC).train(run=tmp_path / "run", device="cpu", epochs=1)
    assert not (tmp_path / "run" / "events.out.tfevents").exists()
    cnncli.resume(tmp_path / "run", device="cpu", epochs=2).start(tensorboard=True)
    assert [step for step, _ in events(tmp_path / "run" / "events.out.tfevents")] == [1, 2]


@pytest.mark.parametrize("name", ["metrics.csv", "curves.svg", "events.out.tfevents"])
def test_a_file_that_cannot_be_written_is_a_warning_once(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(28, "No space left on device")
    opened = os.open

    def fail(path: Path, *rest: int) -> int:
        if name in str(path):
            raise full
        return opened(path, *rest)

    monkeypatch.setattr("cnncli.training.runs.files.os.open", fail)
    watcher = Watcher()
    launch = cnncli.loads(SPEC).begin(run=tmp_path / "run", device="cpu")
    trained = launch.start(watcher, tensorboard=True)
    assert trained.status == "finished"
    (message,) = watcher.heard
    assert f"cannot write {tmp_path / 'run' / name}: No space left on device" in message
    assert message.endswith("; the training continues")
    assert not (tmp_path / "run" / name).exists()
    assert len(lines(tmp_path / "run")) == 3


def test_without_matplotlib_a_run_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnncli.training.pictures.curves.drawn", drawing.drawn)
    monkeypatch.setattr(
        "cnncli.training.extras.find_spec", lambda name: None if name == "matplotlib" else name
    )
    watcher = Watcher()
    trained = cnncli.loads(SPEC).train(run=tmp_path / "run", device="cpu", epochs=1, observers=[watcher])
    assert trained.status == "finished"
    needs = "drawing needs matplotlib, which is not installed"
    assert watcher.heard == [f"{needs} (pip install 'cnncli[train]'); the training continues"]


def epoch(number: int, **figures: float) -> Epoch:
    return Epoch(
        number, 0.1 / number, 2.0, 100.0, {f"train.{name}": value for name, value in figures.items()}
    )


def test_a_table_has_a_column_for_each_figure_that_there_ever_was(tmp_path: Path) -> None:
    file = followers.MetricsTable(tmp_path / "a.csv")
    file.begun(())
    file.epoch_finished(epoch(1, loss=2.0), 3)
    file.epoch_finished(epoch(2, loss=1.0, **{"aux.f1": 0.5}), 3)
    file.epoch_finished(epoch(3, loss=0.1), 3)
    assert (tmp_path / "a.csv").read_text() == (
        "epoch,lr,seconds,images_per_second,train.loss,train.aux.f1\n"
        "1,0.1,2.0,100.0,2.0,\n"
        "2,0.05,2.0,100.0,1.0,0.5\n"
        f"3,{0.1 / 3},2.0,100.0,0.1,\n"
    )


@pytest.mark.parametrize(
    "left", [b"", b"one\n", b"one\ntwo", b"one\ntwo\n", b"one\nTWO\n", b"one\ntwo\nthree\nfour\n"]
)
def test_what_is_there_becomes_what_should_be(tmp_path: Path, left: bytes) -> None:
    """After a crash: a beginning, another text, or more than there should be."""
    path = tmp_path / "a"
    path.write_bytes(left)
    file = Growing(path)
    file.begin(b"one\ntwo\n")
    assert path.read_bytes() == b"one\ntwo\n"
    path.write_bytes(b"one\n")  # by someone else
    file.grow(b"three\n")
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    path.unlink()
    file.grow(b"four\n")
    assert path.read_bytes() == b"one\ntwo\nthree\nfour\n"


def test_events_are_as_tensorboard_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents"
    values = {"a": 0.1, "größe": -1e30, "b" * 300: 1e300, "c": -1e39}
    path.write_bytes(first_record(1e9) + record(1e9 + 0.5, 2**40, values))
    ((step, found),) = events(path)
    assert step == 2**40
    assert list(found) == list(values)
    assert found["größe"] == pytest.approx(-1e30)
    assert found["b" * 300] == float("inf")
    assert found["c"] == float("-inf")
    _, second = LegacyEventFileLoader(str(path)).Load()
    assert second.wall_time == 1e9 + 0.5
