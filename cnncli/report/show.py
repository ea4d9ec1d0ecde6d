"""The formats in which any page can be shown. A new one is a module with ``lines`` and an entry here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from cnncli.diagnostics import counted, usage_error
from cnncli.report import terminal
from cnncli.report.page import Page
from cnncli.report.terminal import ALLOW_OUTPUT, Screen, most_output, output
from cnncli.report.text.columns import Line
from cnncli.work import metered

Renderer: TypeAlias = "Callable[[Page, int | None], Iterator[Line]]"
"""The lines that show a page on a screen of some columns; None: as many as it takes."""


def _json(page: Page, _: int | None) -> Iterator[Line]:
    from cnncli.report.json_format import lines  # noqa: PLC0415

    return lines(page)


def _markdown(page: Page, _: int | None) -> Iterator[Line]:
    from cnncli.report.markdown import lines  # noqa: PLC0415

    return lines(page)


def _html(page: Page, _: int | None) -> Iterator[Line]:
    from cnncli.report.html_format import lines  # noqa: PLC0415

    return lines(page)


# All but the first are imported when they are asked for.
FORMATS: Final[Mapping[str, Renderer]] = {
    "table": terminal.lines,
    "json": _json,
    "markdown": _markdown,
    "html": _html,
}


def show(page: Page, form: str = "table", screen: Screen | None = None) -> None:
    """Show a page in one of :data:`FORMATS`, on standard output unless a screen is given.

    Raises:
        UsageError: it is larger than what one command may print; nothing has been shown.
    """
    screen = screen or output()
    with metered():
        screen.lines(_within_limit(FORMATS[form](page, screen.width), form))


def _within_limit(lines: Iterator[Line], form: str) -> list[Line]:
    most, taken = most_output(), 0
    kept: list[Line] = []
    for line in lines:
        taken += line.bytes
        if taken > most:
            raise usage_error(
                f"the output in the format '{form}' is too large",
                expected=f"at most {most:,} bytes from one command",
                received=f"more: its first {counted(len(kept), 'line')} take that much",
                hint=f"{ALLOW_OUTPUT}=100MB in the environment allows more",
            )
        kept.append(line)
    return kept


def text(page: Page, form: str = "table", width: int | None = None) -> str:
    """Return a page in one of :data:`FORMATS` as text."""
    with metered():
        return "".join(f"{line.text}\n" for line in FORMATS[form](page, width))
