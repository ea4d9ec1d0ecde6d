"""The classes of an exported module: groups that differ in numbers only are one class.

The numbers in which they differ are the parameters of its constructor. Numbers that are equal in every group
are one parameter, and a multiple of another one is written as such: a bottleneck unit has parameters
``in_channels`` and ``channels``, and its last convolution ``channels * 4``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.exporting.python.expressions import (
    REQUIRED,
    Arg,
    Call,
    Chain,
    Formula,
    Module,
    arguments_of,
    with_values,
    without_values,
)
from cnncli.exporting.python.kinds import CALLS, JOINS
from cnncli.exporting.python.names import class_name, identifier
from cnncli.graph import Graph, Node
from cnncli.graph.grouping import Group, Order, Part, Step, is_chain, steps
from cnncli.layers import Shape


class Line(NamedTuple):
    """A step in numbers: what is called or joined, the values that it reads and those that it makes.

    Values are numbered: inputs of the group first, then those of its steps.
    """

    path: tuple[str, ...]
    join: tuple[str, str]
    inputs: tuple[int, ...]
    targets: tuple[int, ...]


class Body(NamedTuple):
    """A group as a class would compute it."""

    group: Group
    modules: tuple[tuple[str, Module], ...]
    lines: tuple[Line, ...]
    inputs: tuple[str, ...]
    outputs: tuple[int, ...]
    values: tuple[str, ...]

    def skeleton(self) -> Any:
        """Return what bodies of one class have in common."""
        modules = tuple((name, without_values(module)) for name, module in self.modules)
        return modules, self.lines, len(self.inputs), self.outputs


class Parameter(NamedTuple):
    """A parameter of a constructor, with its default and its value for each group."""

    name: str
    default: Any
    values: tuple[Any, ...]


class Class(NamedTuple):
    """A class: the groups that are made of it, its parameters, and its modules in terms of those."""

    name: str
    bodies: tuple[Body, ...]
    parameters: tuple[Parameter, ...]
    modules: tuple[tuple[str, Module], ...]

    @property
    def body(self) -> Body:
        """The first of its groups, from which names are taken."""
        return self.bodies[0]

    def shapes(self, order: Order, value: int) -> Shape | None:
        """Return the shape of a value if it is the same in all groups."""
        found = {order.shapes[body.values[value]] for body in self.bodies}
        return found.pop() if len(found) == 1 else None


class Builder:
    """Makes the classes of a graph, from the innermost groups outwards."""

    def __init__(self, graph: Graph, order: Order) -> None:
        self.graph, self.order = graph, order
        self.classes: list[Class] = []
        self._modules: dict[str, Module] = {}
        self._names: set[str] = set()

    def build(self, root: Group) -> None:
        """Make the classes of all groups; that of the root, which has no parameters, is the last."""
        levels: dict[int, list[Group]] = defaultdict(list)
        _height(root, levels)
        self._names.add(class_name(self.graph.name))
        for level in sorted(levels):
            self._level([group for group in levels[level] if group is not root])
        body = self._body(root)
        self.classes.append(Class(class_name(self.graph.name), (body,), (), body.modules))

    def _level(self, groups: Sequence[Group]) -> None:
        alike: dict[Any, list[Body]] = defaultdict(list)
        for group in groups:
            if is_chain(group, self.order):
                chain = Chain(tuple((name, self._module(part)) for name, part in group.parts.items()))
                if chain.numbered or not all(name.isidentifier() for name in group.parts):
                    self._modules[group.path] = chain
                    continue
            body = self._body(group)
            alike[body.skeleton()].append(body)
        for bodies in alike.values():
            made = self._class(bodies)
            self.classes.append(made)
            for place, body in enumerate(bodies):
                self._modules[body.group.path] = Call(made.name, _arguments(made.parameters, place))

    def _module(self, part: Part) -> Module:
        return self._modules[part.path] if isinstance(part, Group) else call_of(part)

    def _body(self, group: Group) -> Body:
        modules = tuple(
            (name, self._module(part))
            for name, part in group.parts.items()
            if isinstance(part, Group) or not part.layer.joins
        )
        if not group.callable and group.path:
            return Body(group, modules, (), (), (), ())
        return _with_lines(group, modules, steps(group, self.order), self.order)

    def _class(self, bodies: Sequence[Body]) -> Class:
        """Return the class of groups that differ in numbers only."""
        slots = [(name, arg) for name, module in bodies[0].modules for arg in arguments_of(module)]
        columns = zip(*(_values(body.modules) for body in bodies), strict=True)
        parameters, written = _parameters(slots, [tuple(column) for column in columns])
        values = iter(written)
        modules = tuple((name, with_values(module, values)) for name, module in bodies[0].modules)
        return Class(self._new_name(bodies[0].group), tuple(bodies), parameters, modules)

    def _new_name(self, group: Group) -> str:
        """Return the name of a class: that of its block, or of the group."""
        word = self.graph.groups.get(group.path, "").partition(" ")[0]
        path = [part for part in group.path.split(".") if not part.isdigit()]
        plain = class_name(word if word and word != "head" else (path or [group.path])[-1])
        name, number = plain, 2
        while name in self._names:
            name, number = f"{plain}{number}", number + 1
        self._names.add(name)
        return name


def call_of(node: Node) -> Call:
    """Return the constructor of a node's module.

    Raises:
        CnncliError: its kind, from a plug-in, cannot be exported.
    """
    emit = CALLS.get(type(node.layer))
    if emit is None:
        message = f"{node.name}: kind '{node.kind}' has no form in Python"
        hint = "kinds of plug-ins cannot be exported"
        raise CnncliError(Diagnostic("export", message, node.location, "a kind of cnncli", node.kind, hint))
    return emit(node.layer, node.input_shape)


def _height(group: Group, levels: dict[int, list[Group]]) -> int:
    """Sort a group and those below it by the number of groups below them; return that of the group."""
    below = [_height(part, levels) for part in group.parts.values() if isinstance(part, Group)]
    level = 1 + max(below, default=-1)
    levels[level].append(group)
    return level


def _with_lines(
    group: Group, modules: tuple[tuple[str, Module], ...], found: Sequence[Step], order: Order
) -> Body:
    own = {target for step in found for target in step.targets}
    read = dict.fromkeys(name for step in found for name in step.inputs if name not in own)
    values = [*read, *(target for step in found for target in step.targets)]
    numbers = {name: number for number, name in enumerate(values)}
    lines = tuple(
        Line(
            step.path,
            _join(step.part),
            tuple(numbers[name] for name in step.inputs),
            tuple(numbers[name] for name in step.targets),
        )
        for step in found
    )
    outputs = tuple(numbers[name] for name in order.read_outside(group.nodes)) if group.path else ()
    return Body(group, modules, lines, tuple(read), outputs, tuple(values))


def _join(part: Part) -> tuple[str, str]:
    if isinstance(part, Group) or not part.layer.joins:
        return "", ""
    return JOINS[type(part.layer)](part.layer)


def _values(modules: Sequence[tuple[str, Module]]) -> list[Any]:
    return [arg.value for _, module in modules for arg in arguments_of(module)]


_CHANNELS: Final[Mapping[str, str]] = {"out_channels": "channels", "out_features": "features"}


def _parameters(
    slots: Sequence[tuple[str, Arg]], columns: Sequence[tuple[Any, ...]]
) -> tuple[tuple[Parameter, ...], list[Any]]:
    """Return the parameters of a class, and each argument of its modules in terms of them.

    ``columns`` has for each argument its value in every group.
    """
    found: dict[tuple[Any, ...], Parameter] = {}
    taken: set[str] = set()
    written: list[Any] = []
    for (module, arg), column in zip(slots, columns, strict=True):
        if len(set(column)) == 1:
            written.append(column[0])
            continue
        formula = _formula(arg, column, found)
        if formula is None:
            plain = _CHANNELS.get(arg.name, arg.name)
            name = plain if plain not in taken else f"{identifier(module)}_{arg.name}"
            while name in taken:
                name += "_"
            taken.add(name)
            default = arg.default if arg.default in column else REQUIRED
            found[column] = Parameter(name, default, column)
            formula = Formula(name)
        written.append(formula)
    # Those without a default come first.
    ordered = sorted(found.values(), key=lambda each: each.default is not REQUIRED)
    return tuple(ordered), written


def _formula(arg: Arg, column: tuple[Any, ...], found: Mapping[tuple[Any, ...], Parameter]) -> Formula | None:
    """Return how values follow from a parameter: they are the same, a multiple, or half of a kernel."""
    for values, parameter in found.items():
        if _same(values, column):
            return Formula(parameter.name)
    if not all(type(value) is int for value in column):
        return None
    for values, parameter in found.items():
        if not all(type(value) is int and value for value in values):
            continue
        ratios = {value / base for value, base in zip(column, values, strict=True)}
        ratio = ratios.pop()
        if not ratios and ratio in range(2, 65) and {_unit(parameter.name), _unit(arg.name)} == {"channels"}:
            return Formula(f"{parameter.name} * {int(ratio)}")
        halves = tuple(value // 2 for value in values)
        if arg.name == "padding" and parameter.name == "kernel_size" and column == halves:
            return Formula("kernel_size // 2")
    return None


def _unit(name: str) -> str:
    """Return "channels" for the name of a number of channels or features."""
    return "channels" if name.endswith(("channels", "features")) else name


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Return whether values are equal and of equal types: True is not 1."""
    return one == other and [type(value) for value in one] == [type(value) for value in other]


def _arguments(parameters: Sequence[Parameter], place: int) -> tuple[Arg, ...]:
    return tuple(
        Arg(each.name, each.values[place], each.default, each.default is REQUIRED) for each in parameters
    )
