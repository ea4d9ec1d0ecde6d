"""A network that is opened with another input is trained, recorded and measured with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import cnncli

SPEC = """
input: [1, 8, 8]
vars: {classes: 10}
layers: [conv: {channels: 4, kernel: 3}, globalavgpool, linear: classes]
train: {epochs: 1, batch: 20}
"""


def test_the_record_of_a_run_has_it(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 12, 10), dtype=np.uint8)
    labels = np.arange(60) % 5
    np.savez(tmp_path / "five.npz", x_train=images, y_train=labels, x_test=images[:10], y_test=labels[:10])
    network = cnncli.loads(SPEC, input=(1, 12, 10))
    trained = network.train(data=f"npz:{tmp_path / 'five.npz'}", run=tmp_path / "run", device="cpu")
    # The number of classes follows the data, and the input stays what it was.
    assert "input: [1, 12, 10]\nvars: {classes: 5}\n" in (tmp_path / "run" / "spec.yaml").read_text()
    last = trained.history[-1].figures["test.loss"]
    assert cnncli.evaluate(tmp_path / "run", device="cpu").figures["loss"] == last
