"""What may be shown of every layer beside its costs: one value for table, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Protocol

from cnncli.report.text.columns import Column


class View(Protocol):
    """More columns of the table, lines below it, and keys of each layer's JSON."""

    def columns(self, nodes: Sequence[str], blank: int) -> Iterator[Column]:
        """One cell for each node, and as many empty ones below, beside the totals."""
        ...

    def notes(self) -> Iterator[str]:
        """What the cells leave open."""
        ...

    def document(self, node: str) -> dict[str, Any]:
        """The keys that a layer gets."""
        ...


def agreed(cells: Sequence[str], separator: str) -> str:
    """One text for all axes where they agree, else one for each."""
    return cells[0] if len(set(cells)) == 1 else separator.join(cells)


def decimal(value: Fraction) -> str:
    """``15.5``, ``-0.25``; ``1/3`` where the decimals would not end soon."""
    return f"{float(value):.10g}" if value.denominator in (1, 2, 4, 8) else str(value)


def exact_number(value: Fraction) -> int | str:
    """A whole number as one, any other as text: ``"15/2"``."""
    return value.numerator if value.denominator == 1 else str(value)
