"""What ``cnncli memory`` shows where sizes are unknown: formulas, their names, where they hold."""

from __future__ import annotations

from collections.abc import Iterator

from cnncli.analysis.peaks import FEW, Peak
from cnncli.analysis.valid_sizes import ValidSizes
from cnncli.report.amounts import full, when
from cnncli.report.columns import Line, Table, too_wide
from cnncli.report.formulas import NO_BREAK, Names, explained, wrapped
from cnncli.report.markdown import escape, markdown_table
from cnncli.report.memory import Report, layers_table, notes, parts, title
from cnncli.report.numbers import exact
from cnncli.report.screen import Screen


def show(screen: Screen, report: Report, found: ValidSizes) -> None:
    """Show the layers, the parts and the peaks, and what the names in the formulas stand for."""
    names = Names(report.graph.unknowns)
    report = report._replace(short=names.short)
    table = _table(report)
    screen.line(f"{title(report)}, in bytes", "title")
    screen.line()
    screen.table(table)
    screen.line()
    lines = [*_lines(report), *explained(names, found), *notes(report)]
    if too_wide(table, screen.width):
        lines.append(
            "columns that do not fit are left out: a wider terminal, a pipe or --format json has all"
        )
    for text in lines:
        screen.lines(Line(line, "note") for line in wrapped(text, screen.width))


def markdown(report: Report, found: ValidSizes) -> Iterator[str]:
    """The same as a Markdown document."""
    names = Names(report.graph.unknowns)
    report = report._replace(short=names.short)
    yield f"## {escape(title(report))}, in bytes"
    yield ""
    yield from markdown_table(_table(report))
    yield ""
    for text in (*_lines(report), *explained(names, found), *notes(report)):
        yield f"{escape(text.replace(NO_BREAK, ' '))}  "


def _table(report: Report) -> Table:
    """The layers, all to the byte; where there is no room for a formula, shapes go first."""
    name, output, *figures = layers_table(report).columns
    kept = (each._replace(short_cells=None, optional=True) for each in figures)
    return Table((name, output._replace(rank=1, optional=True), *kept))


def _lines(report: Report) -> Iterator[str]:
    for name, amount, _ in parts(report):
        if amount != 0:
            yield f"{name} {exact(report.short(amount))}"
    yield _peak("peak at work", report.peaks.of(report.memory.inference), report)
    yield _peak("peak in training", report.peaks.of(report.memory.training), report)


def _peak(heading: str, peak: Peak, report: Report) -> str:
    if len(peak.moments) > FEW:
        return (
            f"{heading} depends on the size; it is at one of: {when(peak)} (--format json has all formulas)"
        )
    return f"{heading} {full(peak, report.short)}: {when(peak)}"
