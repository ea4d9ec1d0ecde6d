"""Where output goes: styled on a terminal, plain text everywhere else.

rich decides what a terminal can show; it is imported only where there is one, so that a pipe does
not wait for it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from typing import IO, Final

from cnncli.report.text.columns import Line, Table, render

STYLES: Final = {
    "heading": "bold",
    "rule": "dim",
    "total": "bold",
    "title": "bold cyan",
    "note": "dim",
    "error": "bold red",
    "good": "bold green",
    "caret": "red",
}


class Screen:
    """One output stream."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.is_terminal = stream.isatty()

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None where lines may be as long as they are."""
        return shutil.get_terminal_size().columns if self.is_terminal else None

    def flush(self) -> None:
        """Let everything shown so far be seen."""
        self._stream.flush()

    def table(self, table: Table) -> None:
        """Show a table, fitted to the terminal."""
        self.lines(render(table, self.width))

    def line(self, text: str = "", role: str = "") -> None:
        """Show one line."""
        self.lines((Line(text, role),))

    def lines(self, lines: Iterable[Line]) -> None:
        """Show lines in the styles of their roles."""
        if not self.is_terminal:
            self._stream.write("".join([f"{line.text}\n" for line in lines]))
            return
        from rich.console import Console  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        console = Console(file=self._stream, highlight=False)
        for line in lines:
            style = STYLES.get(line.role)
            if style is None:
                # Most lines: rich would print ten thousand of them slower than they were computed.
                self._stream.write(f"{line.text}\n")
            else:
                console.print(Text(line.text, style=style), soft_wrap=True)


def output() -> Screen:
    """Standard output."""
    return Screen(sys.stdout)


def errors() -> Screen:
    """Standard error."""
    return Screen(sys.stderr)


def printable(text: str) -> str:
    """The text without characters that could steer a terminal; tabs count as one space."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "�" for c in text)
