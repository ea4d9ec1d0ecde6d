"""Tables and texts as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnncli.report.text.columns import Table


def markdown_table(drawn: Table) -> Iterator[str]:
    """A table in Markdown; totals are bold, and an empty row stands for a rule, which Markdown has not."""
    yield markdown_row([escape(column.heading) for column in drawn.columns])
    yield markdown_row(["---:" if column.right else "---" for column in drawn.columns])
    rows = list(zip(*(column.cells for column in drawn.columns), strict=True))
    for index, row in enumerate(rows):
        if index in drawn.rules:
            yield markdown_row([""] * len(row))
        is_total = index >= len(rows) - drawn.totals
        yield markdown_row([f"**{escape(cell)}**" if is_total and cell else escape(cell) for cell in row])


def markdown_row(cells: Sequence[str]) -> str:
    """A row of a table in Markdown, of cells that are Markdown themselves."""
    return f"| {' | '.join(cells)} |"


def escape(text: str) -> str:
    """The text, to be read as it is."""
    return "".join(f"\\{c}" if c in "\\`*_|<>[]" else c for c in text)
