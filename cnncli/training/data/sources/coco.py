"""``coco:FILE``: the images of a JSON file of annotations, as COCO has them, with their categories as tags.

T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", 2014. Boxes and outlines are not used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch

from cnncli.diagnostics import counted, listing, usage_error
from cnncli.recipe.columns import FORMS, TAGS, Column
from cnncli.training.data.request import Request
from cnncli.training.data.room import ensure_memory
from cnncli.training.data.sources.tables import Samples, Table, identity_of

_LABELS: Final = FORMS[TAGS].usual
_TAKEN: Final = 12
"""Bytes in memory for each byte of the file, roughly."""
_TRIED: Final = 10
"""Images that are looked for in a folder."""

_FORM: Final = "a JSON file of COCO, with images, annotations and categories"


class _Annotated(NamedTuple):
    """The content of a file: the names of its images, their tags as numbers, and the names of all tags."""

    files: tuple[str, ...]
    tags: tuple[frozenset[int], ...]
    names: tuple[str, ...]


def table(request: Request) -> Table:
    """Return the images of FILE; those of a file for validation beside a file for training are held out.

    Raises:
        UsageError: a file is not one of COCO, or its images are not found.
    """
    path = request.path
    train = _read(path)
    beside = _for_validation(path)
    val = _read(beside) if beside is not None else None
    if val is not None and val.names != train.names:
        raise usage_error(f"{path} and {beside} have other categories", expected="the same in both")
    stated = None if request.data.images is None else Path(request.data.images).expanduser().resolve()
    folder = _folder(path, train, [stated] if stated is not None else _candidates(path))
    notes = [f"images from {folder}"]
    parts = [(folder, train)]
    if val is not None and beside is not None:
        own = _folder(beside, val, [*_candidates(beside), folder])
        notes.append(f"held out: {counted(len(val.files), 'image')} of {beside}, from {own}")
        parts.append((own, val))
    paths = tuple(place / name for place, each in parts for name in each.files)
    tags = torch.zeros((len(paths), len(train.names)), dtype=torch.uint8)
    for row, numbers in enumerate(numbers for _, each in parts for numbers in each.tags):
        tags[row, sorted(numbers)] = 1
    bare = int((tags.sum(1) == 0).sum())
    notes += [f"{counted(bare, 'image')} without annotations: none of the tags"] if bare else []
    contents = path.read_bytes() + (beside.read_bytes() if beside is not None else b"")
    return Table(
        name=f"coco:{path}",
        samples=Samples(paths, {_LABELS: Column(TAGS, train.names)}, {_LABELS: tags}, {}),
        keys=tuple(name for _, each in parts for name in each.files),
        train=tuple(range(len(train.files))),
        test=tuple(range(len(train.files), len(paths))),
        parts=val is not None,
        notes=tuple(notes),
        identity=identity_of(contents, paths),
    )


def _for_validation(path: Path) -> Path | None:
    """Return the file beside a file for training that has the same name with ``val`` for ``train``."""
    beside = path.with_name(path.name.replace("train", "val"))
    return beside if beside != path and beside.is_file() else None


def _candidates(path: Path) -> list[Path]:
    """Return where the images of a file may be: ``instances_train2017.json`` has them in ``train2017``."""
    word = path.stem.rpartition("_")[2]
    roots = (path.parent, path.parent.parent)
    return [place for root in roots for place in (root / word, root / "images" / word, root / "images", root)]


def _folder(path: Path, content: _Annotated, candidates: Sequence[Path]) -> Path:
    """Return the first folder that has one of the first images.

    Raises:
        UsageError: none has.
    """
    for folder in candidates:
        if any((folder / name).is_file() for name in content.files[:_TRIED]):
            return folder
    raise usage_error(
        f"the images of {path} are not found",
        expected=f"{content.files[0]} in {listing([str(each) for each in candidates], last=' or ')}",
        hint="train.data.images says in which folder they are",
    )


def _read(path: Path) -> _Annotated:
    """Read a file.

    Raises:
        UsageError: it is not one of COCO.
    """
    if not path.is_file():  # reading a pipe could block forever
        raise usage_error(f"cannot read {path}: it is not a file", expected=_FORM)
    ensure_memory(_TAKEN * path.stat().st_size, f"the annotations {path}")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise usage_error(f"cannot read {path}: {error}", expected=_FORM) from error
    images = _by_id(path, content, "images", "file_name")
    categories = _by_id(path, content, "categories", "name")
    if not images or not categories or len({*categories.values()}) < len(categories):
        names = listing([*categories.values()]) or "none"
        message = f"{path} has {counted(len(images), 'image')}, and of categories {names}"
        raise usage_error(message, expected="some of both, and each category with a name of its own")
    number = {identity: index for index, identity in enumerate(categories)}
    tags: dict[int, set[int]] = {identity: set() for identity in images}
    for index, each in enumerate(_entries(path, content, "annotations")):
        image, category = each.get("image_id"), each.get("category_id")
        numbers = isinstance(image, int) and isinstance(category, int)
        if not numbers or image not in tags or category not in number:
            raise usage_error(
                f"{path}: annotations[{index}] is of image {image!r} and category {category!r}",
                expected="the ids of an image and of a category in the file",
            )
        tags[image].add(number[category])
    return _Annotated(
        tuple(images.values()), tuple(frozenset(tags[each]) for each in images), tuple(categories.values())
    )


def _by_id(path: Path, content: object, what: str, text: str) -> dict[int, str]:
    """Return a text of each entry of a list by its id, in the order of ids."""
    found: dict[int, str] = {}
    for index, each in enumerate(_entries(path, content, what)):
        identity, value = each.get("id"), each.get(text)
        if not isinstance(identity, int) or identity in found or not isinstance(value, str) or not value:
            raise usage_error(
                f"{path}: {what}[{index}] has the id {identity!r} and the {text} {value!r}",
                expected=f"an id of its own, a whole number, and a {text}",
            )
        found[identity] = value
    return dict(sorted(found.items()))


def _entries(path: Path, content: object, what: str) -> list[dict[str, Any]]:
    entries = content.get(what) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise usage_error(f"{path} has no list '{what}' of objects", expected=_FORM)
    return entries
