"""Masks and pictures that a network outputs, as files in a new folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image
from torch import Tensor

from cnncli.diagnostics import CnncliError, Diagnostic, usage_error
from cnncli.language.description import OUTPUT
from cnncli.layers import shape_text
from cnncli.recipe.columns import MASK, PICTURE, Column
from cnncli.training.predicting.shown import Shown
from cnncli.training.runs.files import not_created
from cnncli.training.sheets import PALETTE
from cnncli.training.tasks.objective import HeadTask, Objective

_MODES: Final = {1: "L", 3: "RGB"}


class Maps:
    """Writes what heads of masks and pictures output, a file for each image and head.

    A mask has the class of each pixel as its number, as masks to train on have, and the colors of the PASCAL
    VOC challenge. Files have the places that the images have below the folder that all of them are in.
    """

    def __init__(self, objective: Objective, folder: Path, paths: Sequence[Path]) -> None:
        """Begin with an empty folder; ``paths`` are those of all images.

        Raises:
            CnncliError: no head outputs a mask or a picture, two images would have the same file, or the
                folder is not empty or cannot be created.
        """
        self._folder = folder
        self._heads = {
            name: objective.heads[name]
            for name in objective.inference
            if objective.heads[name].target.form in (MASK, PICTURE)
        }
        if not self._heads:
            raise usage_error(
                f"{folder} is not the name of a CSV or PNG file",
                expected="out.csv or out.png; only masks and pictures are written to a folder",
                received=str(folder),
            )
        self._columns = {name: objective.columns[head.target.column] for name, head in self._heads.items()}
        for name, column in self._columns.items():
            if column.form == PICTURE and (len(column.shape) != 3 or column.shape[0] not in _MODES):
                message = f"what head '{name}' outputs is not a picture of 1 or 3 channels"
                raise usage_error(message, received=shape_text(column.shape))
        self._names = _names(paths)
        self._written = 0
        _create(folder)

    def took(self, batch: Shown) -> None:
        """Write the files of a batch."""
        for name, head in self._heads.items():
            suffix = ".png" if name == OUTPUT or len(self._heads) == 1 else f".{name}.png"
            made = _pictures(head, self._columns[name], batch.outputs[name])
            for path, picture in zip(batch.paths, made, strict=True):
                file = self._folder / f"{self._names[path]}{suffix}"
                _write(picture, file)
        self._written += len(batch.paths)

    def finish(self, images: Sequence[str]) -> int:
        """Return how many images have files."""
        del images
        return self._written


def _pictures(head: HeadTask, column: Column, values: Tensor) -> list[Image.Image]:
    """Return a picture of what a head says of each image."""
    said = head.reading.said(values)
    if head.target.form == MASK:
        masks = [Image.fromarray(each.numpy()) for each in said.argmax(1).byte().cpu()]
        for mask in masks:
            mask.putpalette(PALETTE)
        return masks
    pixels = said.reshape(len(said), *column.shape).clamp(0, 1).mul(255).round().byte().cpu()
    arrays = (each[0] if len(each) == 1 else each.permute(1, 2, 0) for each in pixels)
    return [Image.fromarray(each.contiguous().numpy(), _MODES[pixels.shape[1]]) for each in arrays]


def _names(paths: Sequence[Path]) -> dict[Path, Path]:
    """Return where the files of images are, without a suffix.

    Raises:
        UsageError: two images would have the same.
    """
    whole = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - resolve() would follow links
    root = Path(os.path.commonpath([path.parent for path in whole]))
    names = {path: each.relative_to(root).with_suffix("") for path, each in zip(paths, whole, strict=True)}
    seen: dict[Path, Path] = {}
    for path, name in names.items():
        if name in seen:
            raise usage_error(
                f"{seen[name]} and {path} would have the same file {name}.png",
                expected="images whose names differ in more than the suffix",
            )
        seen[name] = path
    return names


def _create(folder: Path) -> None:
    """Create a folder, unless it is there and empty.

    Raises:
        CnncliError: it has content, its own folder does not exist, or it cannot be created.
    """
    try:
        folder.mkdir(exist_ok=True)
        empty = not any(folder.iterdir())
    except FileNotFoundError as error:
        message = f"no such folder: {folder.parent}"
        raise usage_error(message, expected="a folder that exists, for a new one") from error
    except OSError as error:
        raise not_created(str(folder), error) from error
    if not empty:
        raise usage_error(f"{folder} is not empty", expected="a new or an empty folder")


def _write(picture: Image.Image, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            picture.save(file, "PNG")
    except OSError as error:
        raise CnncliError(Diagnostic("unwritable", f"cannot write {path}: {error.strerror}")) from error
