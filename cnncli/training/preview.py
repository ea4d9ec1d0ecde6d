"""A picture of training images before and after the transforms of a recipe, as a training would see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from PIL import Image
from torch import Tensor

from cnncli.algebra import whole_shape
from cnncli.diagnostics import usage_error
from cnncli.graph import Graph
from cnncli.graph.heads import heads_of
from cnncli.layers import shape_text
from cnncli.recipe.columns import MASK, PICTURE
from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Previewed, Reading
from cnncli.training.data.batches import epoch_order
from cnncli.training.data.dataset import Dataset, Split
from cnncli.training.data.feed import Alters, Views
from cnncli.training.data.load import load
from cnncli.training.data.targets import WAYS
from cnncli.training.sheets import GAP, cell, check_path, overlaid, write
from cnncli.training.tasks.building import whole_stored
from cnncli.training.tasks.targets import wanted_shapes
from cnncli.training.transforms import training_alters
from cnncli.training.transforms.pipeline import middle

_SAMPLES: Final = 8
_EPOCHS: Final = 7
_CHANNELS: Final = (1, 3)
_IMAGE: Final = "image"
_SEEN: Final = "what the network sees"


def preview(graph: Graph, recipe: Recipe, path: Path, reading: Reading = None) -> Previewed:
    """Write a picture with a row for each of the first samples of a training, or several.

    A row has the sample before the transforms, and then after them in each of the first epochs. Below it are
    rows for its masks, colored over the image, and its target pictures, and, if the recipe corrupts it, for
    what the network sees.

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
    if len(shape) != 3 or shape[0] not in _CHANNELS:
        expected = "an input of 1 or 3 channels, height and width"
        raise usage_error("this input cannot be shown", expected=expected, received=shape_text(shape))
    outputs = wanted_shapes(heads_of(graph), recipe)
    dataset = load(recipe.data, whole_stored(recipe, shape), reading, outputs, recipe.holdout)
    samples = epoch_order(dataset.train.count, recipe.seed, 0)[:_SAMPLES]
    before = _views(dataset.train.chosen(samples), dataset)
    margin = recipe.data.margin
    columns = [_rows(middle(before, margin) if margin else before)]
    for epoch in range(_EPOCHS):
        alters = training_alters(recipe, dataset.train.count, epoch) or Alters()
        found = alters.views(before, samples)
        seen = {_SEEN: alters.inputs(Views(found.images), samples).images} if recipe.corrupt else {}
        columns.append(_rows(found) | seen)
    write(_sheet(columns), path)
    transforms, corrupt = (tuple(map(str, each)) for each in (recipe.transforms, recipe.corrupt))
    return Previewed(path, len(samples), _EPOCHS, tuple(columns[-1]), transforms, corrupt)


def _views(split: Split, dataset: Dataset) -> Views:
    """Return samples with those of their targets that can be shown."""
    targets: dict[str, dict[str, Tensor]] = {MASK: {}, PICTURE: {}}
    for name, column in dataset.columns.items():
        shown = column.form == MASK or (
            column.form == PICTURE
            and column.shape[0] in _CHANNELS
            and column.shape[1:] == dataset.input_shape[1:]
        )
        if shown:
            targets[column.form][name] = WAYS[column.form].ready(split.targets[name])
    return Views(WAYS[PICTURE].ready(split.images), targets[MASK], targets[PICTURE])


def _rows(views: Views) -> dict[str, Tensor]:
    """Return images [n, channels, height, width] for each row of the samples."""
    masks = {f"mask '{name}'": overlaid(views.images, each) for name, each in views.masks.items()}
    pictures = {f"picture '{name}'": each for name, each in views.pictures.items()}
    return {_IMAGE: views.images, **masks, **pictures}


def _sheet(columns: Sequence[Mapping[str, Tensor]]) -> Image.Image:
    """Return the samples below each other, each with its rows; the first column at a distance."""
    kinds, count = [*columns[-1]], len(columns[-1][_IMAGE])
    width, height = cell(columns[0][_IMAGE][0]).size
    across, down = width + GAP, height + GAP
    apart = 2 * GAP if len(kinds) > 1 else 0
    of_sample = down * len(kinds) + apart
    size = (across * len(columns) + 3 * GAP, of_sample * count - apart + GAP)
    sheet = Image.new("RGB", size, "white")
    for place, column in enumerate(columns):
        left = GAP + place * across + (2 * GAP if place else 0)
        for kind, images in column.items():
            for sample, image in enumerate(images):
                top = GAP + sample * of_sample + kinds.index(kind) * down
                shown = cell(image).resize((width, height), Image.Resampling.NEAREST)
                sheet.paste(shown, (left, top))
    return sheet
