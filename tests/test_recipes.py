"""The shipped recipe of LeNet-5 reaches what the documents promise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import app

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def accuracy(run: Path, *options: str) -> float:
    """Test accuracy of specs/lenet5.yaml after its own recipe, as ``cnncli evaluate`` measures it."""
    runner = CliRunner()
    trained = runner.invoke(app, ["train", "specs/lenet5.yaml", "--run", str(run), *options])
    assert trained.exit_code == 0, trained.output
    measured = runner.invoke(app, ["evaluate", str(run), "--format", "json"])
    assert measured.exit_code == 0, measured.output
    return float(json.loads(measured.stdout)["top1"])


def test_digits(tmp_path: Path) -> None:
    assert accuracy(tmp_path / "run") >= 0.97


@pytest.mark.campaign
@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason=f"Fashion-MNIST is not in {FASHION_MNIST}")
def test_fashion_mnist(tmp_path: Path) -> None:
    assert accuracy(tmp_path / "run", "--data", f"idx:{FASHION_MNIST}") >= 0.89
