"""A picture of training images before and after the transforms of a recipe, as a training would see them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from torch import Tensor

from cnncli.algebra import whole_shape
from cnncli.diagnostics import CnncliError, Diagnostic, usage_error
from cnncli.graph import Graph
from cnncli.graph.heads import heads_of
from cnncli.layers import shape_text
from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Previewed, Reading
from cnncli.training.data.batches import epoch_order
from cnncli.training.data.load import load
from cnncli.training.tasks.building import whole_clean
from cnncli.training.tasks.targets import wanted_shapes
from cnncli.training.transforms import Pipeline

_SAMPLES: Final = 8
_EPOCHS: Final = 7
_GAP: Final = 4
_SMALLEST: Final = 64
_LARGEST: Final = 256
"""Pixels of the longer side of an image in the picture."""


def preview(graph: Graph, recipe: Recipe, path: Path, reading: Reading = None) -> Previewed:
    """Write a picture with a row for each of the first samples of a training.

    A row has the sample before the transforms, and then after them in each of the first epochs.

    Args:
        graph: whose input the images get.
        recipe: whose data, transforms and seed are used.
        path: a file that does not exist, with the suffix ``.png``.
        reading: called while images are read.

    Raises:
        CnncliError: there is such a file or it cannot be written, the input is not a picture of one or three
            channels, or the data does not match it.
    """
    _check_path(path)
    shape = whole_shape(graph.input)
    if len(shape) != 3 or shape[0] not in (1, 3):
        expected = "an input of 1 or 3 channels, height and width"
        raise usage_error("this input cannot be shown", expected=expected, received=shape_text(shape))
    heads = heads_of(graph)
    split = load(recipe.data, whole_clean(recipe, shape), reading, wanted_shapes(heads, recipe)).train
    samples = epoch_order(split.count, recipe.seed, 0)[:_SAMPLES]
    before = split.images[samples].float() / 255
    pipeline = Pipeline(recipe.transforms)
    tables = (pipeline.table(split.count, recipe.seed, epoch) for epoch in range(_EPOCHS))
    _write(_sheet([before, *(pipeline(before, table[samples]) for table in tables)]), path)
    return Previewed(path, len(samples), _EPOCHS, tuple(map(str, recipe.transforms)))


def _check_path(path: Path) -> None:
    """Check that a picture may be written here.

    Raises:
        UsageError: it may not.
    """
    if path.suffix.lower() != ".png":
        raise usage_error(f"{path} does not end in .png", expected="the name of a PNG file, such as out.png")
    if path.exists() or path.is_symlink():
        raise _exists(path)


def _exists(path: Path) -> CnncliError:
    hint = "give another name, or remove it first"
    return usage_error(f"{path} exists", expected="the name of a file that does not exist yet", hint=hint)


def _sheet(columns: list[Tensor]) -> Image.Image:
    """Return images [n, channels, height, width] beside each other, the first column at a distance."""
    cells = [[_cell(image) for image in column] for column in columns]
    width, height = cells[0][0].size
    across, down = width + _GAP, height + _GAP
    size = (across * len(cells) + 3 * _GAP, down * len(cells[0]) + _GAP)
    sheet = Image.new("RGB", size, "white")
    for place, column in enumerate(cells):
        left = _GAP + place * across + (2 * _GAP if place else 0)
        for row, cell in enumerate(column):
            sheet.paste(cell, (left, _GAP + row * down))
    return sheet


def _cell(image: Tensor) -> Image.Image:
    """Return an image [channels, height, width] with values from 0 to 1, enlarged if it is small."""
    values = image.mul(255).round().byte().expand(3, -1, -1).permute(1, 2, 0)
    cell = Image.fromarray(np.ascontiguousarray(values.numpy()))
    times = max(1, _SMALLEST // max(cell.size))
    cell = cell.resize((cell.width * times, cell.height * times), Image.Resampling.NEAREST)
    cell.thumbnail((_LARGEST, _LARGEST))
    return cell


def _write(sheet: Image.Image, path: Path) -> None:
    try:
        with path.open("xb") as file:
            sheet.save(file, "PNG")
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        fault = Diagnostic("unwritable", f"cannot write {path}: {error.strerror or error}")
        raise CnncliError(fault) from error
