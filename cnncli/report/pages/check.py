"""The verdicts of ``cnncli check`` as text. Formats for CI systems stand beside this one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnncli.analysis.check import Verdict
from cnncli.report.terminal import Screen, printable
from cnncli.report.text.columns import Column, Line, Table, render
from cnncli.report.text.numbers import exact


def show(screen: Screen, spec: str, verdicts: Sequence[Verdict]) -> None:
    """Show one network's verdicts."""
    screen.lines(lines(spec, verdicts, screen.width))


def lines(spec: str, verdicts: Sequence[Verdict], width: int | None) -> Iterator[Line]:
    """A table of limits, and for every limit that is passed the layers that weigh most."""
    over = [verdict for verdict in verdicts if not verdict.within]
    word = f"over budget in {len(over)} of {len(verdicts)}" if over else f"within budget ({len(verdicts)})"
    yield Line(f"{printable(spec)}: {word}", "error" if over else "good")
    yield from render(_table(verdicts), width)
    for verdict in over:
        if verdict.heaviest:
            heaviest = ", ".join(f"{name} {exact(amount)}" for name, amount in verdict.heaviest)
            yield Line(f"  most {verdict.figure}: {heaviest}", "")


def _table(verdicts: Sequence[Verdict]) -> Table:
    return Table(
        (
            Column("figure", [verdict.figure for verdict in verdicts]),
            Column("limit", [exact(verdict.limit) for verdict in verdicts], right=True),
            Column("network", [exact(verdict.actual) for verdict in verdicts], right=True),
            Column("verdict", [_verdict(verdict) for verdict in verdicts]),
        )
    )


def _verdict(verdict: Verdict) -> str:
    if verdict.within:
        return f"ok, {exact(-verdict.excess)} left"
    share = f" ({100 * verdict.excess / verdict.limit:,.1f} %)" if verdict.limit else ""
    return f"OVER by {exact(verdict.excess)}{share}"
