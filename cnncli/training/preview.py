"""A picture of training images before and after the transforms of a recipe, as a training would see them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image
from torch import Tensor

from cnncli.algebra import whole_shape
from cnncli.diagnostics import usage_error
from cnncli.graph import Graph
from cnncli.graph.heads import heads_of
from cnncli.layers import shape_text
from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Previewed, Reading
from cnncli.training.data.batches import epoch_order
from cnncli.training.data.load import load
from cnncli.training.sheets import GAP, cell, check_path, write
from cnncli.training.tasks.building import whole_clean
from cnncli.training.tasks.targets import wanted_shapes
from cnncli.training.transforms import Pipeline

_SAMPLES: Final = 8
_EPOCHS: Final = 7


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
    check_path(path)
    shape = whole_shape(graph.input)
    if len(shape) != 3 or shape[0] not in (1, 3):
        expected = "an input of 1 or 3 channels, height and width"
        raise usage_error("this input cannot be shown", expected=expected, received=shape_text(shape))
    outputs = wanted_shapes(heads_of(graph), recipe)
    split = load(recipe.data, whole_clean(recipe, shape), reading, outputs, recipe.holdout).train
    samples = epoch_order(split.count, recipe.seed, 0)[:_SAMPLES]
    before = split.images[samples].float() / 255
    pipeline = Pipeline(recipe.transforms)
    tables = (pipeline.table(split.count, recipe.seed, epoch) for epoch in range(_EPOCHS))
    write(_sheet([before, *(pipeline(before, table[samples]) for table in tables)]), path)
    return Previewed(path, len(samples), _EPOCHS, tuple(map(str, recipe.transforms)))


def _sheet(columns: list[Tensor]) -> Image.Image:
    """Return images [n, channels, height, width] beside each other, the first column at a distance."""
    cells = [[cell(image) for image in column] for column in columns]
    width, height = cells[0][0].size
    across, down = width + GAP, height + GAP
    size = (across * len(cells) + 3 * GAP, down * len(cells[0]) + GAP)
    sheet = Image.new("RGB", size, "white")
    for place, column in enumerate(cells):
        left = GAP + place * across + (2 * GAP if place else 0)
        for row, each in enumerate(column):
            sheet.paste(each, (left, GAP + row * down))
    return sheet
