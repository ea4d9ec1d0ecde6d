"""``cnncli runs``: a list of runs and a comparison, whatever lies in the folder, and without torch."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image
from typer.testing import CliRunner

import cnncli
from cnncli.cli.app import application
from cnncli.report.pages.runs import page
from cnncli.report.text.columns import Table
from cnncli.results.runs import Best, Runs, RunSummary, main_metric
from cnncli.results.training import Epoch
from cnncli.training.pictures import drawing

SPEC = """
name: tiny
input: [1, 8, 8]
vars: {width: 4}
layers:
  - conv: {channels: width, kernel: 3, activation: relu}
  - flatten
  - linear: 10
train: {data: {source: digits, limit: 0.2}, epochs: 2, batch: 64}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, one of them with a validation part, and what else may lie beside them."""
    folder = tmp_path_factory.mktemp("runs")
    arch = cnncli.loads(SPEC)
    arch.train(run=folder / "a", device="cpu")
    cnncli.loads(SPEC, width=6).train(
        run=folder / "b",
        device="cpu",
        epochs=3,
        optimizer={"sgd": {"lr": 0.2}},
        transforms=[{"crop": 1}],
        data={"holdout": 0.2},
    )
    arch.begin(run=folder / "c", device="cpu")
    (folder / "notes").mkdir()
    (folder / "notes.txt").write_text("none")
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them in the working folder."""
    for path in sorted(trained.rglob("*")):
        copy = tmp_path / "runs" / path.relative_to(trained)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.mkdir(exist_ok=True) if path.is_dir() else copy.write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), ["runs", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def last(run: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    return found


def test_a_list_has_a_row_for_each_run(folder: Path) -> None:
    code, text, errors = call()
    assert (code, errors) == (0, "")
    heading, _, *rows = text.splitlines()
    assert heading.split() == ["run", "status", "epochs", "best", "test", "data", "began", "trained"]
    a, b, c = (" ".join(row.split()) for row in rows)
    assert a.startswith("runs/a finished 2/2 accuracy ")
    assert f"{100 * last(folder / 'a')['test.accuracy']:.2f} %" in a
    assert b.startswith("runs/b finished 3/3 accuracy ")
    assert " (val, epoch " in b
    outcome = json.loads((folder / "b" / "run.json").read_text())["outcome"]["figures"]
    assert f") {100 * outcome['test.accuracy']:.2f} % digits " in b
    assert c.startswith("runs/c running, 1 s ago 0/2 - - digits ")


def test_the_document_of_a_list(folder: Path) -> None:
    code, text, _ = call("runs", "--format", "json")
    found = json.loads(text)
    assert (code, found["schema"], found["damaged"]) == (0, "cnncli.runs/1", [])
    a, b, c = found["runs"]
    assert (a["folder"], a["epochs"], a["finished_epochs"], a["status"]) == ("runs/a", 2, 2, "finished")
    lines = [json.loads(line) for line in (folder / "b" / "metrics.jsonl").read_text().splitlines()]
    accuracies = [line["val.accuracy"] for line in lines]
    assert b["best"] == {
        "figure": "val.accuracy",
        "epoch": 1 + accuracies.index(max(accuracies)),
        "value": max(accuracies),
    }
    assert b["seconds"] == sum(line["seconds"] for line in lines)
    assert (c["best"], c["outcome"], c["seconds"]) == (None, None, 0)


def test_a_damaged_run_is_named_and_the_others_are_listed(folder: Path) -> None:
    (folder / "a" / "run.json").write_text("{}")
    (folder / "b" / "metrics.jsonl").write_text('{"epoch": 1}\n')
    (folder / "c" / "metrics.jsonl").symlink_to(folder / "notes.txt")
    code, text, errors = call("runs")
    assert (code, errors) == (0, "")
    assert text.splitlines()[0] == "3 damaged runs:"
    assert "runs/a: runs/a/run.json does not describe a run" in text
    assert "runs/b: runs/b/metrics.jsonl is damaged: line 1 has no lr" in text
    assert "runs/c: runs/c/metrics.jsonl is not a regular file" in text
    assert len(json.loads(call("runs", "--format", "json")[1])["damaged"]) == 3
    code, _, errors = call("runs/a", "runs/b")
    assert code == 2
    assert "runs/a/run.json does not describe a run" in errors


def test_a_record_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (folder / name / "run.json").unlink()
    os.mkfifo(folder / "a" / "run.json")
    (folder / "b" / "run.json").mkdir()
    (folder / "c" / "run.json").symlink_to("nowhere")
    (folder / "closed").mkdir()
    status = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        if "closed" in path.parts:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return status(path)

    monkeypatch.setattr(Path, "lstat", lstat)
    code, text, errors = call("runs", "--format", "json")
    assert (code, errors) == (0, "")
    found = [each["message"] for each in json.loads(text)["damaged"]]
    assert found[:3] == [f"runs/{name}/run.json is not a regular file" for name in ("a", "b", "c")]
    assert found[3].startswith("cannot read runs/closed/")
    assert found[3].endswith("Permission denied")
    code, _, errors = call("runs/a", "runs/b")
    assert (code, "a pipe or a device" in errors) == (2, True)


def test_a_line_that_is_being_written_is_not_read(folder: Path) -> None:
    path = folder / "a" / "metrics.jsonl"
    path.write_text(path.read_text() + '{"epoch": 3, "lr"')
    assert " 2/2 " in call("runs/a")[1]


def test_a_comparison_has_only_what_is_different(folder: Path) -> None:
    code, text, errors = call("runs/a", "runs/b", "--format", "json")
    assert (code, errors) == (0, "")
    found = json.loads(text)
    assert found["differences"] == {
        "settings": {
            "data.holdout": [None, 0.2],
            "epochs": [2, 3],
            "optimizer.sgd.lr": [0.05, 0.2],
            "transforms": [[], [{"crop": {"padding": 1, "fill": 0.0}}]],
        },
        "spec": {"vars.width": ["4", "6"]},
        "data_changed": False,
    }
    assert [len(each["history"]) for each in found["runs"]] == [2, 3]
    assert found["runs"][1]["history"][2]["figures"]["val.loss"] == last(folder / "b")["val.loss"]
    _, text, _ = call("runs/a", "runs/b")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "optimizer.sgd.lr 0.05 0.2" in lines
    assert "transforms - [crop: padding: 1, fill: 0.0]" in lines
    assert "vars.width 4 6" in lines
    assert "accuracy after epoch runs/a runs/b" in lines
    shown = {"a": last(folder / "a")["test.accuracy"], "b": last(folder / "b")["val.accuracy"]}
    assert f"3 {100 * shown['b']:.2f} %" in lines
    assert any(line.startswith("2 ") and f" {100 * shown['a']:.2f} %" in line for line in lines)
    _, text, _ = call("runs/a", "runs/c")
    assert "the recipes are the same\nthe specs are the same\n" in text


@pytest.mark.parametrize("name", ["x.svg", "x.png"])
def test_curves_are_drawn_into_one_picture(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.training.pictures.curves.drawn", drawing.drawn)
    code, text, errors = call("runs/a", "runs/b", "-o", name)
    assert (code, errors) == (0, "")
    assert text.endswith(f"\n{name}: the curves of 2 runs\n")
    if name == "x.svg":
        assert ET.parse(name).getroot().tag.endswith("svg")  # noqa: S314 - our own
        assert "runs/b: val, and train (dashed)" in Path(name).read_text()
    else:
        with Image.open(name) as picture:
            assert picture.format == "PNG"
    code, _, errors = call("runs", "-o", name)
    assert code == 2
    assert f"{name} exists" in errors
    assert folder.is_dir()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "no such folder: nowhere"),
        (["runs/a", "runs/notes"], "runs/notes is not a run"),
        (["runs/c", "-o", "x.svg"], "these runs cannot be drawn"),
        (["runs", "-o", "x.pdf"], "x.pdf does not end in .svg or .png"),
    ],
)
def test_mistakes(words: list[str], message: str) -> None:
    code, text, errors = call(*words)
    assert (code, text) == (2, "")
    assert message in errors


@pytest.mark.usefixtures("folder")
def test_a_folder_without_runs() -> None:
    assert call("runs/notes") == (0, "no runs\n", "")


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_listing_and_comparing_import_nothing_heavy() -> None:
    code = (
        "import sys, cnncli; from cnncli.cli.app import application\n"
        "try: application(['runs'])(sys.argv[1:])\n"
        "finally: print([m for m in ('torch', 'numpy', 'safetensors', 'PIL') if m in sys.modules])"
    )
    for words in (["runs"], ["runs/a", "runs/b"]):
        done = subprocess.run(
            [sys.executable, "-c", code, "runs", *words], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONPATH": str(Path(cnncli.__file__).parent.parent)},
        )  # fmt: skip
        assert "runs/a" in done.stdout
        assert done.stdout.endswith("[]\n")


def run(history: list[dict[str, float]]) -> RunSummary:
    epochs = tuple(Epoch(number, 0.1, 1.0, 1.0, figures) for number, figures in enumerate(history, 1))
    return RunSummary(Path("a"), "a", "finished", "2026-01-01", 0.0, "", "", 9, epochs, None, None, {}, "")


def test_the_best_epoch_is_the_first_with_the_best_value() -> None:
    rising = run([{"test.psnr": 20.0}, {"test.psnr": 30.0}, {"test.psnr": 30.0}])
    falling = run([{"val.loss": 2.0, "test.loss": 0.0}, {"val.loss": 1.0}, {"val.loss": 1.5}])
    assert rising.best == Best("test.psnr", 2, 30.0)
    assert falling.best == Best("val.loss", 2, 1.0)
    assert main_metric((rising, falling)) == "loss"
    assert main_metric((rising, run([]))) == "psnr"


def test_values_of_different_metrics_have_their_names_on_a_narrow_screen() -> None:
    found = (run([{"val.accuracy": 0.5}]), run([{"val.iou": 0.25}]), run([]))
    for runs, values in ((found, ["accuracy 50.00 %", "IoU 25.00 %", "-"]), (found[1:], ["25.00 %", "-"])):
        ((table,),) = page(Runs(runs), 1.0).sections(60)
        assert isinstance(table, Table)
        (best,) = (column for column in table.columns if column.heading == "best")
        assert best.short_cells == values
