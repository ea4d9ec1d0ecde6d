"""A run with two heads on few digits, and its network."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnncli.api import load
from cnncli.training.looking.opened import Opened, open_trained

SPEC = """
name: two
input: [1, 8, 8]
layers:
  - conv: {channels: 6, kernel: 3, padding: same, norm: batch, activation: relu}
  - maxpool: 2
  - conv: {channels: 7, kernel: 3, activation: tanh}
  - flatten
  - linear: {features: 12, activation: relu}
  - dropout
heads:
  digit: [linear: 10]
  parity: [linear: 2, softmax]
train:
  epochs: 1
  batch: 64
  data: {source: digits, limit: 0.2}
  tasks:
    digit: {}
    parity: {target: {of: label, map: [even, odd, even, odd, even, odd, even, odd, even, odd]}}
"""


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the run."""
    folder = tmp_path_factory.mktemp("looking")
    (folder / "two.yaml").write_text(SPEC)
    load(folder / "two.yaml").train(run=folder / "run", device="cpu")
    return folder / "run"


@pytest.fixture(scope="session")
def opened(run: Path) -> Opened:
    """Its network."""
    return open_trained(run, None, "cpu")
