"""What moves on a terminal: a bar while something is counted, and the display below the lines of a training.

rich draws it, so this module is imported only where there is a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO, Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cnncli.report.terminal import STYLES

_BAR: Final = 24
_LEAST_WITH_BAR: Final = 60
"""Columns of a bar, and of a terminal that has room for one beside the rest."""


@contextmanager
def counting(stream: IO[str], title: str) -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """Show a bar that begins with a title; yield a function of another title.

    That one returns a function of (done, total).
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=_BAR),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream, highlight=False), transient=True) as live:
        task = live.add_task(title, total=None)

        def update(what: str, done: int, count: int) -> None:
            live.update(task, description=what, completed=done, total=count)

        yield lambda what: partial(update, what)


class Display:
    """A line with a bar and lines of figures, below everything that is printed while it is shown."""

    def __init__(self, stream: IO[str]) -> None:
        self._console = Console(file=stream, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    @property
    def is_possible(self) -> bool:
        """Whether the terminal can move its cursor; a shell in an editor, for example, cannot."""
        return not self._console.is_dumb_terminal

    @property
    def width(self) -> int:
        """The columns of the terminal."""
        return self._console.width

    def start(self) -> None:
        """Show it, once there is something to show."""
        self._live.start()

    def stop(self) -> None:
        """Remove it."""
        self._live.stop()

    def print(self, text: str, role: str) -> None:
        """Print a line above it."""
        self._console.print(text, style=STYLES.get(role), soft_wrap=True, markup=False)

    def update(self, head: tuple[str, int, int, str], lines: Sequence[str], width: int) -> None:
        """Show a title, how many of how many are done, and a text after the bar; then further lines."""
        title, done, count, rest = head
        total = f"{count:,}"
        cells: list[Text | ProgressBar] = [Text(title, no_wrap=True)]
        if width >= _LEAST_WITH_BAR:
            cells.append(ProgressBar(count, done, width=_BAR))
        cells.append(Text(f"{done:>{len(total)},}/{total}", no_wrap=True))
        cells.append(Text(rest, no_wrap=True))
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_row(*cells)
        below = [Text(line, no_wrap=True, overflow="crop") for line in lines]
        self._live.update(Group(grid, *below), refresh=True)
