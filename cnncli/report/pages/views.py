"""Views: properties of layers that are shown next to their costs, in tables and in documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from cnncli.report.text.columns import Column


class View(Protocol):
    """More columns of the table, notes below it, and keys of each layer in the document."""

    def columns(self, nodes: Sequence[str], blank: int) -> Iterator[Column]:
        """Yield columns of one cell for each node, and ``blank`` empty ones for the rows of totals."""
        ...

    def notes(self) -> Iterator[str]:
        """Yield explanations of the cells."""
        ...

    def document(self, node: str) -> dict[str, Any]:
        """Return the keys that a layer gets."""
        ...


def agreed(cells: Sequence[str], separator: str) -> str:
    """Return one text for all axes if they agree, otherwise one for each."""
    return cells[0] if len(set(cells)) == 1 else separator.join(cells)
