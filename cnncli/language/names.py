"""The names of nodes: the place that determines a full name, and the node that a reference means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import chain, count, islice
from typing import Final, NamedTuple

from cnncli.diagnostics import Diagnostic, LimitError, Location, Related, SpecError, did_you_mean, shortened
from cnncli.language.description import INPUT
from cnncli.language.scope import Scope, interpolate
from cnncli.language.tree import Scalar, Value, describe
from cnncli.limits import BEGINNINGS, MAX_BLOCK_DEPTH, MAX_FULL_NAME, MAX_LOOKED_AT
from cnncli.work import spend

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
        """Return the next number in a numbered block, as a full name."""
        self.counts[_NUMBER] += 1
        return self.full(str(self.counts[_NUMBER] - 1))

    def deeper(self, where: Location) -> Place:
        """Return the same place, one level deeper.

        Raises:
            LimitError: that is too deep.
        """
        if self.depth >= MAX_BLOCK_DEPTH:
            message = "blocks and branches are nested too deeply"
            raise LimitError(Diagnostic("limit", message, where, f"at most {MAX_BLOCK_DEPTH} levels"))
        return self._replace(depth=self.depth + 1)


class NodeNames:
    """Every name that can be referred to, and the node whose output it means.

    Written names take precedence: an automatic name is never one that the spec writes. ``written`` are full
    names that are known to be written from an earlier expansion (:attr:`is_late`).
    """

    def __init__(self, kinds: Collection[str], written: Iterable[str] = ()) -> None:
        self._kinds = kinds
        # None: the node is faulty, so nodes that read it are not reported.
        self._nodes: dict[str, str | None] = {INPUT: INPUT}
        self._given_at: dict[str, Location] = {}
        # Names that the spec writes, and their beginnings up to a dot: automatic names avoid both.
        self._written: set[str] = set()
        self._written_above: set[str] = set()
        self._automatic: set[str] = set()
        self.claimed: set[str] = set()
        """The written names so far."""
        self.is_late = False
        """Whether a written name came after an automatic one had taken its place: they must be given anew."""
        # By the part before the number, and whether it is for a layer: numbers from the first up to, not
        # including, the second are taken.
        self._taken: dict[tuple[str, bool], tuple[int, int]] = {}
        # The names of nodes, and the names that hold others, with the first node below each.
        self._placed: set[str] = set()
        self._holders: dict[str, str] = {}
        for name in written:
            self._reserve(name, "")

    def claim(self, name: str, where: Location, *, automatic: bool = False) -> str:
        """Reserve a name and return it.

        Raises:
            SpecError: it is taken, or too long.
        """
        if automatic:
            self._automatic.add(name)
        else:
            self.claimed.add(name)
            above = self._placed.intersection(_above(name, where))
            if name in self._automatic or above & self._automatic:
                self.is_late = True
                self._given_at[name] = where
                return name
        if len(name) > MAX_FULL_NAME:
            message = f"the name '{shortened(name)}' is too long"
            raise SpecError(
                Diagnostic("name", message, where, f"at most {MAX_FULL_NAME} characters, blocks included")
            )
        first = self._given_at.setdefault(name, where)
        if first is not where:
            message = f"two nodes are named '{name}'"
            related = (Related("the first is here", first),)
            hint = "set another name with 'name'"
            raise SpecError(Diagnostic("duplicate-name", message, where, hint=hint, related=related))
        return name

    def reserve(self, names: Iterable[Scalar], place: Place) -> None:
        """Keep names that are written at a place from becoming automatic names.

        A name that has an error is skipped: it is reported where its node is expanded.
        """
        for scalar in names:
            with suppress(SpecError):
                self._reserve(interpolate(scalar, place.scope), place.prefix)

    def _reserve(self, name: str, prefix: str) -> None:
        start = f"{prefix}." if prefix else ""
        self._written.add(start + name)
        self._written_above.update(start + each for each in _above(name))

    def automatic(self, kind: str, place: Place, *, is_layer: bool) -> str:
        """Return ``conv2`` for the second node of a kind, or the next name after it that is not taken.

        ``is_layer`` means that the name is that of a single layer, which cannot hold others: ``conv2`` is
        then taken if ``conv2.a`` is written. A kind that ends in a digit has an underscore before its
        number: ``relu6_1``.
        """
        stem = place.full(f"{kind}_" if kind[-1:].isdigit() else kind)
        number = place.counts[kind]
        # Without the numbers that are known to be taken, many written names would each be tried many times.
        first, end = self._taken.get((stem, is_layer), (0, 0))
        first, number = (first, end) if first <= number < end else (number, number)
        while not self._is_free(f"{stem}{number}", is_layer=is_layer):
            number += 1
        self._taken[stem, is_layer] = first, number + 1
        return f"{stem}{number}"

    def next_number(self, place: Place) -> str:
        """Return the next name in a numbered block that is not taken."""
        while True:
            name = place.number()
            if self._is_free(name, is_layer=True):
                return name

    def copies(self, name: str, *, is_layer: bool) -> Iterator[str]:
        """Yield ``name.0``, ``name.1``, ... without those that are taken."""
        numbered = (f"{name}.{number}" for number in count())
        return (each for each in numbered if self._is_free(each, is_layer=is_layer))

    def derived(self, owner: str, key: str) -> str:
        """Return ``owner_key``, or if that is taken, with the first number from 2 on that is not."""
        name = f"{owner}_{key}"
        numbered = (f"{name}_{number}" for number in count(2))
        return next(each for each in chain((name,), numbered) if self._is_free(each, is_layer=True))

    def _is_free(self, name: str, *, is_layer: bool) -> bool:
        taken = name in self._written or name in self._given_at
        return not taken and not (is_layer and name in self._written_above)

    def place(self, name: str) -> None:
        """Note that a node has this name, which was claimed.

        Raises:
            SpecError: another node's name begins with it, or it begins with another node's: a module that
                computes something cannot hold others that it does not call.
        """
        if self.is_late:
            return
        where = self._given_at[name]
        above = _above(name, where)
        layer = next((each for each in above if each in self._placed), None)
        if layer is not None:
            message = f"'{name}' would be inside '{layer}', a layer, which cannot contain others"
            raise self._conflict(message, name, layer)
        if name in self._holders:
            message = f"'{name}' is a layer and cannot contain others, but another name begins with '{name}.'"
            raise self._conflict(message, name, self._holders[name])
        self._placed.add(name)
        for each in above:
            self._holders.setdefault(each, name)

    def _conflict(self, message: str, name: str, other: str) -> SpecError:
        related = (Related(f"'{other}' is here", self._given_at[other]),)
        return SpecError(Diagnostic("name", message, self._given_at[name], "another name", related=related))

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
        hint = did_you_mean(name, self._within(place.prefix), "names above")
        if name in self._kinds:
            hint = f"a branch that is a new '{name}' is written as a list: [{name}]"
        message = f"no node above is named '{name}'"
        raise SpecError(Diagnostic("unknown-node", message, value.location, hint=hint))

    def _within(self, prefix: str) -> list[str]:
        """Return the latest names as they can be written here, the last one first."""
        inside = f"{prefix}." if prefix else ""
        return [name.removeprefix(inside) for name in islice(reversed(self._nodes), MAX_LOOKED_AT)]


def _above(name: str, where: Location | None = None) -> list[str]:
    """Return the beginnings of a name up to a dot, the shortest first; ``where`` is the place of the name."""
    spend(BEGINNINGS, name.count(".") * len(name) // 2, where)
    return [name[:end] for end, character in enumerate(name) if character == "."]
