"""The picture of transforms shows what a training would see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import cnncli
from cnncli.cli.app import application
from cnncli.diagnostics import CnncliError
from cnncli.recipe.data import Data
from cnncli.training.data.batches import epoch_order
from cnncli.training.data.load import load
from cnncli.training.transforms import Pipeline

SPEC = """
name: tiny
input: [{input}]
layers: [flatten, linear: 10]
train: {{seed: 3, transforms: [crop: 2, rotate, brightness]}}
"""


def network(folder: Path, shape: str = "1, 8, 8") -> Path:
    path = folder / "net.yaml"
    path.write_text(SPEC.format(input=shape))
    return path


@pytest.mark.parametrize("channels", [1, 3])
def test_rows_of_samples_before_and_after(tmp_path: Path, channels: int) -> None:
    net = cnncli.load(network(tmp_path, f"{channels}, 8, 8"))
    found = net.preview(tmp_path / "out.png")
    assert (found.samples, found.epochs) == (8, 7)
    sheet = np.array(Image.open(tmp_path / "out.png"))
    assert sheet.shape == (8 * 68 + 4, 8 * 68 + 12, 3)
    images = load(Data(), (channels, 8, 8)).train.images
    samples = epoch_order(len(images), 3, 0)[:8]
    pipeline = Pipeline(net.settings.transforms)
    before = images[samples].float() / 255
    for column in range(8):
        left = 4 + column * 68 + (8 if column else 0)
        table = pipeline.table(len(images), 3, max(column - 1, 0))
        expected = pipeline(before, table[samples]) if column else before
        for row in range(8):
            shown = sheet[4 + row * 68 : 68 + row * 68 : 8, left : left + 64 : 8]
            values = torch.from_numpy(shown.copy()).permute(2, 0, 1)
            assert torch.equal(values, (expected[row] * 255).round().byte().expand(3, 8, 8))


def test_as_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = network(tmp_path)
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(application(), ["train", *words])
        return done.exit_code, done.output

    code, text = call(str(spec), "--preview", "out.png", "--set", "train.transforms=[flip]")
    assert code == 0
    assert text.splitlines() == [
        "transforms of training images: flip (direction horizontal, p 0.5)",
        "out.png: 8 samples, each before them and as in the first 7 epochs",
    ]
    assert not (tmp_path / "runs").exists()
    picture = (tmp_path / "out.png").read_bytes()
    for words, message in (
        ((str(spec), "--preview", "out.png"), "out.png exists"),
        ((str(spec), "--preview", "out.jpg"), "out.jpg does not end in .png"),
        ((str(spec), "--preview", "new.png", "--run", "x"), "--preview trains nothing"),
        (("--resume", "x", "--preview", "new.png"), "--resume takes spec, settings and folder"),
    ):
        code, text = call(*words)
        assert code == 2
        assert message in text
    assert (tmp_path / "out.png").read_bytes() == picture
    code, text = call(str(spec), "--preview", "missing/out.png")
    assert code == 4
    assert "cannot write missing/out.png" in text


def test_a_vector_cannot_be_shown(tmp_path: Path) -> None:
    net = cnncli.load(network(tmp_path, "2, 8, 8"))
    with pytest.raises(CnncliError, match="this input cannot be shown"):
        net.preview(tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out.png").symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(CnncliError, match=r"out\.png exists"):
        cnncli.load(network(tmp_path)).preview(tmp_path / "out.png")
    assert not (tmp_path / "elsewhere.png").exists()


def test_large_images_are_shown_smaller(tmp_path: Path) -> None:
    cnncli.load(network(tmp_path, "1, 300, 600")).preview(tmp_path / "out.png", transforms=[])
    with Image.open(tmp_path / "out.png") as sheet:
        assert sheet.size == (8 * 260 + 12, 8 * 132 + 4)
