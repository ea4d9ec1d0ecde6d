"""A part of the data without any target for a head is refused: nothing could be said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnncli
from cnncli.diagnostics import CnncliError

SPEC = """
input: [1, 8, 8]
layers: [flatten, linear: 1]
train: {tasks: {output: mse}, epochs: 1, batch: 4}
"""
MESSAGE = "has no target in 'value', which the network is compared with"


def table(folder: Path, *, without: str) -> str:
    """A table of four images in each part, of which one part has no numbers."""
    folder.mkdir()
    rows = ["path,split,value"]
    for number in range(8):
        part = "train" if number < 4 else "test"
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{part},{'' if part == without else number}")
    path = folder / "table.csv"
    path.write_text("\n".join(rows) + "\n")
    return f"csv:{path}"


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_training_does_not_begin(tmp_path: Path, part: str) -> None:
    with pytest.raises(CnncliError, match=MESSAGE):
        cnncli.loads(SPEC).train(data=table(tmp_path / "data", without=part), run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_nothing_is_measured(tmp_path: Path) -> None:
    net, missing = cnncli.loads(SPEC), table(tmp_path / "missing", without="test")
    with pytest.raises(CnncliError, match=MESSAGE):
        net.evaluate(net.module(), data=missing)
    net.train(data=table(tmp_path / "whole", without=""), run=tmp_path / "run", device="cpu")
    with pytest.raises(CnncliError, match=MESSAGE):
        cnncli.evaluate(tmp_path / "run", data=missing)
