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
from cnncli.recipe.columns import Column
from cnncli.recipe.data import Data
from cnncli.training import preview as module
from cnncli.training.data.batches import epoch_order
from cnncli.training.data.dataset import IGNORED, Dataset, Split
from cnncli.training.data.load import load
from cnncli.training.sheets import overlaid
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


def squares(data: Data, shape: tuple[int, ...], *_: object) -> Dataset:
    """Gray images with a bright square, its mask, and a picture that is twice as dark; 9 samples."""
    del data
    images = torch.full((9, *shape), 50, dtype=torch.uint8)
    images[:, :, 2:5, 3:7] = 200
    mask = (images[:, 0] == 200).to(torch.uint8) * 15
    mask[:, 0] = IGNORED
    columns = {
        "mask": Column("mask", tuple(map(str, range(16)))),
        "label": Column("class", ("a",)),
        "target": Column("picture", (), shape),
        "small": Column("picture", (), (1, 2, 2)),
    }
    targets = {
        "mask": mask,
        "label": torch.zeros(9, dtype=torch.int64),
        "target": images // 2,
        "small": torch.zeros(9, 1, 2, 2, dtype=torch.uint8),
    }
    split = Split(images, targets)
    return Dataset("squares", columns, split, split)


def test_masks_pictures_and_what_the_network_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load", squares)
    net = cnncli.load(network(tmp_path, "1, 8, 8"))
    mirrored = [{"flip": {"p": 1}}]
    found = net.preview(tmp_path / "out.png", transforms=mirrored, corrupt=["shrink", "noise"])
    assert found.rows == ("image", "mask 'mask'", "picture 'target'", "what the network sees")
    sheet = np.array(Image.open(tmp_path / "out.png")).astype(int)
    assert sheet.shape == (8 * (4 * 68 + 8) - 8 + 4, 8 * 68 + 12, 3)

    def at(column: int, row: int, y: int, x: int, sample: int = 0) -> list[int]:
        """The color of a pixel of an image of 16x16, which is shown four times as large."""
        left = 4 + column * 68 + (8 if column else 0)
        color: list[int] = sheet[4 + sample * 280 + row * 68 + 4 * y + 2, left + 4 * x + 2].tolist()
        return color

    for sample in (0, 7):
        # From column 3 to 6 before, and mirrored after; color 15 of VOC is (192, 128, 128), color 0 is black.
        for column, x in ((0, 3), (1, 12), (7, 9)):
            assert at(column, 0, 2, x, sample) == [200] * 3
            assert at(column, 1, 2, x, sample) == [196, 164, 164]
            assert at(column, 2, 2, x, sample) == [100] * 3
        assert at(1, 0, 2, 3, sample) == [50] * 3
        assert at(1, 1, 2, 3, sample) == [25] * 3
        assert at(1, 1, 0, 3, sample) == [50] * 3  # ignored
        assert at(0, 3, 2, 3, sample) == [255] * 3  # nothing is seen before
    seen = [at(1, 3, y, x)[0] for y in range(16) for x in range(16)]
    assert all(seen[2 * n] == seen[2 * n + 1] for n in range(128))
    assert len(set(seen)) > 20


def test_scenes_have_masks(tmp_path: Path) -> None:
    net = cnncli.load(network(tmp_path, "1, 16, 16"))
    found = net.preview(tmp_path / "out.png", "scenes", transforms=["rotate", "mixup", "cutmix"])
    assert found.rows == ("image", "mask 'mask'")
    assert found.transforms[1:] == ("mixup (alpha 0.2, p 1)", "cutmix (alpha 1, p 1)")
    sheet = np.array(Image.open(tmp_path / "out.png")).astype(int)
    gray = (sheet == sheet[:, :, :1]).all(2)
    of_images, of_masks = gray[4:68], gray[72:136]
    assert of_images.all()
    assert not of_masks[:, :68].all()
    assert not of_masks[:, 80:].all()


def test_the_palette_is_that_of_voc() -> None:
    known = {0: (0, 0, 0), 1: (128, 0, 0), 4: (0, 0, 128), 15: (192, 128, 128), 255: (224, 224, 192)}
    for number, color in known.items():
        found = overlaid(torch.zeros(1, 3, 1, 1), torch.full((1, 1, 1), number)) * 2 * 255
        assert found.flatten().tolist() == pytest.approx(color)


def test_what_is_seen_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = network(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["train", str(spec), "--preview", "out.png", "--set", "train.corrupt=[shrink]"]
    done = CliRunner().invoke(application(), words)
    assert done.exit_code == 0
    seen, written = done.output.splitlines()[1:]
    assert seen == "what the network sees: shrink (factor 2)"
    assert written.endswith("first 7 epochs; rows of a sample: image and what the network sees")


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
    assert code == 2
    assert "no such folder: missing" in text


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
