"""Build a graph from a description: read arguments into typed values, propagate shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from cnncli.algebra import Condition, Dim, Expr, NoFormulaError, Undecidable, largest_number
from cnncli.diagnostics import Diagnostic, Faults, LimitError, Location, Related, SpecError
from cnncli.graph.graph import Graph, Node, Output
from cnncli.graph.roles import mark, warnings
from cnncli.graph.trace import shape_table
from cnncli.language.description import INPUT, Description, NodeSpec, same_arguments
from cnncli.layers import KINDS, Kind, Require, Shape, shape_text
from cnncli.limits import LAYERS, MAX_EXACT, MAX_ORIGINS, MAX_SHAPE_TABLES, MAX_SIZE
from cnncli.work import spend

if TYPE_CHECKING:
    from cnncli.graph.unknowns import Unknowns


_TOO_LONG: Final = Require(
    False,
    "the formula of its output has a number that is too large",
    f"at most {len(str(MAX_EXACT)) - 1} digits",
    hint="use fewer layers with a stride, or an input size in numbers",
)


def build(
    description: Description, size: Shape, faults: Faults, unknowns: Unknowns | None = None
) -> Graph | None:
    """Build the graph for one input size, or for all sizes at once if some are symbols.

    ``unknowns`` is what is already known about symbols; required if the description has symbolic variables.
    Errors are added to ``faults``; the result is None if there are any.
    """
    if unknowns is None and not all(isinstance(dim, int) for dim in size):
        # Imported here because few commands need it.
        from cnncli.graph.unknowns import Unknowns  # noqa: PLC0415

        unknowns = Unknowns()
    builder = _Builder(description, size, faults, unknowns)
    with unknowns.domain.applied() if unknowns is not None else nullcontext():
        builder.run()
    return None if len(faults) else builder.graph()


class _Builder:
    def __init__(
        self, description: Description, size: Shape, faults: Faults, unknowns: Unknowns | None
    ) -> None:
        self._description = description
        self._size = size
        self._faults = faults
        self._shapes: dict[str, Shape] = {INPUT: size} if size else {}
        self._nodes: list[Node] = []
        self._own: dict[str, Node] = {}
        self._tables = 0
        self._layers: dict[tuple[object, ...], Kind[Any]] = {}
        self._unknown = unknowns

    def run(self) -> None:
        # Copies of a layer share its location and its uses, and would only repeat the same error.
        reported: set[tuple[Location, ...]] = set()
        self._require_input()
        for spec in self._description.nodes:
            if reported and (spec.location, *spec.uses) in reported:
                continue
            try:
                spend(LAYERS)
                self._add(spec)
            except SpecError as error:
                reported.add((spec.location, *spec.uses))
                self._faults.extend(_with_uses(each, spec) for each in error.diagnostics)
            except LimitError as error:
                raise error.at(spec.name, spec.location) from None

    def _require_input(self) -> None:
        """Require that input sizes that are formulas of variables are at least 1."""
        where = self._description.input_at
        for dim in self._size:
            holds = dim >= 1
            if not isinstance(holds, Condition):
                continue
            assert self._unknown is not None, holds
            message = "every input size must be at least 1"
            requirement = Require(holds, message, "at least 1", str(dim))
            related = self._unknown.require(holds, requirement, INPUT, where)
            if related is not None:
                self._faults.add(
                    Diagnostic("shape", message, where, requirement.expected, str(dim), related=related)
                )

    def graph(self) -> Graph:
        description = self._description
        outputs = {
            name: Output(head.node, self._shapes[head.node], head.training_only)
            for name, head in description.heads.items()
            if head.node is not None
        }
        nodes = mark(self._nodes, outputs)
        self._faults.note(*warnings(nodes))
        graph = Graph(description.name, description.source, self._size, nodes, outputs, description.groups)
        if self._unknown is None:
            return graph
        return graph._replace(
            bounds=tuple(self._unknown.bounds),
            variables=description.variables,
            domain=self._unknown.domain,
        )

    def _add(self, spec: NodeSpec) -> None:
        layer = self._layer(spec)
        names = [name for name in spec.inputs if name in self._shapes]
        if len(names) < len(spec.inputs):
            return  # an input of this node is faulty, and reported there
        shapes = tuple(self._shapes[name] for name in names)
        try:
            self._place(spec, layer, tuple(names), shapes)
        except (Undecidable, NoFormulaError) as error:
            from cnncli.graph.unknowns import formula_fault  # noqa: PLC0415 - as in build

            raise SpecError(formula_fault(spec, f"the output of '{spec.kind}'", error)) from None

    def _place(
        self, spec: NodeSpec, layer: Kind[Any], names: tuple[str, ...], shapes: tuple[Shape, ...]
    ) -> None:
        input_shape = shapes if layer.joins else shapes[0]
        self._require(spec, layer, input_shape)
        output_shape = layer.output(input_shape)
        if any(map(_is_too_large, output_shape)):
            # Sizes that double from layer to layer would soon have too many digits to print.
            too_large = Require(False, "the output is too large", f"at most {MAX_SIZE:.0e} along an axis")
            raise SpecError(self._shape_fault(spec, too_large))
        if any(map(_is_too_long, output_shape)):
            raise SpecError(self._shape_fault(spec, _TOO_LONG))
        self._shapes[spec.name] = output_shape
        node = Node(
            spec.name,
            spec.kind,
            layer,
            names,
            shapes,
            output_shape,
            layer.parameters(input_shape),
            layer.buffers(input_shape),
            spec.location,
        )
        self._own[spec.name] = node
        self._nodes.append(node)

    def _layer(self, spec: NodeSpec) -> Kind[Any]:
        """Return the typed arguments of a node; copies share them."""
        key = (spec.kind, spec.location, *same_arguments(spec.arguments))
        if key not in self._layers:
            self._layers[key] = KINDS[spec.kind].read(spec.arguments, spec.location)
        return self._layers[key]

    def _require(self, spec: NodeSpec, layer: Kind[Any], input_shape: Any) -> None:
        for requirement in chain(_formulas(layer), layer.check(input_shape)):
            holds = requirement.holds
            if isinstance(holds, Condition):
                assert self._unknown is not None, holds
                related = self._unknown.require(holds, requirement, spec.name, spec.location)
                if related is not None:
                    raise SpecError(self._shape_fault(spec, requirement)._replace(related=related))
            elif not holds:
                raise SpecError(self._shape_fault(spec, requirement))

    def _shape_fault(self, spec: NodeSpec, requirement: Require) -> Diagnostic:
        blamed = spec.arguments.get(requirement.argument)
        where = blamed.location if blamed is not None else spec.location
        inputs = [name for name in spec.inputs if name is not None]
        shapes = [self._shapes[name] for name in inputs]
        self._tables += 1
        # A table examines every node, and nobody reads fifty tables.
        table = shape_table(self._size, self._nodes, spec, shapes) if self._tables <= MAX_SHAPE_TABLES else ""
        return Diagnostic(
            "shape",
            f"{spec.name}: {requirement.message}",
            where,
            requirement.expected,
            requirement.received,
            requirement.hint,
            self._origins(inputs) if len(inputs) > 1 else (),
            table,
        )

    def _origins(self, names: Sequence[str]) -> tuple[Related, ...]:
        """Return the shape and the location of each branch."""
        return tuple(
            Related(f"{name} outputs {shape_text(self._shapes[name])}", self._own[name].location)
            for name in names[:MAX_ORIGINS]
            if name in self._own
        )


def _is_too_large(dim: Dim) -> bool:
    """Return whether a size, or a coefficient of a formula, is above the largest allowed size."""
    most = dim if isinstance(dim, int) else max(map(abs, dim.terms.values()))
    return most > MAX_SIZE


def _is_too_long(dim: Dim) -> bool:
    """Return whether a formula has a number, such as a product of strides, with too many digits."""
    return isinstance(dim, Expr) and largest_number(dim) > MAX_EXACT


def _formulas(layer: Kind[Any]) -> Iterator[Require]:
    """Require that each argument that is a formula is at least 1, as readers do for numbers."""
    for name, value in vars(layer).items():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Expr):
                message = f"'{name}' must be at least 1"
                yield Require(each >= 1, message, "at least 1", str(each), argument=name)


def _with_uses(fault: Diagnostic, spec: NodeSpec) -> Diagnostic:
    """Add to a fault the block uses that led to its node."""
    uses = tuple(Related("in the block used here", where) for where in reversed(spec.uses))
    return fault._replace(related=(*fault.related, *uses))
