"""The analysis half answers without torch: a fresh process is watched for what it imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent

HEAVY = frozenset({"torch", "torchinfo", "numpy", "scipy", "sklearn", "safetensors", "PIL"})

# What -X importtime writes for each module: "import time: self | cumulative | name".
IMPORT_LINE = "import time:"


def heavy_imports(*arguments: str) -> frozenset[str]:
    """The heavy libraries that ``python <arguments>`` imports, as Python's own import log tells.

    Fails where the program does not end with success or prints nothing: a program that stopped
    early would have imported nothing heavy either.
    """
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    log = [line for line in done.stderr.splitlines() if line.startswith(IMPORT_LINE)]
    said = "\n".join(line for line in done.stderr.splitlines() if not line.startswith(IMPORT_LINE))
    assert done.returncode == 0, said
    assert done.stdout.strip()
    return HEAVY & {line.rpartition("|")[2].strip().partition(".")[0] for line in log}


@pytest.mark.parametrize(
    "command",
    [
        ("inspect", "specs/lenet5.yaml"),
        ("inspect", "specs/lenet5.yaml", "--format", "json"),
        ("inspect", "vgg16"),
        ("inspect", "unet", "--receptive-field", "--shifts"),
        ("probe", "--help"),
        ("inspect", "specs/vgg", "--side-by-side"),
        ("check", "specs/lenet5.yaml"),
        ("memory", "vgg16", "--fit-into", "16GiB"),
        ("specs",),
        ("cut", "resnet18", "--after", "layer2"),
        ("train", "--help"),
        ("evaluate", "--help"),
        ("runs", "--help"),
        ("export", "--help"),
        ("data", "--help"),
        ("--help",),
    ],
    ids=" ".join,
)
def test_commands_of_the_analysis_half_import_nothing_heavy(command: tuple[str, ...]) -> None:
    assert heavy_imports("-m", "cnncli", *command) == frozenset()


def test_a_file_of_weights_is_identified_by_its_header(tmp_path: Path) -> None:
    header = json.dumps({"conv1.weight": {"dtype": "F32", "shape": [6, 1, 5, 5], "data_offsets": [0, 600]}})
    file = tmp_path / "weights.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(600))
    command = ("identify", str(file), "--spec", "lenet5")
    assert heavy_imports("-m", "cnncli", *command) == frozenset()


@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_the_watch_sees_a_heavy_import(library: str) -> None:
    program = f"def late():\n    import {library}\nlate()\nprint('done')"
    assert library in heavy_imports("-c", program)


def test_the_watch_does_not_trust_a_program_that_fails() -> None:
    with pytest.raises(AssertionError, match="broken on purpose"):
        heavy_imports("-c", "raise SystemExit('broken on purpose')")
