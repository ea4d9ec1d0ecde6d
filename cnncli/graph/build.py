"""Description -> graph: arguments become typed values, shapes flow from node to node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from cnncli.algebra import Condition, Dim, Expr, NoFormulaError, Undecidable
from cnncli.diagnostics import Diagnostic, Faults, Location, Related, SpecError
from cnncli.graph.graph import Graph, Node, Output
from cnncli.graph.trace import shape_table
from cnncli.language.description import INPUT, Description, NodeSpec, same_arguments
from cnncli.language.readers import MAX_SIZE
from cnncli.layers import KINDS, Kind, Require, Shape, shape_text

if TYPE_CHECKING:
    from cnncli.graph.unknowns import Unknowns

_MAX_ORIGINS: Final = 8
_MAX_TABLES: Final = 10


def build(
    description: Description, size: Shape, faults: Faults, unknowns: Unknowns | None = None
) -> Graph | None:
    """The graph for one input size, or for all sizes at once where some are symbols.

    ``unknowns`` is what is known of symbols before; needed where the description has variables among them.
    What is wrong is added to ``faults``; None if anything is.
    """
    if unknowns is None and not all(isinstance(dim, int) for dim in size):
        # Imported here: what few commands need.
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
        # The copies of a layer share its place and its uses; they would only say the same again.
        reported: set[tuple[Location, ...]] = set()
        self._require_input()
        for spec in self._description.nodes:
            if reported and (spec.location, *spec.uses) in reported:
                continue
            try:
                self._add(spec)
            except SpecError as error:
                reported.add((spec.location, *spec.uses))
                self._faults.extend(_with_uses(each, spec) for each in error.diagnostics)

    def _require_input(self) -> None:
        """Where the input's size is a formula of variables, it is 1 or more."""
        where = self._description.input_at
        for dim in self._size:
            holds = dim >= 1
            if not isinstance(holds, Condition):
                continue
            assert self._unknown is not None, holds
            message = "the input has to have 1 or more of everything"
            requirement = Require(holds, message, "sizes of 1 or more", str(dim))
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
        nodes = _mark_training_only(self._nodes, outputs)
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
            return  # what it reads is at fault, and reported there
        shapes = tuple(self._shapes[name] for name in names)
        try:
            self._place(spec, layer, tuple(names), shapes)
        except (Undecidable, NoFormulaError) as error:
            from cnncli.graph.unknowns import open_rule  # noqa: PLC0415 - as in build

            raise SpecError(open_rule(spec, f"what '{spec.kind}' gives", error)) from None

    def _place(
        self, spec: NodeSpec, layer: Kind[Any], names: tuple[str, ...], shapes: tuple[Shape, ...]
    ) -> None:
        x = shapes if layer.joins else shapes[0]
        self._require(spec, layer, x)
        output = layer.output(x)
        if any(map(_is_too_large, output)):
            # Sizes that double from layer to layer would soon be too long even to write down.
            too_large = Require(False, "the output is too large", f"at most {MAX_SIZE:.0e} along an axis")
            raise SpecError(self._shape_fault(spec, too_large))
        self._shapes[spec.name] = output
        node = Node(
            spec.name,
            spec.kind,
            layer,
            names,
            shapes,
            output,
            layer.parameters(x),
            layer.buffers(x),
            spec.location,
        )
        self._refuse_tensor_name(node)
        self._own[spec.name] = node
        self._nodes.append(node)

    def _layer(self, spec: NodeSpec) -> Kind[Any]:
        """The typed arguments of a node; copies share them."""
        key = (spec.kind, spec.location, *same_arguments(spec.arguments))
        if key not in self._layers:
            self._layers[key] = KINDS[spec.kind].read(spec.arguments, spec.location)
        return self._layers[key]

    def _refuse_tensor_name(self, node: Node) -> None:
        """A node below another, as ``conv1.norm`` is, must not have the name of one of its tensors."""
        above, _, last = node.name.rpartition(".")
        owner = self._own.get(above)
        if owner is not None and (last in owner.parameters or last in owner.buffers):
            message = f"'{node.name}' is the name of a tensor of '{above}'"
            raise SpecError(Diagnostic("name", message, node.location, "another name"))

    def _require(self, spec: NodeSpec, layer: Kind[Any], x: Any) -> None:
        for requirement in chain(_formulas(layer), layer.check(x)):
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
        # A table costs a look at every node, and nobody reads fifty.
        table = shape_table(self._size, self._nodes, spec, shapes) if self._tables <= _MAX_TABLES else ""
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
        """Where each branch comes from."""
        return tuple(
            Related(f"{name} gives {shape_text(self._shapes[name])}", self._own[name].location)
            for name in names[:_MAX_ORIGINS]
            if name in self._own
        )


def _is_too_large(dim: Dim) -> bool:
    """Whether it is larger than any size may be, or is written with numbers that are."""
    most = dim if isinstance(dim, int) else max(map(abs, dim.terms.values()))
    return most > MAX_SIZE


def _formulas(layer: Kind[Any]) -> Iterator[Require]:
    """Requirements: arguments that are formulas are as large as they must be in numbers."""
    for name, value in vars(layer).items():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Expr):
                message = f"'{name}' has to be 1 or more"
                yield Require(each >= 1, message, "1 or more", str(each), argument=name)


def _with_uses(fault: Diagnostic, spec: NodeSpec) -> Diagnostic:
    """The fault, and the block uses that led to its node."""
    uses = tuple(Related("in the block used here", where) for where in reversed(spec.uses))
    return fault._replace(related=(*fault.related, *uses))


def _mark_training_only(nodes: Sequence[Node], outputs: Mapping[str, Output]) -> tuple[Node, ...]:
    """Mark the nodes that only heads for training need: those that no other output depends on.

    A node that no output depends on at all is left as it is: it runs whenever the network does.
    """
    if not any(output.training_only for output in outputs.values()):
        return tuple(nodes)
    deployed = _ancestors(nodes, {output.node for output in outputs.values() if not output.training_only})
    training = _ancestors(nodes, {output.node for output in outputs.values() if output.training_only})
    only = training - deployed
    return tuple(node._replace(training_only=True) if node.name in only else node for node in nodes)


def _ancestors(nodes: Sequence[Node], wanted: set[str]) -> set[str]:
    needed = set(wanted)
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return needed
