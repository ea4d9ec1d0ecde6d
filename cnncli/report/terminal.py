"""Pages as text, and the streams it is written to: styled on a terminal, plain everywhere else.

rich decides what a terminal can show; it is imported only where there is one, so that a pipe does
not wait for it.

A terminal, or ``COLUMNS`` wherever it is set, limits the columns of everything: numbers are shortened, names
cut, and columns left out. A pipe without ``COLUMNS`` sets no limit: text is wrapped to the page's measure and
tables are folded to it where they can be, but nothing is shortened or left out.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Final

from cnncli.diagnostics import usage_error
from cnncli.limits import MAX_OUTPUT
from cnncli.report.page import MEASURE, Page, Section, Text
from cnncli.report.text.columns import Line, render
from cnncli.report.text.escapes import shown

STYLES: Final = {
    "heading": "bold",
    "rule": "dim",
    "total": "bold",
    "title": "bold cyan",
    "note": "dim",
    "warning": "yellow",
    "error": "bold red",
    "good": "bold green",
    "caret": "red",
}
ALLOW_OUTPUT: Final = "CNNCLI_MAX_OUTPUT"
"""The environment variable that allows more output than :data:`cnncli.limits.MAX_OUTPUT`."""
_LEAST_WIDTH: Final = 20


def lines(page: Page, width: int | None) -> Iterator[Line]:
    """Yield the lines that show a page on a screen of ``width`` columns; None: it sets no limit."""
    yield from _first(page, width)
    gap = bool(page.title or page.answer or page.lead)
    for section in page.sections(width or page.measure):
        if gap:
            yield Line("", "")
        yield from _blocks(section, page, width)
        gap = True


def _first(page: Page, width: int | None) -> Iterator[Line]:
    if page.title:
        yield from _text(Text((page.title,), "title"), page, width)
    if page.answer is not None:
        yield from _text(Text(page.answer.lines, page.answer.role), page, width)
    yield from _blocks(page.lead, page, width)


def _blocks(section: Section, page: Page, width: int | None) -> Iterator[Line]:
    for block in section:
        yield from _text(block, page, width) if isinstance(block, Text) else render(block, width)


def _text(block: Text, page: Page, width: int | None) -> Iterator[Line]:
    limit = width or page.measure
    return (line for text in block.lines for line in wrapped_lines(text, block.role, limit, block.indent))


def wrapped_lines(text: str, role: str, width: int | None, indent: str | None = None) -> Iterator[Line]:
    """Yield the lines of a text for a screen of ``width`` columns; None: one line."""
    if width is None:
        yield Line(text, role)
        return
    # Imported here: the tables of known sizes need no wrapping.
    from cnncli.report.text.wrapping import wrapped  # noqa: PLC0415

    yield from (Line(line, role) for line in wrapped(text, width, indent))


class Screen:
    """One output stream."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self._taken = 0
        self.is_terminal = stream.isatty()

    @property
    def width(self) -> int | None:
        """The columns of ``COLUMNS``, otherwise of the terminal; None where there is neither."""
        given = os.environ.get("COLUMNS", "")
        if given.isdecimal() and int(given):
            return max(int(given), _LEAST_WIDTH)
        return max(shutil.get_terminal_size().columns, _LEAST_WIDTH) if self.is_terminal else None

    def flush(self) -> None:
        """Write out everything shown so far."""
        self.stream.flush()

    def line(self, text: str = "", role: str = "") -> None:
        """Show one line, or several if it is too long for the screen."""
        self.lines(wrapped_lines(text, role, self.width or MEASURE) if text else (Line("", ""),))

    def first_lines(self, lines: Iterable[Line]) -> None:
        """Show lines until those shown in this way are too many; then say once that others are left out."""
        kept: list[Line] = []
        for line in lines:
            if self._taken > MAX_OUTPUT:
                break
            self._taken += line.bytes
            left_out = Line(f"further messages are left out: more than {MAX_OUTPUT:,} bytes", "note")
            kept.append(line if self._taken <= MAX_OUTPUT else left_out)
        self.lines(kept)

    def lines(self, lines: Iterable[Line]) -> None:
        """Show lines in the styles of their roles."""
        if not self.is_terminal:
            self.stream.write("".join([f"{shown(line.text)}\n" for line in lines]))
            return
        from rich.console import Console  # noqa: PLC0415
        from rich.text import Text as Styled  # noqa: PLC0415

        console = Console(file=self.stream, highlight=False)
        for line in lines:
            style = STYLES.get(line.role)
            if style is None:
                # Most lines: rich would take longer to print ten thousand of them than to compute them.
                self.stream.write(f"{shown(line.text)}\n")
            else:
                console.print(Styled(shown(line.text), style=style), soft_wrap=True)


def most_output() -> int:
    """Return how many bytes the page of a command may have.

    Raises:
        UsageError: :data:`ALLOW_OUTPUT` is not a size.
    """
    allowed = os.environ.get(ALLOW_OUTPUT, "")
    if not allowed:
        return MAX_OUTPUT
    from cnncli.language.sections import Quantity  # noqa: PLC0415 - rarely needed

    size = Quantity(of_bytes=True)
    amount = size.amount(allowed)
    if amount is None:
        message = f"the environment variable {ALLOW_OUTPUT} is not a size"
        raise usage_error(message, expected=size.expected, received=allowed)
    return amount


def output() -> Screen:
    """Return standard output."""
    return Screen(sys.stdout)


def errors() -> Screen:
    """Return standard error."""
    return Screen(sys.stderr)
