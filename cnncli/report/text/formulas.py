"""Formulas on a screen: floor divisions, which recur in every row, get names such as ``h1``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from cnncli.algebra import Dim, Expr, product, symbol, symbols_of
from cnncli.algebra.terms import Floor, Symbol
from cnncli.analysis.costs.figures import Costs, Figures, Row
from cnncli.analysis.sizes import ValidSizes
from cnncli.graph import Graph
from cnncli.layers import Shape
from cnncli.report.pages.sizes import together_words, words
from cnncli.report.text.wrapping import NO_BREAK


class Abbreviations:
    """Names for the floor divisions of formulas, in order of appearance."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._names: dict[Floor, str] = {}
        self._counts: dict[str, int] = {}
        # Layers of one size have the same formulas.
        self._known: dict[Expr, Dim] = {}

    def short(self, dim: Dim) -> Dim:
        """Return the formula with a name in place of each floor division."""
        if isinstance(dim, int):
            return dim
        if dim not in self._known:
            self._known[dim] = self._named(dim)
        return self._known[dim]

    def legend(self) -> Iterator[str]:
        """Yield ``h1 = (H + 1)//2``, one for each name."""
        return (f"{name} = {floor}" for floor, name in self._names.items())

    def _named(self, dim: Expr) -> Dim:
        total: Dim = 0
        for monomial, coefficient in dim.terms.items():
            factors = [self._factor(atom) for atom in monomial if isinstance(atom, Floor | Symbol)]
            total = total + coefficient * product(factors)
        return total

    def _factor(self, atom: Floor | Symbol) -> Expr:
        if isinstance(atom, Symbol):
            return symbol(atom.name)
        if atom not in self._names:
            self._names[atom] = self._new(atom)
        return symbol(self._names[atom])

    def _new(self, floor: Floor) -> str:
        """Return ``h3`` for the third one of H alone; ``n1`` and so on for those with several symbols."""
        symbols = symbols_of(Expr({(floor,): 1}))
        letter = min(symbols)[0].lower() if len(symbols) == 1 else "n"
        while True:
            self._counts[letter] = self._counts.get(letter, 0) + 1
            name = f"{letter}{self._counts[letter]}"
            if name not in self._taken:
                return name


def abbreviated(graph: Graph, costs: Costs, names: Abbreviations) -> tuple[Graph, Costs]:
    """Return graph and costs with names in place of floor divisions."""
    rows = tuple(
        Row(
            row.node._replace(output_shape=_shape(row.node.output_shape, names.short)),
            _figures(row.figures, names.short),
        )
        for row in costs.rows
    )
    outputs = {
        name: output._replace(shape=_shape(output.shape, names.short))
        for name, output in graph.outputs.items()
    }
    short = Costs(rows, *(_figures(each, names.short) for each in costs[1:]))
    return graph._replace(outputs=outputs), short


def explained(names: Abbreviations, found: ValidSizes, graph: Graph) -> Iterator[str]:
    """Yield the definitions of the names, and the sizes for which the formulas hold."""
    legend = [*names.legend()]
    if legend:
        # No line ends within a definition.
        yield f"where {', '.join(each.replace(' ', NO_BREAK) for each in legend)}"
    for axis in found.axes:
        yield f"{axis.name}: {words(axis.sizes)}"
    for group in found.together:
        yield f"together: {together_words(group, graph)}"
    for bound in found.open_bounds:
        yield f"and only where {bound.condition} ({bound.node})"


def _shape(shape: Shape, short: Callable[[Dim], Dim]) -> Shape:
    return tuple(map(short, shape))


def _figures(figures: Figures, short: Callable[[Dim], Dim]) -> Figures:
    return Figures(*map(short, figures))
