"""``csv:FILE``: what each column becomes, and what is said of what is wrong."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnncli.diagnostics import UsageError
from cnncli.recipe.columns import Column
from cnncli.recipe.data import Data
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.load import identity, load, load_held_out, load_measured

SHAPE = (3, 6, 5)


def pictures(folder: Path, count: int) -> list[str]:
    """Write images of 6x5 random pixels into ``pics``; return their names in the folder."""
    (folder / "pics").mkdir()
    for number in range(count):
        Image.fromarray(pixels(number)).save(folder / "pics" / f"{number}.png")
    return [f"pics/{number}.png" for number in range(count)]


def pixels(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(number).integers(0, 256, (6, 5, 3), dtype=np.uint8)


def written(path: Path, rows: list[list[str]], separator: str = ",", encoding: str = "utf-8") -> str:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    return f"csv:{path}"


def read(source: str, outputs: Mapping[str, tuple[int, ...]] | None = None, **how: Any) -> Dataset:
    return load(Data(source=source, **how), SHAPE, outputs=outputs or {})


def images_of(dataset: Dataset) -> list[int]:
    """The numbers of the images, training part first, found by their pixels."""
    every = [torch.from_numpy(pixels(number)).movedim(-1, 0) for number in range(20)]
    return [
        next(number for number, each in enumerate(every) if torch.equal(image, each))
        for part in (dataset.train, dataset.test)
        for image in part.images
    ]


def test_columns_by_the_recipe(tmp_path: Path) -> None:
    names = pictures(tmp_path, 8)
    parts = ["train"] * 3 + ["test"] * 2 + ["Training"] * 3
    ages = ["1.5", "", "-2", "3e2", "5", "6", "7", "8"]
    kinds = ["dog", "cat", "", "cat", "dog", "ant", "cat", "dog"]
    tags = ["wild|big", "big", "", "|", "tame", "wild", "big|tame", "tame"]
    header = ["part", "photo", "species", "age", "words", "comment"]
    rows = [[*row, 'a, "b"\nc'] for row in zip(parts, names, kinds, ages, tags, strict=True)]
    source = written(tmp_path / "a.csv", [header, *rows], ";", "utf-8-sig")
    columns = {"species": "class", "age": "number", "words": "tags"}
    found = read(source, columns=columns)
    assert images_of(found) == [0, 1, 2, 5, 6, 7, 3, 4]
    assert found.columns["species"] == found.columns["label"] == Column("class", ("ant", "cat", "dog"))
    assert found.train.targets["species"].tolist() == [2, 1, -1, 0, 1, 2]
    assert found.test.targets["label"].tolist() == [1, 2]
    assert found.columns["age"] == found.columns["value"] == Column("number", ("age",))
    expected = torch.tensor([[1.5], [float("nan")], [-2], [6], [7], [8]])
    torch.testing.assert_close(found.train.targets["age"], expected, equal_nan=True)
    assert found.columns["labels"].names == ("big", "tame", "wild")
    assert found.train.targets["words"].tolist() == [
        *([1, 0, 1], [1, 0, 0], [255] * 3, [0, 0, 1], [1, 1, 0], [0, 1, 0])
    ]
    assert found.test.targets["words"].tolist() == [[0, 0, 0], [0, 1, 0]]
    stated = "part: split, photo: path, species: class, age: number, words: tags"
    assert found.notes[:2] == (
        f"columns, separated by semicolons: {stated} (part and photo by name or content)",
        "columns that are not used: comment",
    )


def test_several_columns_of_numbers_are_one_value_too(tmp_path: Path) -> None:
    names = pictures(tmp_path, 5)
    rows = [["path", "x", "y"], *([name, str(i), str(i / 2)] for i, name in enumerate(names))]
    found = read(written(tmp_path / "a.csv", rows, "\t"), columns={"x": "number", "y": "number"})
    assert found.columns["value"].names == ("x", "y")
    values = torch.cat([found.train.targets["value"], found.test.targets["value"]])
    assert sorted(values.tolist()) == [[i, i / 2] for i in range(5)]
    assert "separated by tabs" in found.notes[1]
    assert found.notes[0] == "1 of 5 images held out, a fixed fifth"


@pytest.mark.parametrize(
    ("cells", "form"),
    [(["cat", "dog", "cat"], "class"), (["1", "2", "1"], "class"), (["1", "2.5", ""], "number")],
)
def test_the_only_other_column_is_guessed(tmp_path: Path, cells: list[str], form: str) -> None:
    names = pictures(tmp_path, 12)
    rows = [["", "name", "it"], *([str(i), name, cells[i % 3]] for i, name in enumerate(names))]
    found = read(written(tmp_path / "a.csv", rows))
    assert found.columns["it"].form == form
    assert f"name: path, it: {form} (name and it by name or content)" in " ".join(found.notes)


def test_usual_names_say_what_columns_have(tmp_path: Path) -> None:
    names = pictures(tmp_path, 10)
    rows = [["filename", "Label", "value"], *([name, str(i % 2 + 9), "1"] for i, name in enumerate(names))]
    found = read(written(tmp_path / "a.csv", rows))
    assert found.columns["Label"] == Column("class", ("9", "10"))
    assert found.columns["label"] == found.columns["Label"]
    assert found.columns["value"].form == "number"
    assert sorted([found.train.labels.tolist().count(0), found.test.labels.tolist().count(0)]) == [1, 4]


def test_forms_that_the_recipe_states_are_not_guessed(tmp_path: Path) -> None:
    names = pictures(tmp_path, 5)
    rows = [["path", "value", "age", "label"], *([name, "unknown", "3", "a"] for name in names)]
    found = read(written(tmp_path / "a.csv", rows), columns={"age": "number"})
    assert {name: column.form for name, column in found.columns.items()} == {
        "age": "number",
        "value": "number",
        "label": "class",
    }
    assert found.columns["value"].names == ("age",)


def test_masks_and_pictures(tmp_path: Path) -> None:
    names = pictures(tmp_path, 6)
    for number in range(6):
        values = np.random.default_rng(number).integers(0, 3, (6, 5), dtype=np.uint8)
        Image.fromarray(values).save(tmp_path / f"m{number}.png")
    rows = [
        [name, "" if number == 2 else f"m{number}.png", names[5 - number], "train" if number < 4 else "test"]
        for number, name in enumerate(names)
    ]
    source = written(tmp_path / "a.csv", [["image", "mask", "target", "split"], *rows])
    found = read(source, {"mask": (3, 6, 5), "target": SHAPE})
    assert found.columns["mask"] == Column("mask", ("0", "1", "2"))
    assert found.columns["target"] == Column("picture", (), SHAPE)
    for part, first in ((found.train, 0), (found.test, 4)):
        for row, mask in enumerate(part.targets["mask"]):
            expected = (
                np.full((6, 5), 255)
                if first + row == 2
                else np.array(Image.open(tmp_path / f"m{first + row}.png"))
            )
            np.testing.assert_array_equal(mask.numpy(), expected)
            other = torch.from_numpy(pixels(5 - first - row)).movedim(-1, 0)
            assert torch.equal(part.targets["target"][row], other)
    alone = read(source)
    assert "mask" not in alone.columns
    assert "no head learns mask and target, so these files are not read" in alone.notes


def test_what_is_wrong_is_named_with_its_line(tmp_path: Path) -> None:
    names = pictures(tmp_path, 4)
    path = tmp_path / "a.csv"
    rows = [
        ["path", "age", "note"],
        [names[0], "1", "two\nlines"],
        [names[1], "old", ""],
        [names[2], "nan", ""],
    ]
    with pytest.raises(UsageError) as error:
        read(written(path, [*rows, [names[3], "1_0", ""]]), columns={"age": "number"})
    assert [each.message for each in error.value.diagnostics] == [
        f"{path}:4: 'age' is 'old'",
        f"{path}:5: 'age' is 'nan'",
        f"{path}:6: 'age' is '1_0'",
    ]
    with pytest.raises(UsageError, match=r"a\.csv:4: pics/0\.png is also on line 2"):
        read(written(path, [["path", "age"], [names[0], "1"], [names[1], "2"], [names[0], "3"]]))


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("", {}, "has no rows"),
        ("path,label\n", {}, "has no rows"),
        ("path,label\n0.png\n", {}, r"a\.csv:2: 1 field, but there are 2 columns"),
        ("0.png,cat\n1.png,dog\n", {}, "begins with a file, not with the names of its columns"),
        ("path,path\n0.png,cat\n", {}, "several columns called path"),
        ("id,label\n7,cat\n", {}, "has no column of image files"),
        ("path,label\n0.png,cat\n", {"labels": "class"}, "has no column 'labels'"),
        (
            "path,file,label\n0.png,1.png,cat\n",
            {"path": "path", "file": "path"},
            "several columns are of path",
        ),
        ("path,label\n,cat\n", {}, r"a\.csv:2: 'path' is empty"),
        ("path,part\n0.png,a\n", {"part": "split"}, r"a\.csv:2: 'part' is 'a'"),
        ("path,picture\n0.png,\n", {"picture": "picture"}, r"a\.csv:2: 'picture' is empty"),
        ('path,label\n"0.png,cat\n', {}, r"a\.csv:2: unexpected end of data"),
        ("path,label,split\n0.png,cat,train\n", {}, "has no part test or val"),
        ("path,label,split\n0.png,cat,train\n1.png,cat,\n", {}, r"a\.csv:3: 'split' is ''"),
        ("path,label,split\n0.png,cat,train\n1.png,cat,tset\n", {}, r"a\.csv:3: 'split' is 'tset'"),
        ("path,label\n0.png,cat\n", {}, "has 1 image"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, text: str, columns: dict[str, str], message: str) -> None:
    pictures(tmp_path, 2)
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        read(f"csv:{tmp_path / 'a.csv'}", columns=columns)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("path,größe\na.png,1\n".encode("latin-1"))
    with pytest.raises(UsageError, match="not a text in UTF-8: byte 8"):
        read(f"csv:{tmp_path / 'a.csv'}")


def test_missing_files_count_as_unreadable(tmp_path: Path) -> None:
    names = pictures(tmp_path, 9)
    rows = [["path", "label"], *([name, "ab"[i % 2]] for i, name in enumerate([*names, "pics/gone.png"]))]
    source = written(tmp_path / "a.csv", rows)
    with pytest.raises(UsageError, match=r"gone\.png: no such file"):
        read(source)
    found = read(source, skip=0.5)
    assert found.train.count + found.test.count == 9
    assert any("1 file of 10 cannot be read and was left out" in note for note in found.notes)


def test_a_class_that_is_only_held_out_is_an_error(tmp_path: Path) -> None:
    names = pictures(tmp_path, 3)
    rows = [
        ["path", "label", "split"],
        [names[0], "a", "train"],
        [names[1], "b", "test"],
        [names[2], "a", "val"],
    ]
    with pytest.raises(UsageError, match="no training image can be read of b"):
        read(written(tmp_path / "a.csv", rows))


def test_the_only_image_of_a_class_is_trained_on(tmp_path: Path) -> None:
    names = pictures(tmp_path, 7)
    rows = [["path", "label"], *([name, "ab"[i > 5]] for i, name in enumerate(names))]
    found = read(written(tmp_path / "a.csv", rows))
    assert sorted(found.train.labels.tolist()) == [0] * 5 + [1]
    assert found.test.labels.tolist() == [0]
    with pytest.raises(UsageError, match="each class has one image"):
        read(written(tmp_path / "b.csv", [["path", "label"], [names[0], "a"], [names[1], "b"]]))


def test_measuring(tmp_path: Path) -> None:
    names = pictures(tmp_path, 10)
    header = ["path", "label", "split"]
    rows = [
        [name, "ab"[i % 2], "test" if i > 6 else "val" if i > 5 else "train"] for i, name in enumerate(names)
    ]
    data = Data(source=written(tmp_path / "a.csv", [header, *rows]))
    found = load(data, SHAPE)
    assert (found.train.count, found.val_count, found.test.count) == (6, 1, 3)
    held = load_held_out(data, SHAPE)
    assert torch.equal(held.split.images, found.test.images)
    assert torch.equal(held.split.labels, found.test.labels)
    assert identity(data) == found.fingerprint()
    other = Data(source=written(tmp_path / "b.csv", [header[:2], *(row[:2] for row in rows[7:8])]))
    measured = load_measured(other, SHAPE, found.columns)
    assert (measured.what, measured.classes) == ("all 1 image", ("b",))
    assert measured.as_known(found.columns).labels.tolist() == [1]
    Image.fromarray(pixels(0)).resize((60, 50)).save(tmp_path / names[3])
    assert identity(data) != found.fingerprint()
