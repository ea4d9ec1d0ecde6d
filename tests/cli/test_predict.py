"""``cnncli predict``: which images are read, what is said of them, and what is written."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.cli.predict import _named

SPEC = """
input: [1, 6, 6]
layers: [flatten, linear: 3]
train: {epochs: 1, batch: 8, data: "folder:%s"}
"""
NAMES = ("bird", "cat", "dog")


def call(*arguments: object, stdin: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), [*map(str, arguments)], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def pictures(folder: Path, count: int, size: tuple[int, ...] = (6, 6)) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.random.default_rng([number, *folder.name.encode()]).integers(0, 256, size, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run ``run``, and ``photos`` of its three classes: in color, and larger than its input."""
    root = tmp_path_factory.mktemp("trained")
    for name in NAMES:
        pictures(root / "pets" / name, 5)
        pictures(root / "photos" / name, 3, (9, 13, 3))
    (root / "net.yaml").write_text(SPEC % (root / "pets"), encoding="utf-8")
    code, _, errors = call("train", root / "net.yaml", "--run", root / "run", "--device", "cpu")
    assert code == 0, errors
    return root


def document(*arguments: object, stdin: str | None = None) -> dict[str, Any]:
    code, text, errors = call("predict", *arguments, "--device", "cpu", "--format", "json", stdin=stdin)
    assert code == 0, errors
    found: dict[str, Any] = json.loads(text)
    return found


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def test_images_are_predicted_as_evaluate_does(trained: Path, tmp_path: Path) -> None:
    photos = trained / "photos"
    ours, theirs = tmp_path / "ours.csv", tmp_path / "theirs.csv"
    assert call("evaluate", trained / "run", "--data", f"folder:{photos}", "--output", theirs)[0] == 0
    code, text, errors = call("predict", trained / "run", photos, "-o", ours)
    assert code == 0, errors
    expected = table(theirs)
    assert len(expected) == 9
    for row in expected:
        row["image"] = str(photos / row["image"])
    assert table(ours) == expected
    right = sum(row["true"] == row["predicted"] for row in expected)
    assert f"{right} of 9 images predicted as its folder is called" in text
    assert "all images cropped, the middle resized to 1x6x6 (bilinear)" in text


def test_images_are_files_folders_patterns_and_lines(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    whole = [each["image"] for each in document("run", "photos")["images"]]
    assert whole == [f"photos/{name}/{number}.png" for name in NAMES for number in range(3)]
    some = document("run", "photos/cat/1.png", "photos/*/1.png", "-", stdin="photos/dog/2.png\n\n")
    names = [f"photos/{name}.png" for name in ("cat/1", "bird/1", "dog/1", "dog/2")]
    assert [each["image"] for each in some["images"]] == names


def test_classes_come_with_their_probabilities(trained: Path, tmp_path: Path) -> None:
    plain = tmp_path / "0.png"
    plain.write_bytes((trained / "photos" / "dog" / "0.png").read_bytes())
    known, unknown = document(trained / "run", trained / "photos" / "dog" / "0.png", plain)["images"]
    assert (known["heads"]["output"]["true"], unknown["heads"]["output"]["true"]) == ("dog", None)
    guesses = known["heads"]["output"]["guesses"]
    assert guesses == unknown["heads"]["output"]["guesses"]
    shares = [guess["probability"] for guess in guesses]
    assert {guess["name"] for guess in guesses} == {*NAMES}
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    code, text, _ = call("predict", trained / "run", plain)
    assert code == 0
    assert f"{100 * shares[0]:.2f} %  █" in text


def test_an_image_that_cannot_be_read_does_not_stop_the_others(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    good = trained / "photos" / "cat" / "0.png"
    code, text, errors = call(
        "predict", trained / "run", tmp_path / "notes.txt", good, tmp_path / "gone.png", "--format", "json"
    )
    assert code == 2
    assert [each["image"] for each in json.loads(text)["images"]] == [str(good)]
    said = "".join(errors.split())
    assert f"{tmp_path / 'notes.txt'}:notanimagethatcanberead" in said
    assert f"{tmp_path / 'gone.png'}:nosuchfile" in said


def test_what_is_not_a_file_does_not_stop_the_others(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    pictures(folder, 1)
    os.mkfifo(folder / "pipe.png")
    (folder / "loop.png").symlink_to("loop.png")
    code, text, errors = call("predict", trained / "run", folder)
    assert code == 0, errors
    assert "1 image" in text
    code, _, errors = call("predict", trained / "run", folder / "pipe.png")
    assert code == 2
    assert "pipe.png: not a file" in errors


def test_a_word_without_images_does_not_stop_the_others(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    good = trained / "photos" / "cat" / "0.png"
    words = (tmp_path / "empty", tmp_path / "x*.png", good, "")
    code, text, errors = call("predict", trained / "run", *words, "--format", "json")
    assert code == 2
    found = json.loads(text)
    assert [each["image"] for each in found["images"]] == [str(good)]
    expected = [f"{tmp_path / 'empty'} has no images", f"no file matches '{tmp_path / 'x*.png'}'"]
    assert found["unreadable"] == [*expected, "'' cannot be the name of an image"]
    assert all("".join(each.split()) in "".join(errors.split()) for each in found["unreadable"])
    code, _, errors = call("predict", trained / "run", tmp_path / "empty", "")
    assert code == 2
    assert "has no images" in " ".join(errors.split())


def test_a_folder_that_cannot_be_read_does_not_stop_the_others(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path / "open", 1)
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def scandir(path: Path) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scan(path)

    monkeypatch.setattr("os.scandir", scandir)
    code, text, errors = call("predict", trained / "run", tmp_path, "--format", "json")
    assert code == 2
    assert [each["image"] for each in json.loads(text)["images"]] == [str(tmp_path / "open" / "0.png")]
    assert f"{tmp_path / 'closed'}:cannotberead:Permissiondenied" in "".join(errors.split())


def test_a_loop_of_links_is_read_once(trained: Path, tmp_path: Path) -> None:
    folder, other = tmp_path / "pictures", tmp_path / "other"
    pictures(folder, 2)
    (folder / "self").symlink_to(".")
    other.symlink_to(folder)
    found = document(trained / "run", folder, other)
    assert [each["image"] for each in found["images"]] == [str(folder / "0.png"), str(folder / "1.png")]
    (note,) = (each for each in found["notes"] if "read once" in each)
    assert note.endswith(f"several paths lead there: {folder / 'self'} and {other}")


def test_a_closed_standard_input_has_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert [*_named(["a.png", "-"])] == ["a.png"]


def test_a_picture_has_a_red_bar_for_the_true_class(trained: Path, tmp_path: Path) -> None:
    def colors(name: str, *images: Path) -> set[tuple[int, ...]]:
        code, _, errors = call("predict", trained / "run", *images, "-o", tmp_path / name)
        assert code == 0, errors
        with Image.open(tmp_path / name) as picture:
            return {*map(tuple, np.asarray(picture.convert("RGB")).reshape(-1, 3).tolist())}

    photo, plain = trained / "photos" / "cat" / "0.png", tmp_path / "x.png"
    plain.write_bytes(photo.read_bytes())
    red = (230, 169, 161)
    known, unknown = colors("known.png", photo), colors("unknown.png", plain)
    assert (red in known, red in unknown) == (True, False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "net.yaml"), "net.yaml: not an image that can be read"),
        (("net.yaml", "photos"), "net.yaml is not a run"),
        (("pets", "photos"), "pets is not a run"),
        (("run", "empty"), "empty has no images"),
        (("run", "photos/*.tif"), "no file matches 'photos/*.tif'"),
        (("run", "-"), "no image is named"),
        (("run", "photos", "-o", "old.csv"), "old.csv exists"),
        (("run", "photos", "-o", "none/new.png"), "no such folder: none"),
        (("run", "photos", "-o", "new"), "new is not the name of a CSV or PNG file"),
        (("run", "photos", "--weights", "best"), "run has no best weights"),
    ],
)
def test_what_is_wrong_is_said(
    trained: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(trained)
    (trained / "empty").mkdir(exist_ok=True)
    (trained / "old.csv").write_text("mine")
    code, text, errors = call("predict", *words, stdin="")
    assert (code, text) == (2, "")
    assert message in " ".join(errors.split())
    assert (trained / "old.csv").read_text() == "mine"
    assert not (trained / "new").exists()
