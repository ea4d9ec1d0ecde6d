"""Sizes of images, a length in FLOPs and a limit of memory, as they are typed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.cli.exit_codes import OK, WRONG
from cnncli.report.text.numbers import short

SPEC = """
name: even
input: [1, 8, 8]
layers:
  - {conv: {channels: 4, kernel: 3, padding: same}}
  - concat: [identity, [maxpool: 2, upsample: 2]]
  - relu
  - {conv: {channels: 8, kernel: 3, padding: same}}
  - globalavgpool
  - linear: 10
train: {data: {source: digits, limit: 0.1}, batch: 32, epochs: 6}
"""
IMAGES = 143


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "even.yaml"
    path.write_text(SPEC)
    return path


def call(*arguments: str | Path, code: int = OK) -> str:
    """Return what a command prints, errors included, with single blanks."""
    result = CliRunner().invoke(application(), [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def step_flops(spec: Path, size: int) -> int:
    """Return three times the FLOPs of a forward pass of an image, as ``cnncli inspect`` counts them."""
    found = json.loads(call("inspect", spec, "--input", f"1x{size}x{size}", "--format", "json"))
    return 3 * int(found["totals"]["flops"])


def settings_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text())["settings"]
    return found


def test_images_grow_to_sizes_that_the_network_accepts(spec: Path, tmp_path: Path) -> None:
    """Halfway sizes of 5.3 and 6.7 pixels are odd ones if they are rounded to the nearest number."""
    assert "2, 4, 6, ... (multiples of 2 from 2)" in call("sizes", spec)
    grow = "train.resolution={from: 4, to: 8}"
    said = call("train", spec, "--run", tmp_path / "run", "--device", "cpu", "--set", grow)
    stages = ((4, 2, "epochs 1 to 2"), (6, 3, "epochs 3 to 5"), (8, 1, "epoch 6"))
    flops = [IMAGES * epochs * step_flops(spec, size) for size, epochs, _ in stages]
    listed = [
        f"{size}x{size} in {epochs} ({short(each)})"
        for (size, _, epochs), each in zip(stages, flops, strict=True)
    ]
    assert f"training images of {', '.join(listed)}; measured at 8x8" in said
    assert f"{short(sum(flops))} FLOPs of training in 6 epochs" in said


def test_a_length_in_flops_within_a_limit_of_memory(spec: Path, tmp_path: Path) -> None:
    run, batch = tmp_path / "run", 32 * step_flops(spec, 8)
    assert 3 * batch < 30e6 <= 4 * batch
    command = ("train", spec, "--run", run, "--device", "cpu", "--set", "train.flops=30M")
    said = call(*command, "--memory", "60kB")
    assert f"{short(4 * batch)} FLOPs of training in 1 epoch, the last one up to batch 4" in said
    found = re.search(
        r"needs (\S+) KiB of 58\.6 KiB in float32; each batch in (\d+) slices of at most (\d+)", said
    )
    assert found is not None, said
    slices, images = int(found[2]), int(found[3])
    assert float(found[1]) <= 58.6
    assert (slices - 1) * images < 32 <= slices * images
    settings = settings_of(run)
    assert (settings["batch"], settings["accumulate"], settings["epochs"]) == (32, slices, 1)
    assert settings["recompute"] == "none"
    # The epochs of the spec have no effect in the same command again either.
    assert "measure it again with" in call(*command, "--memory", "60kB")
    assert "needs more memory" in call(*command, "--memory", "50kB", code=WRONG)


def test_parts_are_recomputed_where_slices_do_not_suffice(spec: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = ("train", spec, "--run", run, "--device", "cpu", "--set", "train.epochs=1", "--memory")
    refused = call(*command, "1kB", code=WRONG)
    assert "does not fit, even in 16 slices with parts recomputed" in refused
    assert not run.exists()
    least = re.search(r"at least (\S+ KiB)", refused)
    assert least is not None, refused
    said = call(*command, least[1])
    assert re.search(r"slices of at most \d+ images, with \S+ % more FLOPs", said), said
    assert settings_of(run)["recompute"] != "none"
