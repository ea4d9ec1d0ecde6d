"""``coco:FILE``: the categories in an image are its tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnncli.diagnostics import UsageError
from cnncli.recipe.columns import Column
from cnncli.recipe.data import Data
from cnncli.training.data.load import identity, load, load_held_out, load_measured

SHAPE = (1, 4, 4)
CATEGORIES = [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}, {"id": 7, "name": "bus"}]


def images(folder: Path, count: int, first: int = 0) -> list[dict[str, Any]]:
    """Write images whose pixels are their numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(folder / f"{number:012}.png")
    return [{"id": 100 - n, "file_name": f"{n:012}.png", "width": 4} for n in range(first, first + count)]


def annotated(path: Path, found: list[dict[str, Any]], tags: dict[int, list[int]]) -> str:
    """Write a file; ``tags`` are the categories of images by number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    annotations = [
        {"id": 1, "image_id": 100 - number, "category_id": category, "bbox": [0, 0, 1, 1]}
        for number, categories in tags.items()
        for category in categories
    ]
    content = {"images": found, "annotations": annotations, "categories": CATEGORIES}
    path.write_text(json.dumps(content))
    return f"coco:{path}"


def test_categories_are_tags(tmp_path: Path) -> None:
    source = annotated(
        tmp_path / "_annotations.coco.json", images(tmp_path, 5), {0: [3, 18, 3], 1: [7], 4: [18]}
    )
    found = load(Data(source=source), SHAPE)
    assert found.columns == {"labels": Column("tags", ("car", "bus", "dog"))}
    numbers = torch.cat([found.train.images, found.test.images])[:, 0, 0, 0].tolist()
    tags = torch.cat([found.train.targets["labels"], found.test.targets["labels"]]).tolist()
    expected = {0: [1, 0, 1], 1: [0, 1, 0], 2: [0, 0, 0], 3: [0, 0, 0], 4: [0, 0, 1]}
    assert dict(zip(numbers, tags, strict=True)) == expected
    assert found.notes == (
        "1 of 5 images held out, a fixed fifth",
        f"images from {tmp_path}",
        "2 images without annotations: none of the tags",
    )


def test_the_layout_of_coco(tmp_path: Path) -> None:
    place = tmp_path / "annotations"
    annotated(place / "instances_val2017.json", images(tmp_path / "val2017", 3, 6), {6: [3], 7: [7]})
    source = annotated(
        place / "instances_train2017.json", images(tmp_path / "train2017", 6), {0: [3], 5: [7, 18]}
    )
    data = Data(source=source)
    found = load(data, SHAPE)
    assert sorted(found.train.images[:, 0, 0, 0].tolist()) == [0, 1, 2, 3, 4, 5]
    assert found.test.images[:, 0, 0, 0].tolist() == [8, 7, 6]
    assert found.test.targets["labels"].tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0]]
    held = load_held_out(data, SHAPE)
    assert torch.equal(held.split.images, found.test.images)
    assert identity(data) == found.fingerprint()
    val = load_measured(Data(source=f"coco:{place / 'instances_val2017.json'}"), SHAPE, found.columns)
    assert (val.what, val.split.count) == ("all 3 images", 3)


def test_a_stated_folder(tmp_path: Path) -> None:
    source = annotated(tmp_path / "a" / "train.json", images(tmp_path / "elsewhere", 5), {0: [3]})
    with pytest.raises(UsageError, match=r"the images of .* are not found") as error:
        load(Data(source=source), SHAPE)
    assert "train.data.images" in error.value.diagnostics[0].hint
    found = load(Data(source=source, images=str(tmp_path / "elsewhere")), SHAPE)
    assert found.train.count == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": None}, "has no list 'images' of objects"),
        ({"images": []}, "has 0 images"),
        ({"annotations": [3]}, "has no list 'annotations' of objects"),
        (
            {"annotations": [{"image_id": 4, "category_id": 3}]},
            r"annotations\[0\] is of image 4 and category 3",
        ),
        ({"annotations": [{"image_id": 100, "category_id": "3"}]}, "category '3'"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}, "of categories a and a"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, r"categories\[1\] has the id 1"),
        ({"categories": [{"id": 1, "name": ""}]}, "and the name ''"),
    ],
)
def test_files_that_are_not_of_coco(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    source = annotated(tmp_path / "a.json", images(tmp_path, 2), {0: [3]})
    content = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(content | change))
    with pytest.raises(UsageError, match=message):
        load(Data(source=source), SHAPE)
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(UsageError, match=r"cannot read .*a\.json"):
        load(Data(source=source), SHAPE)
