"""Pictures of images with what a network says of them: bars of the most probable classes below each.

As in figure 4 (left) of A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet classification with deep
convolutional neural networks", 2012: the bar of the true class is red.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from torch import Tensor

from cnncli.diagnostics import shortened
from cnncli.recipe.columns import NUMBER
from cnncli.results.predictions import Guess, Said
from cnncli.training.pictures.drawing import BLUE, DARK, GRAY, RED, Form, Page, drawn
from cnncli.training.sheets import color

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS: Final = 4
_WIDTH: Final = 1.6
_LINE: Final = 0.19
_GAP: Final = 0.2
"""Inches: of a cell and of the longer side of an image, of a line of text or a bar, between cells."""
_BARS: Final = 5
_CHARACTERS: Final = 22
_LIGHT: Final = 0.45
"""How much of its color a bar has, so that the text on it can be read."""


class Cell(NamedTuple):
    """An image, uint8 [height, width, 3], and what is said of it.

    ``caption`` is below it. ``maps`` are pictures of what heads output, [height, width, 3], by head;
    ``colors`` the numbers of the colors of the classes of masks. ``right`` are the classes and tags that are
    true, by head.
    """

    image: np.ndarray[Any, Any]
    caption: str
    said: Mapping[str, Said]
    maps: Mapping[str, np.ndarray[Any, Any]]
    colors: Mapping[str, Mapping[str, int]]
    right: Mapping[str, frozenset[str]]


def answers(cells: Sequence[Cell], title: str, form: Form = "png") -> bytes:
    """Return the content of a picture of cells, four in a row, below a title.

    Raises:
        UsageError: matplotlib is not installed.
    """
    across = min(_ACROSS, len(cells))
    rows = [cells[start : start + across] for start in range(0, len(cells), across)]
    heights = [max(map(_height, row)) + _GAP for row in rows]
    width, height = across * (_WIDTH + _GAP) + _GAP, sum(heights) + _GAP + (2 * _LINE if title else 0)

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("none")
        page = Page(figure, width, height)
        top = _GAP
        if title:
            page.text(_GAP, top, title, size=10)
            top += 2 * _LINE
        for row, below in zip(rows, heights, strict=True):
            for place, cell in enumerate(row):
                _draw(page, cell, _GAP + place * (_WIDTH + _GAP), top)
            top += below

    return drawn(draw, width, height, form)


def pixels(image: Tensor) -> np.ndarray[Any, Any]:
    """Return an image for a cell: of float [1 or 3, height, width] with values from 0 to 1."""
    made = image.detach().cpu().clamp(0, 1).mul(255).round().byte()
    return np.ascontiguousarray(made.expand(3, -1, -1).permute(1, 2, 0).numpy())


def _height(cell: Cell) -> float:
    """Return the inches of a cell."""
    of_heads = sum(_of_head(cell, name, said) for name, said in cell.said.items())
    return _WIDTH + 1.5 * _LINE + of_heads


def _of_head(cell: Cell, name: str, said: Said) -> float:
    heading = _LINE if len(cell.said) > 1 else 0
    picture = _WIDTH + _LINE / 2 if name in cell.maps else 0
    lines = len(said.numbers) if said.form == NUMBER else min(_BARS, len(said.guesses))
    return heading + picture + lines * _LINE + _LINE / 2


def _draw(page: Page, cell: Cell, left: float, top: float) -> None:
    _picture(page, cell.image, left, top)
    top += _WIDTH + 0.3 * _LINE
    page.text(left + _WIDTH / 2, top, cell.caption, at="center")
    top += 1.2 * _LINE
    for name, said in cell.said.items():
        below = _of_head(cell, name, said)
        if len(cell.said) > 1:
            page.text(left, top, shortened(name, _CHARACTERS), color=GRAY)
            top, below = top + _LINE, below - _LINE
        if name in cell.maps:
            _picture(page, cell.maps[name], left, top)
            top, below = top + _WIDTH + _LINE / 2, below - _WIDTH - _LINE / 2
        if said.form == NUMBER:
            for number, (of, value) in enumerate(said.numbers.items()):
                page.text(left, top + number * _LINE, f"{shortened(of, _CHARACTERS)}  {value:.4g}")
        elif said.guesses:
            axes = page.axes(left, top, _WIDTH, len(said.guesses) * _LINE)
            _bars(axes, said, [_color(guess, cell, name) for guess in said.guesses])
        top += below


def _picture(page: Page, image: np.ndarray[Any, Any], left: float, top: float) -> None:
    axes = page.axes(left, top, _WIDTH, _WIDTH)
    axes.imshow(image, interpolation="nearest")


def _bars(axes: Axes, said: Said, colors: Sequence[tuple[float, ...]]) -> None:
    """Draw a bar for each guess, with its name on it and the probability at its right."""
    count = len(said.guesses)
    lengths = [guess.probability for guess in said.guesses]
    axes.barh(range(count), lengths, height=0.84, color=list(colors))
    axes.set_xlim(0, 1)
    axes.set_ylim(count - 0.5, -0.5)
    for place, guess in enumerate(said.guesses):
        axes.text(0.02, place, shortened(guess.name, _CHARACTERS), fontsize=7, va="center")
        axes.text(
            1, place, f"{100 * guess.probability:.1f} %", fontsize=6, va="center", ha="right", color=DARK
        )


def _color(guess: Guess, cell: Cell, head: str) -> tuple[float, ...]:
    if head in cell.colors:
        strong = tuple(each / 255 for each in color(cell.colors[head][guess.name]))
    else:
        named = RED if guess.name in cell.right.get(head, ()) else BLUE
        strong = tuple(int(named[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return tuple(_mixed(strong))


def _mixed(strong: Sequence[float]) -> Iterator[float]:
    return (_LIGHT * each + 1 - _LIGHT for each in strong)
