"""At which rate each layer learns, where that depends on its depth: as a line, as a table, as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cnncli.analysis.rates import LayerRate
from cnncli.report.page import Section
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable

_FROZEN = "frozen"


def summary(found: Sequence[LayerRate]) -> Iterator[str]:
    """Yield a line about the layers of the smallest and of the largest depth."""
    learned = [each for each in found if each.rates]
    if learned:
        first, last = (choose(learned, key=lambda each: each.depth) for choose in (min, max))
        yield f"lr by depth: {_at(first)} to {_at(last)}"


def sections(found: Sequence[LayerRate]) -> Iterator[Section]:
    """Yield the section with the table, if there is one."""
    if found:
        yield (table(found),)


def table(found: Sequence[LayerRate]) -> Table:
    """Return the table: a row for each layer."""
    return Table(
        (
            Column("layer", [printable(each.node) for each in found], cut=True),
            Column("depth", [str(each.depth) for each in found], right=True),
            Column("lr", [_text(each) for each in found]),
        )
    )


def document(found: Sequence[LayerRate]) -> list[dict[str, Any]]:
    """Return the same for a JSON document."""
    return [{"node": each.node, "depth": each.depth, "lr": list(each.rates)} for each in found]


def _at(each: LayerRate) -> str:
    return f"{_text(each)} at depth {each.depth} ({printable(each.node)})"


def _text(each: LayerRate) -> str:
    return ", ".join(f"{rate:.3g}" for rate in each.rates) or _FROZEN
