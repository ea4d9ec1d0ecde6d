"""The sizes of inputs that a network accepts with the weights that it has."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any, Final, NamedTuple

from cnncli.algebra import Dim, symbol, symbols_of, whole_shape
from cnncli.algebra.size_sets import SizeSet
from cnncli.analysis.sizes import valid_sizes
from cnncli.diagnostics import SpecError, listing
from cnncli.graph import Graph, open_text
from cnncli.layers.geometry.sliding import axis_name, axis_symbols

_BATCHES: Final = (1, 3)


class Accepted(NamedTuple):
    """A graph with a symbol along each axis whose size may vary, and the sizes along it.

    ``sizes`` are by the names of axes; all combinations of them are accepted. ``notes`` say why others do not
    vary.
    """

    graph: Graph
    sizes: Mapping[str, SizeSet]
    notes: tuple[str, ...]

    @property
    def symbols(self) -> dict[str, str]:
        """The symbol of each axis that varies, by the name of the axis."""
        rank = len(self.graph.input) - 1
        names = {dim: axis_name(axis, rank) for axis, dim in enumerate(axis_symbols(rank))}
        return {names[dim]: dim for dim in names if names[dim] in self.sizes}

    def batches(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return shapes of batches of 1 and of 3: the network's own first, then smaller unequal sizes."""
        examples = self._examples(shape)
        if len(examples) == 1:
            return [(size, *shape) for size in _BATCHES]
        return [(size, *each) for each, size in zip(examples, cycle(_BATCHES), strict=False)]

    def _examples(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        if not self.sizes:
            return [shape]
        names = [axis_name(axis, len(shape) - 1) for axis in range(len(shape) - 1)]
        found = [shape]
        for least in (1, max(shape[1:]) // 2 + 1):
            sides = (self._near(name, least + axis, shape[1 + axis]) for axis, name in enumerate(names))
            found.append((shape[0], *sides))
        return [*dict.fromkeys(found)]

    def _near(self, axis: str, wanted: int, own: int) -> int:
        """Return an accepted size of at least the one wanted; the network's own if that is not larger."""
        size = self.sizes[axis].at_least(wanted) if axis in self.sizes else own
        return own if size is None else min(size, own)


def accepted(graph: Graph, spec: str) -> Accepted:
    """Return the sizes that a graph in numbers accepts, from the text of its spec.

    An axis whose size decides the shape of a weight keeps its size, and so do axes that accept combinations
    of sizes only.
    """
    shape = whole_shape(graph.input)
    rank = len(shape) - 1
    free = dict(zip(range(rank), axis_symbols(rank), strict=True))
    notes: list[str] = []
    while free:
        size = (shape[0], *(symbol(free[axis]) if axis in free else n for axis, n in enumerate(shape[1:])))
        try:
            opened = open_text(spec, name=graph.source.name, size=size).graph
        except SpecError as error:  # an argument depends on a symbol that it cannot have
            notes.append(f"accepts {_words(shape)} only: {error.diagnostics[0].message}")
            break
        bound, why = _bound(opened)
        if not bound:
            return _varying(opened, tuple(notes))
        fixed = [axis for axis in free if free[axis] in bound]
        named = listing([axis_name(axis, rank) for axis in fixed])
        sizes = "x".join(str(shape[1 + axis]) for axis in fixed)
        notes.append(f"{named} {'are' if len(fixed) > 1 else 'is'} fixed at {sizes}: {why}")
        free = {axis: name for axis, name in free.items() if axis not in fixed}
    return Accepted(graph, {}, tuple(notes))


def _varying(graph: Graph, notes: tuple[str, ...]) -> Accepted:
    sizes = {axis.name: axis.sizes for axis in valid_sizes(graph).axes}
    return Accepted(graph, sizes, notes)


def _bound(graph: Graph) -> tuple[set[str], str]:
    """Return the symbols that cannot vary on their own, and why."""
    tensors: list[Dim] = [
        dim
        for node in graph.nodes
        for shape in (*node.parameters.values(), *node.buffers.values())
        for dim in shape
    ]
    of_weights = {name for dim in tensors for name in symbols_of(dim)}
    if of_weights:
        return of_weights, "the shapes of weights depend on that"
    coupled: set[Any] = {
        name for bound in graph.bounds if bound.sizes is None for name in symbols_of(bound.condition)
    }
    return coupled, "sizes along the axes depend on each other"


def _words(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
