"""``cnncli pack`` as it is typed, and trainings on what it makes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.cli.exit_codes import INTERRUPTED, UNWRITABLE, WRONG
from cnncli.diagnostics import readable_bytes
from tests.heeding import heed_signals

SPEC = """
name: tiny
input: [3, 16, 16]
vars: {classes: 10}
layers:
  - conv: {channels: 4, kernel: 3, stride: 2, norm: batch, activation: relu}
  - flatten
  - dropout: 0.2
  - linear: classes
train: {epochs: 2, batch: 16, transforms: [flip, crop: 2], optimizer: {sgd: {lr: 0.02}}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC)
    return path


def pictures(folder: Path, count: int, side: int) -> Path:
    """A folder of two classes; all images of a class are links to one file."""
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        pixels = draw.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name / "0.jpg")
        for number in range(1, count):
            os.link(folder / name / "0.jpg", folder / name / f"{number}.jpg")
    return folder


def call(*arguments: str | int | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def done(*arguments: str | Path) -> str:
    code, text, errors = call(*arguments)
    assert code == 0, errors
    return text


def test_it_says_what_was_packed_and_how_to_train(spec: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "data", 10, 20)
    text = done("pack", f"folder:{folder}", spec, "-o", tmp_path / "a pack")
    size = readable_bytes(sum(path.stat().st_size for path in (tmp_path / "a pack").iterdir()))
    assert text.splitlines() == [
        f"folder:{folder}: 16 images to train on, 4 held out, 2 classes, input 3x16x16",
        "  4 of 20 images held out, a fixed fifth of each class",
        "  all images resized to 3x16x16 (bilinear)",
        f"{tmp_path / 'a pack'}: {size}",
        f"train on it with: cnncli train SPEC --data 'packed:{tmp_path / 'a pack'}'",
    ]


def test_the_shape_is_that_of_a_size_or_of_a_spec(spec: Path, tmp_path: Path) -> None:
    for name, how in {
        "spec": (spec,),
        "spec at a size": (spec, "--input", "3x20x18"),
        "size": ("--input", "3x20x18", "--set", "train.data.resize=pad"),
        "spec and setting": (spec, "--set", "train.data.resize=pad"),
    }.items():
        done("pack", "digits", *how, "-o", tmp_path / name)
        found = json.loads((tmp_path / name / "manifest.json").read_text())
        assert found["input"] == ([3, 20, 18] if "size" in name else [3, 16, 16])
        assert found["resize"] == ("pad" if name in ("size", "spec and setting") else "crop")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits",), "missing option '--output' / '-o'"),
        (("digits", "-o", "FOLDER"), "it is not known which shape the images get"),
        (("digits", "-o", "FOLDER", "--input", "3xHxW"), "packed images have one size"),
        (("digits", "-o", "FOLDER", "--input", "3x16x16", "--set", "width=3"), "not a setting of 'train'"),
        (("digitz", "SPEC", "-o", "FOLDER"), "unknown data source 'digitz'"),
        (("folder:/nowhere", "SPEC", "-o", "FOLDER"), "no such file or folder: /nowhere"),
    ],
)
def test_mistakes(spec: Path, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    places = {"FOLDER": tmp_path / "pack", "SPEC": spec}
    code, _, errors = call("pack", *(places.get(each, each) for each in arguments))
    assert code == WRONG
    assert message in errors
    assert [path.name for path in tmp_path.iterdir()] == [spec.name]


def test_a_folder_that_cannot_be_written(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    code, _, errors = call("pack", "digits", spec, "-o", tmp_path / "file" / "pack")
    assert code == WRONG
    assert f"cannot create {tmp_path / 'file' / 'pack'}" in errors


LIMITED = """
import resource, runpy, sys
from pathlib import Path
import torch
now = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
limits = {"files": (resource.RLIMIT_FSIZE, 0), "data": (resource.RLIMIT_DATA, now)}
kind, used = limits[sys.argv[1]]
resource.setrlimit(kind, (used + int(sys.argv[2]), resource.RLIM_INFINITY))
sys.argv[:] = ["cnncli", *sys.argv[3:]]
runpy.run_module("cnncli", run_name="__main__")
"""
"""A command with a limit on the size of a file, or on memory besides what torch has taken."""


def limited(kind: str, most: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LIMITED, kind, str(most), *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_that_becomes_too_large(spec: Path, tmp_path: Path) -> None:
    found = limited("files", 100_000, "pack", "digits", spec, "-o", tmp_path / "pack")
    assert found.returncode == UNWRITABLE, found.stderr
    assert re.search(r"error: cannot write .*\.npy: File too large", found.stderr)
    assert [path.name for path in tmp_path.iterdir()] == [spec.name]


def trained(spec: Path, run: Path, source: str, *more: str) -> dict[str, Any]:
    done("train", spec, "--data", source, "--run", run, "--device", "cpu", *more)
    return load_file(run / "weights.safetensors")


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return left.keys() == right.keys() and all(bool((left[name] == right[name]).all()) for name in left)


def figures(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: line[name] for name in line if name.startswith(("train.", "test."))} for line in lines]


def test_the_source_is_given_once(spec: Path, tmp_path: Path) -> None:
    code, _, errors = call("pack", "digits", spec, "--set", "train.data=idx:/x", "-o", tmp_path / "pack")
    assert code == WRONG
    assert "SOURCE digits and --set train.data.source=idx:/x" in errors


@pytest.mark.parametrize("more", [(), ("--limit", "0.3")])
def test_training_is_the_same_as_on_the_source(spec: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    done("pack", "digits", spec, "-o", tmp_path / "pack")
    theirs = trained(spec, tmp_path / "theirs", "digits", *more)
    ours = trained(spec, tmp_path / "ours", f"packed:{tmp_path / 'pack'}", *more)
    assert same(ours, theirs)
    assert figures(tmp_path / "ours") == figures(tmp_path / "theirs")
    records = [json.loads((tmp_path / run / "run.json").read_text()) for run in ("ours", "theirs")]
    assert records[0]["normalization"] == records[1]["normalization"]
    assert records[0]["data"]["source"] == f"packed:{tmp_path / 'pack'}"


MASKS = """
name: masks
input: [1, 16, 16]
layers:
  - conv: {channels: 2, kernel: 3, padding: same, norm: batch, activation: relu}
  - conv: {channels: 11, kernel: 1}
train: {data: scenes, epochs: 1, batch: 64, transforms: [flip, rotate: 10]}
"""


@pytest.mark.slow
def test_masks_numbers_and_tags_are_packed_too(tmp_path: Path) -> None:
    spec = tmp_path / "masks.yaml"
    spec.write_text(MASKS)
    done("pack", "scenes", spec, "-o", tmp_path / "pack")
    columns = {path.stem.removeprefix("train-") for path in (tmp_path / "pack").glob("train-*.npy")}
    assert columns == {"images", "mask", "labels", "value", "background"}
    more = ("--limit", "0.3", "--set", "train.data.holdout=0.2")
    theirs = trained(spec, tmp_path / "theirs", "scenes", *more)
    assert same(trained(spec, tmp_path / "ours", f"packed:{tmp_path / 'pack'}", *more), theirs)
    assert figures(tmp_path / "ours") == figures(tmp_path / "theirs")


def test_a_run_is_resumed_and_evaluated_on_the_pack_of_its_source(spec: Path, tmp_path: Path) -> None:
    source = f"folder:{pictures(tmp_path / 'data', 20, 24)}"
    done("pack", source, spec, "-o", tmp_path / "pack")
    ours = f"packed:{tmp_path / 'pack'}"
    whole = trained(spec, tmp_path / "whole", source, "--set", "train.epochs=3", "--set", "classes=2")
    trained(spec, tmp_path / "run", source, "--set", "classes=2")
    done("train", "--resume", tmp_path / "run", "--data", ours, "--set", "train.epochs=3")
    again = json.loads((tmp_path / "run" / "run.json").read_text())["data"]["source"]
    assert again == ours
    # A longer schedule is another one from its beginning, so the weights differ from those of `whole`.
    assert load_file(tmp_path / "run" / "weights.safetensors").keys() == whole.keys()
    results = [
        json.loads(done("evaluate", tmp_path / "whole", "--data", data, "--format", "json"))
        for data in (source, ours)
    ]
    assert results[0]["figures"] == results[1]["figures"]


def test_a_validation_part_that_was_split_off_is_not_that_of_the_pack(spec: Path, tmp_path: Path) -> None:
    """Of files it is chosen by name, of a pack by number, so other images would be measured."""
    source = f"folder:{pictures(tmp_path / 'data', 20, 24)}"
    done("pack", source, spec, "-o", tmp_path / "pack")
    ours, run = f"packed:{tmp_path / 'pack'}", tmp_path / "run"
    trained(spec, run, source, "--set", "classes=2", "--set", "train.data.holdout=0.2")
    code, _, errors = call("train", "--resume", run, "--data", ours, "--set", "train.epochs=3")
    assert (code, f"the data is not the data that {run} was started with" in errors) == (WRONG, True)
    code, _, errors = call("evaluate", run, "--data", ours, "--split", "val")
    assert (code, "has a part val" in errors) == (WRONG, True)
    assert "6 images" in done("evaluate", run, "--data", source, "--split", "val")
    assert "8 images" in done("evaluate", run, "--data", ours)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are those of Linux")
LARGE = """
name: large
input: [3, 256, 256]
vars: {classes: 2}
layers:
  - conv: {channels: 4, kernel: 8, stride: 8, activation: relu}
  - flatten
  - linear: classes
train: {epochs: 1, batch: 16}
"""
MEMORY = 220 << 20
"""A little more than a training on few of the images below takes; they take 337 MiB."""


@linux
@pytest.mark.slow
def test_data_larger_than_memory_is_packed_and_trained_on(tmp_path: Path) -> None:
    """The limit (``ulimit -d``) counts the memory of the process, not files that it maps to share."""
    spec = tmp_path / "large.yaml"
    spec.write_text(LARGE)
    source = f"folder:{pictures(tmp_path / 'data', 900, 64)}"
    refused = limited("data", MEMORY, "train", spec, "--data", source, "--run", tmp_path / "run")
    assert refused.returncode == WRONG, refused.stderr
    assert "1800 images of 3x256x256 would take 337.5 MiB of memory" in refused.stderr
    packed = limited("data", MEMORY, "pack", source, spec, "-o", tmp_path / "pack")
    assert packed.returncode == 0, packed.stderr
    assert sum(path.stat().st_size for path in (tmp_path / "pack").iterdir()) > MEMORY
    for limit in ("1", "0.9"):
        train = ("train", spec, "--data", f"packed:{tmp_path / 'pack'}", "--limit", limit)
        found = limited("data", MEMORY, *train, "--run", tmp_path / f"run{limit}")
        assert found.returncode == 0, found.stderr
    measured = limited("data", MEMORY, "evaluate", tmp_path / "run1")
    assert measured.returncode == 0, measured.stderr


def start(source: str, spec: Path, folder: Path) -> subprocess.Popen[str]:
    """Begin to pack, and return once images are being decoded."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cnncli", "pack", source, str(spec), "-o", str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,  # noqa: PLW1509 - the tests start no threads
    )
    while not (folder.parent / f".{folder.name}.partial" / "unfinished-1.npy").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    return process


@linux
@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_in_the_middle(spec: Path, tmp_path: Path, sent: signal.Signals) -> None:
    folder = tmp_path / "pack"
    source = f"folder:{pictures(tmp_path / 'data', 100, 900)}"
    with start(source, spec, folder) as process:
        other = call("pack", "digits", spec, "-o", folder)
        process.send_signal(sent)
        process.communicate(timeout=120)
    assert other[0] == WRONG
    assert f"another process is writing to {folder}" in other[2]
    assert process.returncode == (-9 if sent == signal.SIGKILL else 128 + sent)
    left = {path.name for path in tmp_path.iterdir()} - {spec.name, "data"}
    assert left == ({".pack.partial"} if sent == signal.SIGKILL else set())
    for place in (folder, tmp_path / ".pack.partial"):
        code, _, errors = call("train", spec, "--data", f"packed:{place}", "--run", tmp_path / "run")
        assert code == WRONG
        assert "no such file or folder" in errors or "is not a pack" in errors
    shutil.rmtree(tmp_path / "data")
    done("pack", "digits", spec, "-o", folder)
    assert {path.name for path in tmp_path.iterdir()} == {spec.name, "pack"}


def test_interrupted_has_its_exit_code() -> None:
    assert 128 + signal.SIGINT == INTERRUPTED
