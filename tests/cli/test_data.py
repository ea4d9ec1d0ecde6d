"""``cnncli data``, as it is typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.report.pages import train
from tests.cli.test_evaluate import pictures


def call(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), ["data", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A folder of two classes with ten images each in two parts."""
    for part, first in (("train", 0), ("test", 10)):
        for name in ("cat", "dog"):
            pictures(tmp_path / "pets" / part / name, 10, first)
    return tmp_path / "pets"


def test_a_table(pets: Path) -> None:
    code, text, errors = call(f"folder:{pets}")
    assert (code, errors) == (0, "")
    lines = text.splitlines()
    assert lines[:2] == [
        f"folder:{pets}: 40 images, 2 classes",
        "all images can be read, and none is there twice",
    ]
    rows = [line.split() for line in lines]
    assert ["class", "train", "test", "images"] in rows
    assert ["cat", "10", "10", "20"] in rows
    assert ["total", "20", "20", "40"] in rows
    assert "all images have the size 6x6" in lines
    values = np.stack([np.array(Image.open(path)) for path in pets.rglob("*.png")])
    low, high, mean, deviation = values.min(), values.max(), values.mean() / 255, values.std() / 255
    assert ["gray", "40", "gray", f"{low}", f"{high}", f"{mean:.4f}", f"{deviation:.4f}"] in rows


def test_a_leak_is_a_warning(pets: Path) -> None:
    shutil.copy(pets / "train" / "cat" / "3.png", pets / "test" / "dog" / "copy.png")
    (pets / "test" / "dog" / "text.png").write_text("no image")
    code, text, errors = call(f"folder:{pets}")
    assert (code, errors) == (0, "")
    assert text.splitlines()[1:4] == [
        "1 picture is in several parts, so what is measured on one was seen in another",
        "1 picture is in several classes",
        "1 image cannot be read",
    ]
    assert "2 images in train and test of cat and dog: train/cat/3.png, test/dog/copy.png\n" in text
    assert f"{pets / 'test' / 'dog' / 'text.png'}: not an image that can be read" in text
    document = json.loads(call(f"folder:{pets}", "--format", "json")[1])
    assert (document["schema"], document["images"], document["leaks"]) == ("cnncli.data/1", 41, 1)
    assert document["classes"][1] == {"name": "dog", "images": {"train": 10, "test": 11}}
    assert document["duplicates"]["first"][0]["first"] == ["train/cat/3.png", "test/dog/copy.png"]
    assert document["unreadable"]["first"][0]["name"] == "test/dog/text.png"


def test_a_contact_sheet(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, text, _ = call(f"folder:{pets}", "-o", "sheet.png")
    assert code == 0
    assert text.splitlines()[-1] == "sheet.png: 16 images of 2 classes"
    with Image.open("sheet.png") as sheet:
        assert sheet.size[1] == 2 * 60 + 3 * 4
    code, _, errors = call(f"folder:{pets}", "-o", "sheet.png")
    assert (code, errors.splitlines()[0]) == (2, "error: sheet.png exists")
    code, _, errors = call(f"folder:{pets}", "-o", "missing/sheet.png")
    assert (code, errors.splitlines()[0]) == (2, "error: no such folder: missing")


def test_what_cannot_be_looked_at(tmp_path: Path) -> None:
    code, text, errors = call("photos")
    assert (code, text) == (2, "")
    assert errors.startswith("error: unknown data source 'photos'")
    assert call(f"npz:{tmp_path / 'missing.npz'}")[0] == 2


def test_progress_is_not_part_of_a_document(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "LOG_SECONDS", -1.0)
    code, text, errors = call(f"folder:{pets}", "--format", "json")
    assert code == 0
    assert json.loads(text)["images"] == 40
    assert errors.splitlines()[-1] == "reading images: 40 of 40"
