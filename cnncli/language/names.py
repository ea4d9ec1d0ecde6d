"""The names of nodes: where they are written, who has which, and what a reference means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final, NamedTuple

from cnncli.diagnostics import Diagnostic, LimitError, Location, Related, SpecError, did_you_mean, shortened
from cnncli.language.description import INPUT
from cnncli.language.scope import Scope, interpolate
from cnncli.language.tree import Scalar, Value, describe

MAX_DEPTH: Final = 40
MAX_LENGTH: Final = 500
_NUMBER: Final = "#"


class Place(NamedTuple):
    """Where nodes are being written: the prefix of their names, the names in their expressions.

    ``numbered`` says that nodes without a name get 0, 1, 2, ...; ``uses`` and ``blocks`` are the
    places and names of the blocks that led here.
    """

    prefix: str
    counts: Counter[str]
    numbered: bool
    scope: Scope
    uses: tuple[Location, ...] = ()
    blocks: tuple[str, ...] = ()
    depth: int = 0

    def full(self, name: str) -> str:
        """A name with its prefix."""
        return f"{self.prefix}.{name}" if self.prefix else name

    def number(self) -> str:
        """The next name in a numbered block."""
        self.counts[_NUMBER] += 1
        return self.full(str(self.counts[_NUMBER] - 1))

    def deeper(self, where: Location) -> Place:
        """The same place, one level further down.

        Raises:
            LimitError: that is too deep.
        """
        if self.depth >= MAX_DEPTH:
            message = "blocks and branches are nested too deeply"
            raise LimitError(Diagnostic("limit", message, where, f"at most {MAX_DEPTH} levels"))
        return self._replace(depth=self.depth + 1)


class Names:
    """Every name that can be referred to, and the node that gives its value."""

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = kinds
        # None: the node is itself at fault, so that what reads it need not be reported.
        self._nodes: dict[str, str | None] = {INPUT: INPUT}
        self._given_at: dict[str, Location] = {}
        # Nodes, and the names that hold others, with the first node below each.
        self._placed: dict[str, Location] = {}
        self._holders: dict[str, Location] = {}

    def claim(self, name: str, where: Location) -> str:
        """Take a name.

        Raises:
            SpecError: something else has it.
        """
        if len(name) > MAX_LENGTH:
            message = f"the name '{shortened(name)}' is too long"
            raise SpecError(
                Diagnostic("name", message, where, f"at most {MAX_LENGTH} characters, blocks included")
            )
        first = self._given_at.setdefault(name, where)
        if first is not where:
            message = f"two nodes are named '{name}'"
            related = (Related("the first is here", first),)
            hint = "'name' gives a node another name"
            raise SpecError(Diagnostic("duplicate-name", message, where, hint=hint, related=related))
        return name

    def place(self, name: str, where: Location) -> None:
        """Note that a node has this name.

        Raises:
            SpecError: another node's name begins with it, or it begins with another node's: a module that
                computes something cannot hold others that it does not call.
        """
        above = [name[:end] for end, character in enumerate(name) if character == "."]
        taken = next((each for each in above if each in self._placed), None)
        below = self._holders.get(name)
        if taken is not None or below is not None:
            first = self._placed[taken] if taken is not None else below
            assert first is not None
            message = f"'{name}' and '{taken or f'{name}.'}' cannot both name nodes: one would hold the other"
            related = (Related("the other is here", first),)
            raise SpecError(Diagnostic("name", message, where, "another name", related=related))
        self._placed[name] = where
        for each in above:
            self._holders.setdefault(each, where)

    def define(self, name: str, node: str | None) -> None:
        """Say which node a name means."""
        self._nodes[name] = node

    def leave(self, name: str) -> None:
        """Say that a name means a node at fault."""
        self._nodes.setdefault(name, None)

    def resolve(self, value: Value, place: Place) -> str | None:
        """The node that a reference means, looked up from the innermost prefix outwards.

        Raises:
            SpecError: there is none above it.
        """
        if not isinstance(value, Scalar) or value.is_null:
            received = describe(value)
            raise SpecError(
                Diagnostic("reference", "this names no node", value.location, "a node's name", received)
            )
        name = interpolate(value, place.scope)
        prefix = place.prefix
        while prefix:
            full = f"{prefix}.{name}"
            if full in self._nodes:
                return self._nodes[full]
            prefix = prefix.rpartition(".")[0]
        if name in self._nodes:
            return self._nodes[name]
        hint = did_you_mean(name, self._within(place.prefix))
        if name in self._kinds:
            hint = f"a layer is written in a list of its own: [{name}]"
        message = f"no node above is named '{name}'"
        raise SpecError(Diagnostic("unknown-node", message, value.location, hint=hint))

    def _within(self, prefix: str) -> list[str]:
        """The names as they can be written here, the latest first."""
        inside = f"{prefix}." if prefix else ""
        return [name.removeprefix(inside) for name in reversed(self._nodes)]
