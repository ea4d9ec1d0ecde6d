"""The names of nodes: the place that determines a full name, and the node that a reference means."""

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
    """Where nodes are expanded: the prefix of their names, and the scope of their expressions.

    If ``numbered``, nodes without a name get 0, 1, 2, ...; ``uses`` and ``blocks`` are the places and names
    of the blocks around them.
    """

    prefix: str
    counts: Counter[str]
    numbered: bool
    scope: Scope
    uses: tuple[Location, ...] = ()
    blocks: tuple[str, ...] = ()
    depth: int = 0

    def full(self, name: str) -> str:
        """Return a name with its prefix."""
        return f"{self.prefix}.{name}" if self.prefix else name

    def number(self) -> str:
        """Return the next name in a numbered block."""
        self.counts[_NUMBER] += 1
        return self.full(str(self.counts[_NUMBER] - 1))

    def deeper(self, where: Location) -> Place:
        """Return the same place, one level deeper.

        Raises:
            LimitError: that is too deep.
        """
        if self.depth >= MAX_DEPTH:
            message = "blocks and branches are nested too deeply"
            raise LimitError(Diagnostic("limit", message, where, f"at most {MAX_DEPTH} levels"))
        return self._replace(depth=self.depth + 1)


class Names:
    """Every name that can be referred to, and the node whose output it means."""

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = kinds
        # None: the node is faulty, so nodes that read it are not reported.
        self._nodes: dict[str, str | None] = {INPUT: INPUT}
        self._given_at: dict[str, Location] = {}
        # Nodes, and the names that hold others, with the first node below each.
        self._placed: dict[str, Location] = {}
        self._holders: dict[str, Location] = {}

    def claim(self, name: str, where: Location) -> str:
        """Reserve a name and return it.

        Raises:
            SpecError: it is taken, or too long.
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
            hint = "set another name with 'name'"
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
        """Set the node that a name means."""
        self._nodes[name] = node

    def leave(self, name: str) -> None:
        """Note that a name means a faulty node."""
        self._nodes.setdefault(name, None)

    def resolve(self, value: Value, place: Place) -> str | None:
        """Return the node that a reference means, looked up from the innermost prefix outward.

        Raises:
            SpecError: no node above has this name.
        """
        if not isinstance(value, Scalar) or value.is_null:
            received = describe(value)
            raise SpecError(
                Diagnostic("reference", "not the name of a node", value.location, "a node's name", received)
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
            hint = f"a branch that is a new '{name}' is written as a list: [{name}]"
        message = f"no node above is named '{name}'"
        raise SpecError(Diagnostic("unknown-node", message, value.location, hint=hint))

    def _within(self, prefix: str) -> list[str]:
        """Return the names as they can be written here, the latest first."""
        inside = f"{prefix}." if prefix else ""
        return [name.removeprefix(inside) for name in reversed(self._nodes)]
