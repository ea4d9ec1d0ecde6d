"""``cnncli train`` and ``cnncli evaluate`` as they are typed."""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.cli.exit_codes import DIVERGED, INTERRUPTED, NOT_MET, READER_LEFT, UNWRITABLE, WRONG
from cnncli.recipe.data import Data
from cnncli.training.data.load import load
from tests.heeding import heed_signals

runner = CliRunner()
SPEC = """
name: tiny
input: [1, 8, 8]
vars: {width: 8}
layers:
  - conv: {channels: width, kernel: 3, activation: relu}
  - flatten
  - linear: 10
train: {data: digits, epochs: 2, batch: 64, optimizer: {sgd: {lr: 0.05}}}
"""
ACCURACY = re.compile(r"test accuracy (\S+ %), loss (\S+)")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC)
    return path


def call(*arguments: str | int | Path) -> tuple[int, str, str]:
    result = runner.invoke(application(), [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def result_of(text: str) -> tuple[str, str]:
    found = ACCURACY.search(text)
    assert found is not None, text
    return found[1], found[2].rstrip(",")


def test_evaluating_prints_the_last_figures_of_training(spec: Path, tmp_path: Path) -> None:
    code, text, errors = call("train", spec, "--run", tmp_path / "run", "--device", "cpu")
    assert code == 0, errors
    assert "digits: 1,438 images to train on, 359 held out, images of 1x8x8\n" in text
    assert "\nlearns output: cross_entropy of label\n" in text
    assert re.search(r"2/2 .* %", text)
    code, again, errors = call("evaluate", tmp_path / "run", "--device", "cpu")
    assert code == 0, errors
    assert result_of(again) == result_of(text)
    assert "top-5" in again
    # To the last bit, not only to the digits shown.
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    document = json.loads(call("evaluate", tmp_path / "run", "--device", "cpu", "--format", "json")[1])
    during = {name.removeprefix("test."): each for name, each in last.items() if name.startswith("test.")}
    assert document["figures"] == document["figures"] | during
    assert during.keys() == {"loss", "accuracy", "top5", "f1"}
    (head,) = document["heads"].values()
    assert len(head["classes"]) == 10
    assert sum(map(sum, head["confusion"])) == document["images"] == 359


def test_the_collector_of_cycles_is_as_it_was(spec: Path, tmp_path: Path) -> None:
    """A process that is not ours keeps its objects in view, whether the training begins or is refused."""

    def collector() -> tuple[object, ...]:
        return gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()

    before = collector()
    assert (
        call("train", spec, "--run", tmp_path / "run", "--set", "train.epochs=1", "--device", "cpu")[0] == 0
    )
    assert collector() == before
    assert call("train", spec, "--run", tmp_path / "other", "--data", "idx:nowhere")[0] == 2
    assert collector() == before


def test_options_override_the_spec_and_are_kept(spec: Path, tmp_path: Path) -> None:
    options = (
        "--set train.epochs=1 --set train.batch=100 --set train.optimizer.sgd.lr=0.01 --set train.seed=7 "
        "--set width=3"
    )
    code, text, errors = call("train", spec, "--run", tmp_path / "run", *options.split())
    assert code == 0, errors
    assert "sgd (fused), lr 0.01 (cosine schedule), batch 100, seed 7" in text
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["schema"] == "cnncli.run/4"
    assert record["settings"]["epochs"] == 1
    code, text, _ = call("inspect", tmp_path / "run" / "spec.yaml", "--format", "json")
    assert json.loads(text)["layers"][0]["output"] == [3, 6, 6]


def test_transforms_are_named_recorded_and_kept_by_a_resumed_run(spec: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    chosen = ("--set", "train.transforms=[{crop: 1}, flip]", "--set", "train.epochs=1")
    code, text, errors = call("train", spec, "--run", run, *chosen)
    assert code == 0, errors
    line = (
        "transforms of training images: crop (padding 1, fill 0), then flip (direction horizontal, p 0.5)\n"
    )
    assert line in text
    recorded = json.loads((run / "run.json").read_text())["settings"]["transforms"]
    assert recorded == [
        {"crop": {"padding": 1, "fill": 0.0}},
        {"flip": {"direction": "horizontal", "p": 0.5}},
    ]
    code, text, errors = call("train", "--resume", run, "--set", "train.epochs=2")
    assert code == 0, errors
    assert line in text
    code, text, errors = call("train", "--resume", run, "--set", "train.transforms=[]")
    assert code == 2
    assert "transforms" in errors
    code, text, errors = call("train", spec, "--run", tmp_path / "plain", "--set", "train.epochs=1")
    assert "transforms of training images: none\n" in text
    assert code == 0, errors


@pytest.mark.parametrize("command", ["inspect", "check", "train", "memory", "sizes"])
def test_a_transform_without_effect_is_an_error_of_every_command(command: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("input: [64]\nlayers: [linear: 10]\ntrain: {transforms: [flip]}\n")
    code, _, errors = call(command, path)
    assert code == 2
    assert f"{path}:3:22" in errors
    assert "'flip' cannot be applied to this input" in errors


def test_a_recipe_file_goes_over_the_specs_own(spec: Path, tmp_path: Path) -> None:
    chosen, rate = tmp_path / "recipe.yaml", "optimizer: {sgd: {lr: 0.02}}"
    for text in (f"epochs: 1\n{rate}\n", f"train: {{epochs: 1, {rate}}}\n"):
        chosen.write_text(text)
        run = tmp_path / text[:3]
        code, shown, errors = call("train", spec, "--recipe", chosen, "--set", "train.seed=3", "--run", run)
        assert code == 0, errors
        # The batch of 64 is the spec's; 128 would be the default.
        assert "sgd (fused), lr 0.02 (cosine schedule), batch 64, seed 3" in shown
        assert "1/1" in shown
    for text in ("", "epoch: 1", "[1]", "epochs: 0"):
        chosen.write_text(text)
        code, _, errors = call("train", spec, "--recipe", chosen, "--run", tmp_path / "run")
        assert code == 2
        assert "recipe.yaml:1:" in errors
    assert not (tmp_path / "run").exists()


def test_a_shipped_spec_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, text, errors = call("train", "toy_classifier", "--set", "train.epochs=1", "--device", "cpu")
    assert code == 0, errors
    assert text.startswith("toy classifier on cpu")
    code, _, errors = call("train", "lecture")
    assert code == 2
    assert "'lecture' is a family of specs" in errors


def test_resuming_with_more_epochs(spec: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert call("train", spec, "--run", run)[0] == 0
    code, text, errors = call("train", "--resume", run, "--set", "train.epochs=3")
    assert code == 0, errors
    assert "continues after epoch 2 of 3\n" in text
    assert "3/3" in text
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 3


def test_resuming_a_finished_run_says_how_to_continue_it(spec: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    _, text, _ = call("train", spec, "--run", run)
    assert "continue" not in text
    code, text, errors = call("train", "--resume", run)
    assert code == 0, errors
    assert "all 2 epochs are finished; --set train.epochs=4 would continue the run\n" in text


def test_too_few_epochs_are_an_error_before_data_is_read(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    assert call("train", spec, "--run", run)[0] == 0

    def reading(*_: object, **__: object) -> None:
        raise AssertionError("data is read")

    monkeypatch.setattr("cnncli.training.launch.resuming.load", reading)
    code, text, errors = call("train", "--resume", run, "--set", "train.epochs=1")
    assert (code, text) == (2, "")
    assert "the run is already after epoch 2\n  expected: train.epochs=2 or more" in errors


@pytest.mark.slow
def test_an_interrupt_saves_and_the_run_ends_as_if_there_had_been_none(spec: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "cnncli",
        "train",
        str(spec),
        "--set",
        "train.epochs=400",
        "--device",
        "cpu",
        "--run",
    ]
    run = tmp_path / "stopped"
    with subprocess.Popen(
        [*command, str(run)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,  # noqa: PLW1509 - the tests start no threads
    ) as process:
        while not (run / "metrics.jsonl").exists() or not (run / "metrics.jsonl").read_text():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=600)
    assert process.returncode == 130
    assert f"cnncli train --resume {run}" in output
    done = len((run / "metrics.jsonl").read_text().splitlines())
    assert done < 400
    assert call("train", "--resume", run, "--set", f"train.epochs={done + 1}")[0] == 0
    assert len((run / "metrics.jsonl").read_text().splitlines()) == done + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to train"),
        (["--resume", "nowhere"], "nowhere is not a run"),
        (["SPEC", "--data", "digit"], "did you mean 'digits'?"),
        (["SPEC", "--data", "idx:nowhere"], "nowhere"),
        (["SPEC", "--set", "train.optimizer.sgd.lr=-1"], "a number above 0"),
        (["SPEC", "--set", "train.optimizer.sgd.lr=nan"], "unknown name 'nan'"),
        (["SPEC", "--set", "train.epochs=0"], "a whole number of 1 or more"),
        (["SPEC", "--set", "train.epochs=many"], "unknown name 'many'"),
        (["SPEC", "--set", "train.batch=1.5"], "a whole number of 1 or more"),
        (["SPEC", "--set", "train.seed="], "no value is given"),
        (["SPEC", "--device", "tpu"], "auto, cuda, cuda:N, mps or cpu"),
        (["SPEC", "--resume", "run"], "--resume takes spec, settings and folder from the run"),
    ],
)
def test_mistakes(spec: Path, arguments: list[str], message: str) -> None:
    code, text, errors = call("train", *(str(spec) if each == "SPEC" else each for each in arguments))
    assert code == 2
    assert message in errors
    assert text == ""


@pytest.mark.parametrize(
    ("option", "value", "text", "setting"),
    [
        ("--limit", "0.1", "train.data.limit=0.5", "train.data.limit=0.5"),
        ("--limit", "0.1", "train.data={limit: 0.5}", "train.data.limit=0.5"),
        ("--data", "digits", "train.data=idx:/x", "train.data.source=idx:/x"),
        ("--data", "digits", "train.data.source=idx:/x", "train.data.source=idx:/x"),
    ],
)
def test_a_setting_with_an_option_is_given_once(
    spec: Path, option: str, value: str, text: str, setting: str
) -> None:
    code, _, errors = call("train", spec, option, value, "--set", text, "--print-recipe")
    assert code == WRONG
    assert f"{option} {value} and --set {setting}" in errors
    other = "train.data.limit=0.5" if option == "--data" else "train.data=digits"
    code, printed, errors = call("train", spec, option, value, "--set", other, "--print-recipe")
    assert code == 0, errors
    assert re.search(r"source: digits +# --", printed)


def test_a_run_that_is_resumed_gets_its_data_from_one_place(spec: Path, tmp_path: Path) -> None:
    assert call("train", spec, "--run", tmp_path / "run")[0] == 0
    more = ("--data", "digits", "--set", "train.data.source=idx:/x")
    code, _, errors = call("train", "--resume", tmp_path / "run", *more)
    assert code == WRONG
    assert "digits and train.data.source=idx:/x" in errors


def test_a_run_is_never_overwritten(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("the only copy")
    code, _, errors = call("train", spec, "--run", tmp_path / "run")
    assert code == 2
    assert "is not empty" in errors
    assert (tmp_path / "run" / "thesis.txt").read_text() == "the only copy"


def test_a_network_for_other_classes(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC.replace("linear: 10", "linear: 7"))
    code, _, errors = call("train", path, "--run", tmp_path / "run")
    assert code == 2
    assert "10" in errors
    assert "7" in errors
    assert not (tmp_path / "run").exists()


def test_damaged_weights(spec: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert call("train", spec, "--run", run, "--set", "train.epochs=1")[0] == 0
    (run / "weights.safetensors").write_bytes(b"not weights")
    code, _, errors = call("evaluate", run)
    assert code == 2
    assert "weights.safetensors" in errors


def test_a_missing_extra_is_named(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.training.extras.find_spec", lambda name: None if name == "torch" else name)
    for command in (["train", spec], ["evaluate", "run"], ["inspect", spec, "--verify"]):
        code, _, errors = call(*command)
        assert code == 2
        assert "torch" in errors
        assert "pip install 'cnncli[train]'" in errors


def test_a_run_without_weights(spec: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert call("train", spec, "--run", run, "--set", "train.epochs=1")[0] == 0
    (run / "weights.safetensors").unlink()
    code, _, errors = call("evaluate", run)
    assert code == 2
    assert "has no weights to measure" in errors
    assert "resume the run, which continues until an epoch is finished" in errors
    assert call("train", "--resume", run)[0] == 0
    assert call("evaluate", run)[0] == 0


@pytest.mark.parametrize("setting", ["epochs", "batch", "seed"])
def test_what_could_not_be_resumed_is_refused(spec: Path, tmp_path: Path, setting: str) -> None:
    code, _, errors = call("train", spec, "--run", tmp_path / "run", "--set", f"train.{setting}={10**13}")
    assert code == 2
    assert f"train.{setting}" in errors


def test_a_network_without_classes_is_refused_before_data_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading(*_: object, **__: object) -> None:
        raise AssertionError("data is read")

    monkeypatch.setattr("cnncli.training.launch.starting.load", reading)
    code, _, errors = call("train", "faster_rcnn", "--run", tmp_path / "run")
    assert code == 2
    assert "head 'scores' learns 'mask' by cross_entropy, which the data does not have" in errors


def no_space(_handle: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_each_end_has_its_exit_code(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, errors = call("train", spec, "--run", tmp_path / "a", "--set", "train.optimizer.sgd.lr=1e30")
    assert code == DIVERGED
    assert json.loads((tmp_path / "a" / "run.json").read_text())["status"] == "diverged"
    code, _, errors = call("train", "--resume", tmp_path / "a")
    assert (code, "and would do so again" in errors) == (WRONG, True), errors
    code, _, errors = call("train", spec, "--run", tmp_path / "b", "--set", "train.optimizer.sgd.lr=50")
    assert code == DIVERGED, errors
    monkeypatch.setattr(os, "fsync", no_space)
    code, _, errors = call("train", spec, "--run", tmp_path / "c")
    assert code == UNWRITABLE
    assert "No space left" in errors
    assert call("train", spec, "--set", "train.epoch=1")[0] == WRONG
    assert len({0, NOT_MET, WRONG, DIVERGED, UNWRITABLE, INTERRUPTED, READER_LEFT}) == 7


@pytest.mark.parametrize(("reason", "code"), [(errno.EACCES, UNWRITABLE), (errno.ENAMETOOLONG, WRONG)])
def test_a_folder_that_cannot_be_created(
    reason: int, code: int, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk does not allow is not a mistake in the command; a name that cannot be one is."""

    def mkdir(path: Path, *_: object) -> None:
        raise OSError(reason, os.strerror(reason), str(path))

    monkeypatch.setattr(os, "mkdir", mkdir)
    found, _, errors = call("train", spec, "--run", tmp_path / "run")
    assert found == code
    assert f"cannotcreatetherunfolder{tmp_path / 'run'}:" in "".join(errors.split())


def test_a_log_has_a_line_at_intervals(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here at every batch: usually they are seconds apart."""
    monkeypatch.setattr("cnncli.report.pages.train.LOG_SECONDS", 0.0)
    code, text, errors = call("train", spec, "--run", tmp_path / "run", "--device", "cpu")
    assert code == 0, errors
    batches = re.findall(
        r"^epoch ([12])/2: batch (\d+) of 23, accuracy .* %, loss \d+\.\d{4}, .* images/s, "
        r"\d+ % waiting for data, .* left$",
        text,
        re.MULTILINE,
    )
    assert batches == [(epoch, str(batch)) for epoch in "12" for batch in range(1, 24)]
    assert re.search(r"epoch 1/2: testing, batch 0 of \d+, ", text)


# -- the number of classes -------------------------------------------------------------------------


@pytest.fixture
def three_classes(tmp_path: Path) -> str:
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part, count in (("train", 24), ("test", 6)):
        arrays[f"x_{part}"] = random.integers(0, 256, (count, 8, 8), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(count) % 3
    np.savez(tmp_path / "three.npz", **arrays)
    return f"npz:{tmp_path / 'three.npz'}"


def classifier(folder: Path, variables: str, outputs: str) -> Path:
    path = folder / "net.yaml"
    path.write_text(
        f"input: [1, 8, 8]\nvars: {variables}\nlayers: [flatten, linear: {outputs}]\ntrain: {{epochs: 1}}\n"
    )
    return path


def test_a_variable_follows_the_classes_of_the_data(three_classes: str, tmp_path: Path) -> None:
    spec, run = classifier(tmp_path, "{classes: 10}", "classes"), tmp_path / "run"
    code, text, errors = call("train", spec, "--data", three_classes, "--run", run)
    assert code == 0, errors
    assert "classes=3: the spec has another number, and follows the data" in text
    document = json.loads(call("inspect", run / "spec.yaml", "--format", "json")[1])
    assert document["layers"][-1]["output"] == [3]
    assert call("train", "--resume", run, "--set", "train.epochs=2")[0] == 0
    assert call("evaluate", run)[0] == 0


@pytest.mark.parametrize(
    ("variables", "outputs", "options"),
    [
        ("{classes: 10}", "classes", ("--set", "classes=7")),
        ("{classes: 10}", "10", ()),
        ("{labels: 10}", "labels", ()),
        ("{classes: 10}", "classes * 2", ()),
    ],
)
def test_what_was_said_otherwise_does_not_follow(
    three_classes: str, variables: str, outputs: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    spec = classifier(tmp_path, variables, outputs)
    code, _, errors = call("train", spec, "--data", three_classes, "--run", tmp_path / "run", *options)
    assert code == 2
    assert "but the data has 3 classes" in errors
    assert not (tmp_path / "run").exists()


# -- a part of the data ----------------------------------------------------------------------------


def test_a_limit_uses_a_share_of_each_class(spec: Path, tmp_path: Path) -> None:
    code, text, errors = call(
        "train", spec, "--limit", "0.1", "--set", "train.epochs=1", "--run", tmp_path / "a"
    )
    assert code == 0, errors
    labels = load(Data(), (1, 8, 8)).train.labels
    count = sum(round(each * 0.1) for each in labels.bincount().tolist())
    assert f"{count} images to train on, 359 held out" in text
    assert f"limited to {count} of 1,438 training images, the same share of each class" in text
    last = json.loads((tmp_path / "a" / "metrics.jsonl").read_text().splitlines()[-1])
    document = json.loads(call("evaluate", tmp_path / "a", "--format", "json")[1])
    assert (document["figures"]["loss"], document["images"]) == (last["test.loss"], 359)
    assert call("train", "--resume", tmp_path / "a", "--set", "train.epochs=2")[0] == 0


@pytest.mark.parametrize("limit", ["0", "1.5", "10%", "", "nan"])
def test_a_limit_is_a_share(limit: str, spec: Path, tmp_path: Path) -> None:
    code, _, errors = call("train", spec, "--limit", limit, "--run", tmp_path / "a")
    assert code == 2
    assert "train.data.limit" in errors
    assert not (tmp_path / "a").exists()


# -- labels from 1 ---------------------------------------------------------------------------------


def test_labels_from_one_of_data_that_is_given_apart(spec: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8)
    labels = np.arange(24) % 10 + 1
    np.savez(tmp_path / "one.npz", x_train=images, y_train=labels, x_test=images[:12], y_test=labels[:12])
    run, first = tmp_path / "run", ("--set", "train.data.first_label=1", "--set", "train.epochs=1")
    # The spec's own source is digits, whose labels are not numbered from 1.
    code, _, errors = call("train", spec, "--data", f"npz:{tmp_path / 'one.npz'}", "--run", run, *first)
    assert code == 0, errors
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    measured = json.loads(call("evaluate", run, "--format", "json")[1])
    assert measured["figures"]["loss"] == last["test.loss"]
    assert [each["name"] for each in measured["heads"]["output"]["classes"]] == [
        str(label) for label in range(1, 11)
    ]


@pytest.mark.parametrize(
    ("setting", "source", "expected"),
    [
        ("first_label=1", "digits", "idx:DIR, npz:FILE, shards:PATTERN or hf:NAME"),
        ("skip=0.5", "npz", "folder:DIR, csv:FILE, pairs:DIR, coco:FILE, shards:PATTERN or hf:NAME"),
    ],
)
def test_a_setting_of_data_that_has_no_effect_on_the_source(
    setting: str, source: str, expected: str, spec: Path, three_classes: str
) -> None:
    name, data = setting.partition("=")[0], three_classes if source == "npz" else source
    code, _, errors = call("train", spec, "--data", data, "--set", f"train.data.{setting}", "--run", "new")
    assert code == 2
    assert f"train.data.{name} has no effect on {source}\n  expected: {expected}\n" in errors
    assert not Path("new").exists()


def test_a_run_is_evaluated_on_data_that_its_settings_say_nothing_of(tmp_path: Path) -> None:
    """Of a folder some files may be left out; an archive is read as it is."""
    spec, run = classifier(tmp_path, "{classes: 2}", "classes"), tmp_path / "run"
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    for number, image in enumerate(images):
        part = "train" if number < 8 else "test"
        path = tmp_path / "pictures" / part / "01"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    chosen = ("--data", f"folder:{tmp_path / 'pictures'}", "--set", "train.data.skip=0.5")
    code, _, errors = call("train", spec, *chosen, "--run", run)
    assert code == 0, errors
    labels = np.arange(12) % 2
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images[8:], y_test=labels[8:])
    found = [
        json.loads(call("evaluate", run, "--format", "json", *more)[1])["figures"]
        for more in ((), ("--data", f"npz:{tmp_path / 'a.npz'}"))
    ]
    # The images come in another order.
    assert found[0] == pytest.approx(found[1])
