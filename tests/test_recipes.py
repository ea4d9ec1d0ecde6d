"""The shipped recipes reach what the documents promise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def accuracy(spec: str, run: Path, *options: str) -> float:
    """Test accuracy of a shipped spec after its own recipe, as ``cnncli evaluate`` measures it."""
    runner = CliRunner()
    trained = runner.invoke(application(), ["train", spec, "--run", str(run), *options])
    assert trained.exit_code == 0, trained.output
    measured = runner.invoke(application(), ["evaluate", str(run), "--format", "json"])
    assert measured.exit_code == 0, measured.output
    return float(json.loads(measured.stdout)["figures"]["accuracy"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "least"),
    [
        ("lenet5", 0.97),
        pytest.param("lenet5_1998", 0.96, marks=pytest.mark.campaign),
        pytest.param("deep_belief_net", 0.97, marks=pytest.mark.campaign),
        ("toy_classifier", 0.97),
        pytest.param("small_resnet", 0.97, marks=pytest.mark.campaign),
        pytest.param("resnet20", 0.97, marks=pytest.mark.campaign),
        pytest.param("capsnet", 0.95, marks=pytest.mark.campaign),
    ],
)
def test_digits(spec: str, least: float, tmp_path: Path) -> None:
    assert accuracy(spec, tmp_path / "run") >= least


@pytest.mark.campaign
@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason=f"Fashion-MNIST is not in {FASHION_MNIST}")
@pytest.mark.parametrize(("spec", "least"), [("lenet5", 0.91), ("fashion_cnn", 0.935)])
def test_fashion_mnist(spec: str, least: float, tmp_path: Path) -> None:
    assert accuracy(spec, tmp_path / "run", "--data", f"idx:{FASHION_MNIST}") >= least
