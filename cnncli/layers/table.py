"""Which channels a convolution connects, written as a table."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

from cnncli.diagnostics import Diagnostic, SpecError
from cnncli.language.readers import Reader, Sizes, Whole
from cnncli.language.scope import Argument
from cnncli.language.tree import Items
from cnncli.limits import MAX_TABLE_ROW, VALUES
from cnncli.work import spend

Table: TypeAlias = tuple[tuple[int, ...], ...]
"""For each output channel the input channels that it reads, counted from 0, in ascending order."""


def connected(table: Table) -> int:
    """Return how many connections a table has: pairs of an output and an input channel."""
    return sum(map(len, table))


class TableReader(Reader[Table]):
    """A list that contains, for every output channel, a list of distinct input channels."""

    expected = (
        "a list, not a variable, with one list of input channels, counted from 0, for each output channel"
    )

    def read(self, argument: Argument) -> Table:
        value = argument.value
        if not isinstance(value, Items) or not len(value):
            raise self.wrong(argument)
        rows: list[tuple[int, ...]] = []
        faults: list[Diagnostic] = []
        for each in value:
            try:
                rows.append(self._row(Argument(each, argument.scope, argument.key)))
            except SpecError as error:
                faults.extend(error.diagnostics)
        if faults:
            raise SpecError(faults)
        return tuple(rows)

    def _row(self, argument: Argument) -> tuple[int, ...]:
        if not isinstance(argument.value, Items):
            raise self.wrong(argument)
        spend(VALUES, len(argument.value), argument)
        row = sorted(Sizes(Whole(0), MAX_TABLE_ROW).read(argument))
        twice = next((channel for channel, following in pairwise(row) if channel == following), None)
        if twice is not None:
            message = f"a row of the table lists input channel {twice} twice"
            raise SpecError(Diagnostic("value", message, argument.location, "each channel at most once"))
        return tuple(row)
