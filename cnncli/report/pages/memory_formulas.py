"""What ``cnncli memory`` shows where sizes are unknown: formulas, their names, where they hold."""

from __future__ import annotations

from collections.abc import Iterator

from cnncli.analysis.memory.peaks import FEW, Peak
from cnncli.analysis.sizes import ValidSizes
from cnncli.report.markdown import escape, markdown_table
from cnncli.report.pages.memory import Report, layers_table, notes, parts, title
from cnncli.report.terminal import Screen
from cnncli.report.text.amounts import full, when
from cnncli.report.text.columns import Line, Table
from cnncli.report.text.continuation import continuation
from cnncli.report.text.formulas import Names, explained, plain, unbroken, wrapped
from cnncli.report.text.numbers import exact


def show(screen: Screen, report: Report, found: ValidSizes) -> None:
    """Show the layers, the parts and the peaks, and what the names in the formulas stand for."""
    names = Names(report.graph.unknowns)
    report = report._replace(short=names.short)
    table = _table(report)
    screen.line(f"{title(report)}, in bytes", "title")
    screen.line()
    for drawn in (table, *continuation(table, screen.width)):
        screen.table(drawn)
        screen.line()
    for text in (*_lines(report), *explained(names, found), *notes(report)):
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
        yield f"{escape(plain(text))}  "


def _table(report: Report) -> Table:
    """The layers, all to the byte."""
    name, output, *figures = layers_table(report).columns
    return Table((name, output, *(each._replace(short_cells=None, optional=True) for each in figures)))


def _lines(report: Report) -> Iterator[str]:
    for name, amount, _ in parts(report):
        if amount != 0:
            yield unbroken(f"{name} {exact(report.short(amount))}")
    yield _peak("peak at work", report.peaks.of(report.memory.inference), report)
    yield _peak("peak in training", report.peaks.of(report.memory.training), report)


def _peak(heading: str, peak: Peak, report: Report) -> str:
    if len(peak.moments) > FEW:
        return (
            f"{heading} depends on the size; it is at one of: {when(peak)} (--format json has all formulas)"
        )
    return unbroken(f"{heading} {full(peak, report.short)}: {when(peak)}")
