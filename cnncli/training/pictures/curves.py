"""The curves of one run, or of several in one picture: loss, metric and learning rate by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cnncli.diagnostics import usage_error
from cnncli.limits import MAX_DRAWN_RUNS
from cnncli.recipe.metrics import LOSS, METRICS, TRAIN, Metric, held_out, telling
from cnncli.results.runs import RunSummary
from cnncli.results.training import Epoch
from cnncli.training.new_files import check_new, write_new
from cnncli.training.pictures.drawing import BLUE, COLORS, GRAY, RED, Form, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH: Final = 7.0
_HEIGHTS: Final = (2.6, 2.6, 1.2)
"""Inches of the picture, and of its rows: loss, metric, learning rate."""
_ENTRY: Final = 0.2
"""Inches of a line of the legend."""
_FEW: Final = 30
"""The largest number of epochs of which each is a dot too."""
_WIDE: Final = 10
"""Losses are on a logarithmic axis if the largest is more than this many times the smallest."""


class _Curve(NamedTuple):
    """A line: its points, how it is drawn, and what the legend calls it, if it is there."""

    points: Sequence[tuple[int, float]]
    color: str
    label: str = ""
    dashed: bool = False


def curves(runs: Mapping[str, Sequence[Epoch]], form: Form = "svg") -> bytes:
    """Return the content of a picture of training and held-out figures by epoch.

    Args:
        runs: the histories by the names to show for them, each of at least one epoch. Of one run the parts
            have colors; of several each run has one, and its training part is dashed.
        form: "svg" or "png".

    Raises:
        UsageError: matplotlib is not installed.
    """
    shown = [LOSS, *filter(None, dict.fromkeys(map(_metric, runs.values())))]
    heights = [_HEIGHTS[0], *[_HEIGHTS[1]] * (len(shown) - 1), _HEIGHTS[2]]

    def draw(figure: Figure) -> None:
        ratios = {"height_ratios": heights}
        rows = figure.subplots(len(heights), 1, sharex=True, squeeze=False, gridspec_kw=ratios)[:, 0]
        for axes, name in zip(rows, shown, strict=False):
            lines = [*_of_metric(runs, name)]
            _draw(axes, METRICS[name].title, lines)
            _scale(axes, METRICS[name], [value for line in lines for _, value in line.points])
        _draw(rows[-1], "learning rate", _rates(runs))
        rows[-1].set_ylim(bottom=0)
        _number_epochs(rows[-1], max(history[-1].epoch for history in runs.values()))
        figure.align_ylabels()
        figure.legend(loc="outside upper left", ncols=2 if len(runs) == 1 else 1)

    return drawn(draw, _WIDTH, sum(heights) + _ENTRY * len(runs), form)


def draw(path: Path, runs: Sequence[RunSummary]) -> Path:
    """Draw the curves of runs into a new file.

    Raises:
        CnncliError: the file exists or cannot be written, matplotlib is not installed, no run has a finished
            epoch, or there are too many runs.
    """
    check_new(path, (".svg", ".png"))
    histories = {_shown(each.folder): each.history for each in runs if each.history}
    if not 1 <= len(histories) <= MAX_DRAWN_RUNS:
        raise usage_error(
            "these runs cannot be drawn",
            expected=f"1 to {MAX_DRAWN_RUNS} runs with a finished epoch",
            received=f"{len(histories):,} of {len(runs):,}",
        )
    form: Form = "png" if path.suffix.lower() == ".png" else "svg"
    write_new(path, curves(histories, form))
    return path


def _shown(folder: Path) -> str:
    """Return the name of a folder as a picture can have it: XML has no control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(folder))


def _metric(history: Sequence[Epoch]) -> str | None:
    """Return the metric that is drawn beside the loss; None if only losses were measured."""
    figures = history[-1].figures
    part = held_out(figures)
    name = telling(each.removeprefix(f"{part}.") for each in figures if each.startswith(f"{part}."))
    return None if name == LOSS else name


def _of_metric(runs: Mapping[str, Sequence[Epoch]], metric: str) -> Iterator[_Curve]:
    """Yield the curves of a metric: for each run of the training part, and of the held-out part."""
    for (name, history), color in zip(runs.items(), cycle(COLORS), strict=False):
        part = held_out(history[-1].figures)
        learned, measured = (_points(history, each, metric) for each in (TRAIN, part))
        if len(runs) == 1:
            yield _Curve(learned, BLUE, TRAIN)
            yield _Curve(measured, RED, part)
        else:
            yield _Curve(learned, color, dashed=True)
            yield _Curve(measured, color, f"{name}: {part}, and {TRAIN} (dashed)")


def _points(history: Sequence[Epoch], part: str, metric: str) -> list[tuple[int, float]]:
    name = f"{part}.{metric}"
    return [(each.epoch, each.figures[name]) for each in history if name in each.figures]


def _rates(runs: Mapping[str, Sequence[Epoch]]) -> Iterator[_Curve]:
    for history, color in zip(runs.values(), cycle(COLORS), strict=False):
        yield _Curve([(each.epoch, each.lr) for each in history], GRAY if len(runs) == 1 else color)


def _draw(axes: Axes, title: str, lines: Iterable[_Curve]) -> None:
    first = axes.get_subplotspec().is_first_row()  # type: ignore[union-attr]
    for line in lines:
        epochs, values = [epoch for epoch, _ in line.points], [value for _, value in line.points]
        # A label that begins with an underscore is not in a legend.
        label = f" {line.label}" if line.label.startswith("_") else line.label
        axes.plot(
            epochs,
            values,
            label=label if first and label else "_",
            color=line.color,
            linestyle="--" if line.dashed else "-",
            linewidth=1.0 if line.dashed else 1.5,
            marker="." if len(epochs) <= _FEW else "",
            markersize=4,
        )
    axes.set_ylabel(title)
    axes.grid(visible=True, axis="y", color=GRAY, alpha=0.25, linewidth=0.6)


def _scale(axes: Axes, metric: Metric, values: Sequence[float]) -> None:
    """Choose the axis: shares in percent, a loss over several magnitudes logarithmic."""
    from matplotlib.ticker import LogLocator  # noqa: PLC0415

    if metric.is_share:
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    elif metric.name == LOSS and 0 < min(values, default=0) * _WIDE < max(values, default=0):
        axes.set_yscale("log", subs=[])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _number_epochs(axes: Axes, last: int) -> None:
    """Number the common axis in whole epochs, up to the last one."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    axes.set_xlabel("epoch")
    axes.set_xlim(1 - 0.02 * last, last + 0.02 * last)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
