"""A picture of the first images that were given to a network, with what it says of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from cnncli.diagnostics import shortened, usage_error
from cnncli.layers import shape_text
from cnncli.limits import MAX_PICTURED
from cnncli.recipe.columns import MASK, PICTURE
from cnncli.results.predictions import Answer
from cnncli.training.extras import need
from cnncli.training.new_files import check_new, write_new
from cnncli.training.pictures.answers import Cell, answers, pixels
from cnncli.training.predicting.shown import Shown
from cnncli.training.sheets import PALETTE
from cnncli.training.tasks.objective import Objective

SUFFIX: Final = ".png"
_CHANNELS: Final = (1, 3)
_NAME: Final = 26


class Figure:
    """Keeps the first images and draws them in the end."""

    def __init__(self, objective: Objective, path: Path, shape: tuple[int, ...], title: str) -> None:
        """Begin without an image; ``shape`` is that of an image, [channels, height, width].

        Raises:
            UsageError: images of that shape are not pictures, or matplotlib is not installed.
        """
        need("matplotlib", purpose="drawing")
        if shape[0] not in _CHANNELS:
            message = "images of this network cannot be shown"
            raise usage_error(message, expected="1 or 3 channels", received=shape_text(shape))
        self._objective, self._path, self._title = objective, path, title
        self._cells: list[Cell] = []

    def took(self, batch: Shown) -> None:
        """Keep the first images of a batch, if there is room."""
        for number in range(min(len(batch.paths), MAX_PICTURED - len(self._cells))):
            self._cells.append(self._cell(batch, number))

    def _cell(self, batch: Shown, number: int) -> Cell:
        answer, maps, colors = batch.answers[number], {}, {}
        for name, head in self._objective.heads.items():
            if head.target.form in (MASK, PICTURE):
                said = head.reading.said(batch.outputs[name][number : number + 1])
                maps[name] = shown_map(self._objective, name, said[0])
            if head.target.form == MASK:
                colors[name] = {each: place for place, each in enumerate(head.target.names)}
        right = {name: frozenset([said.true]) for name, said in answer.heads.items() if said.true}
        return Cell(pixels(batch.images[number]), _caption(answer), answer.heads, maps, colors, right)

    def finish(self, images: Sequence[str]) -> int:
        """Draw what was kept, and return how many images that are.

        Raises:
            CnncliError: the picture cannot be written.
        """
        del images
        write_new(self._path, answers(self._cells, self._title))
        return len(self._cells)


def shown_map(
    objective: Objective, name: str, said: Tensor, *, is_target: bool = False
) -> np.ndarray[Any, Any]:
    """Return what a head says of one image, or its target, as a picture; of a mask the colors of its classes.

    Raises:
        UsageError: it has neither one nor three channels.
    """
    target = objective.heads[name].target
    if target.form == MASK:
        colors: np.ndarray[Any, Any] = np.array(PALETTE, dtype=np.uint8).reshape(-1, 3)
        # A pixel without a class has the last color, a light one.
        classes = torch.where(said < 0, len(colors) - 1, said) if is_target else said.argmax(0)
        return colors.take(classes.cpu().numpy(), axis=0)
    shape = objective.columns[target.column].shape
    if len(shape) != 3 or shape[0] not in _CHANNELS:
        message = f"what head '{name}' outputs cannot be shown"
        raise usage_error(message, expected="1 or 3 channels", received=shape_text(shape))
    return pixels(said.reshape(shape))


def check_figure(path: Path) -> None:
    """Check that a picture may be written here.

    Raises:
        UsageError: it may not.
    """
    check_new(path, (SUFFIX,))


def _caption(answer: Answer) -> str:
    """Return the true class, if it is known, and otherwise the name of the file."""
    true = [said.true for said in answer.heads.values() if said.true]
    return shortened(", ".join(true) if true else Path(answer.image).name, _NAME)
