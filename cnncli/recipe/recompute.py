"""Which parts of a network the backward pass computes again, to need less memory."""

from __future__ import annotations

from typing import Final

from cnncli.language.readers import Reader
from cnncli.language.scope import Argument, interpolate
from cnncli.language.tree import Items, Scalar
from cnncli.limits import MAX_NODES

AUTO: Final = "auto"
"""So many parts that a batch fits into the memory that is given, before it is computed in more slices."""
NOTHING: Final = "none"

CHOSEN: Final = ("accumulate", "recompute")
"""The settings of a recipe that a limit of memory decides."""


class RecomputeReader(Reader["tuple[str, ...]"]):
    """``none``, ``auto``, or a list of nodes, groups of nodes and segments ``FIRST:LAST``.

    The value is a list of names; ``auto`` is one of them, alone.
    """

    expected = f"{NOTHING}, {AUTO}, or a list of nodes, groups of nodes and segments FIRST:LAST"

    def read(self, argument: Argument) -> tuple[str, ...]:
        value = argument.value
        if isinstance(value, Scalar) and not value.is_null:
            word = interpolate(value, argument.scope)
            if word not in (NOTHING, AUTO):
                raise self.wrong(argument, hint=f"[{word}]")
            return () if word == NOTHING else (AUTO,)
        if not isinstance(value, Items) or len(value) > MAX_NODES:
            raise self.wrong(argument)
        names = []
        for each in value:
            if not isinstance(each, Scalar) or each.is_null:
                raise self.wrong(argument._replace(value=each))
            names.append(interpolate(each, argument.scope))
        if AUTO in names:
            raise self.wrong(argument, hint=AUTO)
        return tuple(names)

    def plain(self, value: tuple[str, ...]) -> object:
        return AUTO if value == (AUTO,) else [*value] if value else NOTHING
