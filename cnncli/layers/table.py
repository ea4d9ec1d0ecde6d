"""Which channels a convolution connects, written as a table."""

from __future__ import annotations

from typing import TypeAlias

from cnncli.spec.fields import Reader, Sizes
from cnncli.spec.scope import Argument
from cnncli.spec.tree import Items

Table: TypeAlias = tuple[tuple[int, ...], ...]
"""For each output channel the input channels that it reads, counted from 0, in rising order."""

_MAX_READ = 4096


class TableReader(Reader[Table]):
    """A list with a list of input channels, each named once, for every output channel."""

    expected = "a list with a list of input channels, counted from 0, for each output channel"

    def read(self, argument: Argument) -> Table:
        value = argument.value
        if not isinstance(value, Items) or not len(value):
            raise self.wrong(argument)
        return tuple(self._row(Argument(each, argument.scope, argument.key)) for each in value)

    def _row(self, argument: Argument) -> tuple[int, ...]:
        if not isinstance(argument.value, Items):
            raise self.wrong(argument)
        row = Sizes(0, _MAX_READ).read(argument)
        if len(set(row)) < len(row):
            raise self.wrong(argument, hint="an input channel is named twice")
        return tuple(sorted(row))
