"""Pages as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnncli.report.page import Page, Section, Text
from cnncli.report.text.columns import Line, Table
from cnncli.report.text.escapes import markdown, markdown_line
from cnncli.report.text.wrapping import plain


def lines(page: Page) -> Iterator[Line]:
    """Yield a page's lines."""
    gap = False
    for part in _parts(page):
        if gap:
            yield Line("", "")
        yield from (Line(text, "") for text in part)
        gap = True


def _parts(page: Page) -> Iterator[Iterator[str]]:
    """Yield the parts that need a blank line between them; Markdown would otherwise join text and table."""
    if page.title:
        yield iter([f"## {markdown(page.title)}"])
    if page.answer is not None:
        yield _emphasized(page.answer.lines)
    for section in (page.lead, *page.sections(None)):
        yield from _section(section)


def _section(section: Section) -> Iterator[Iterator[str]]:
    for block in section:
        if isinstance(block, Table):
            yield markdown_table(block)
        elif block.lines:
            yield _text(block)


def _text(block: Text) -> Iterator[str]:
    if block.role == "heading":
        return (f"### {markdown(plain(line))}" for line in block.lines)
    if block.role in ("good", "error"):
        return _emphasized(block.lines)
    # Two spaces end a line, which Markdown would join with the next one; an indent could mean code.
    return (f"{markdown_line(plain(line.strip()))}  " for line in block.lines)


def _emphasized(texts: Sequence[str]) -> Iterator[str]:
    return (f"**{markdown(plain(line.strip()))}**  " for line in texts)


def markdown_table(table: Table) -> Iterator[str]:
    """Yield a table; totals are bold, and an empty row takes the place of a rule, which Markdown lacks."""
    yield markdown_row([markdown(column.heading) for column in table.columns])
    yield markdown_row(["---:" if column.right else "---" for column in table.columns])
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    for index, row in enumerate(rows):
        if index in table.rules:
            yield markdown_row([""] * len(row))
        is_total = index >= len(rows) - table.totals
        yield markdown_row([f"**{markdown(cell)}**" if is_total and cell else markdown(cell) for cell in row])


def markdown_row(cells: Sequence[str]) -> str:
    """Return a row of a table; its cells are Markdown already."""
    return f"| {' | '.join(cells)} |"
