"""The curve of a learning-rate range test: the loss by the rate, and where it is lowest and steepest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cnncli.results.find_lr import RangeTest
from cnncli.training.pictures.drawing import BLUE, GRAY, RED, Form, drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH: Final = 7.0
_HEIGHT: Final = 3.5
_ABOVE: Final = 0.15
"""The share of the fall of the loss that is shown above its beginning: an explosion would hide the rest."""


def range_test(found: RangeTest, form: Form) -> bytes:
    """Return the content of a picture of the losses of all steps, and of their means.

    Raises:
        UsageError: matplotlib is not installed.
    """
    rates = [each.lr for each in found.rates]
    means = [each.mean for each in found.rates]
    suggested = found.suggestion

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(rates, [each.loss for each in found.rates], ".", color=GRAY, markersize=3, label="a step")
        axes.plot(rates, means, color=BLUE, label="mean over neighboring steps")
        if suggested is not None:
            for name, rate, color, line in (
                ("suggested", suggested.lr, RED, "-"),
                ("steepest", suggested.steepest, GRAY, ":"),
                ("lowest", suggested.lowest, GRAY, "--"),
            ):
                axes.axvline(rate, color=color, linestyle=line, label=f"{name}: {rate:.2g}")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("objective")
        axes.set_title(f"{found.about.name}, {found.optimizer}")
        lowest, highest = min(means), max(means[: max(1, len(means) // 2)])
        if highest > lowest:
            space = _ABOVE * (highest - lowest)
            axes.set_ylim(lowest - space, highest + 2 * space)
        axes.legend(loc="lower left")

    return drawn(draw, _WIDTH, _HEIGHT, form)
