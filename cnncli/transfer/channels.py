"""Which channels of a network belong together: a channel that is removed takes others, and weights, with it.

Every channel or feature of a value is one of numbered *units*. A ``conv`` or ``linear`` makes new ones; a
layer that computes each channel from the same channel of its input, or from its neighbors as
``localresponsenorm``, hands them on; ``concat`` puts those of its branches one after another, and ``flatten``
repeats each at every position. ``add`` and ``multiply`` tie those of their branches: their numbers have to be
equal, so they are one unit. Units of the input, of the outputs, and of layers about which nothing else is
known, are not removable.

>>> from cnncli.graph import open_text
>>> graph = open_text('''
... input: [1, 4, 4]
... layers:
...   - {conv: {channels: 3, kernel: 3, padding: 1}, name: a}
...   - {conv: {channels: 3, kernel: 3, padding: 1}, name: b}
...   - {add: [a, b], name: sum}
...   - flatten
...   - {linear: 2, name: out}
... ''').graph
>>> found = channels_of(graph)
>>> [len(layers) for layers in found.removable.values()]
[2, 2, 2]
>>> found.axes["out.weight"][1] == tuple(unit for unit in found.units["sum"] for _ in range(16))
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Final, NamedTuple, TypeAlias

from cnncli.algebra import whole, whole_shape
from cnncli.graph import Graph, Node
from cnncli.language.description import INPUT
from cnncli.layers import Kind
from cnncli.layers.activation import LogSoftmax, PReLU, Softmax
from cnncli.layers.conv import Conv, ConvTranspose
from cnncli.layers.dense import Linear
from cnncli.layers.joins import Add, Concat, MatchSize, Multiply
from cnncli.layers.kind import Elementwise
from cnncli.layers.norm import BatchNorm, InstanceNorm, LocalResponseNorm
from cnncli.layers.pooling import AdaptivePool, GlobalPool, Pool, Subsample
from cnncli.layers.shaping import Crop, Flatten, Pad, Shortcut, Upsample

Units: TypeAlias = tuple[int, ...]
"""The unit of each channel or feature, in their order."""
Axes: TypeAlias = tuple[Units | None, ...]
"""The units along each axis of a tensor; None for an axis that stays as it is."""


class Channels(NamedTuple):
    """The units of a network.

    ``units`` are those of each value, by the name of its node or ``input``; ``axes`` those along the axes of
    each parameter and buffer. ``removable`` maps each unit that can be removed to the layers that compute it,
    and ``makers`` each tensor with weights that compute units to the axis that has them.
    """

    units: Mapping[str, Units]
    axes: Mapping[str, Axes]
    removable: Mapping[int, tuple[str, ...]]
    makers: Mapping[str, int]

    def kept(self, tensor: str, removed: frozenset[int]) -> tuple[list[int] | None, ...]:
        """Return the places along each axis of a tensor that stay; None for all of them."""
        return tuple(
            None if units is None else [place for place, unit in enumerate(units) if unit not in removed]
            for units in self.axes[tensor]
        )

    def left(self, value: str, removed: frozenset[int]) -> int:
        """Return how many channels of a value stay."""
        return sum(unit not in removed for unit in self.units[value])


def channels_of(graph: Graph) -> Channels:
    """Return the units of a network whose sizes are numbers."""
    return _Walk(graph).found()


def resized(layer: Kind[Any], inputs: int, outputs: int) -> Kind[Any]:
    """Return a layer that reads and makes other numbers of channels, as many as are left of its units."""
    if isinstance(layer, Linear):
        return layer.replaced({"features": outputs})
    if isinstance(layer, Conv):
        return layer.replaced({"channels": outputs} | ({"groups": inputs} if _is_split(layer) else {}))
    if isinstance(layer, ConvTranspose | Shortcut):
        return layer.replaced({"channels": outputs})
    return layer


class _Ties:
    """Disjoint sets of units (union-find); each is called by its smallest one."""

    def __init__(self) -> None:
        self._above: list[int] = []
        self._fixed: set[int] = set()

    def new(self, count: int, *, fixed: bool = False) -> Units:
        first = len(self._above)
        units = tuple(range(first, first + count))
        self._above.extend(units)
        self._fixed.update(units if fixed else ())
        return units

    def root(self, unit: int) -> int:
        while self._above[unit] != unit:
            self._above[unit] = self._above[self._above[unit]]
            unit = self._above[unit]
        return unit

    def tie(self, first: Units, second: Units) -> None:
        for one, other in zip(first, second, strict=True):
            low, high = sorted((self.root(one), self.root(other)))
            self._above[high] = low

    def fix(self, units: Units) -> None:
        self._fixed.update(units)

    def fixed(self) -> set[int]:
        return {self.root(unit) for unit in self._fixed}


class _Step(NamedTuple):
    """A layer, and the units of its inputs, while its own are found."""

    node: Node
    inputs: tuple[Units, ...]
    ties: _Ties

    @property
    def shape(self) -> tuple[int, ...]:
        return whole_shape(self.node.output_shape)


class _Made(NamedTuple):
    """The units of a layer's output, and those along the axes of its tensors, by their names in it.

    ``maker`` is the tensor that computes the units, one for each place along its axis ``along``.
    """

    units: Units
    axes: Mapping[str, Axes] = {}
    maker: str = ""
    along: int = 0


_Rule: TypeAlias = Callable[[Any, _Step], _Made | None]
"""From a layer to what it makes of units; None if nothing is known, so that none of them is removable."""


def _conv(layer: Conv, step: _Step) -> _Made | None:
    (before,) = step.inputs
    if layer.table is not None:
        return None
    spatial = (None,) * (len(step.shape) - 1)
    if whole(layer.groups) == 1:
        after = step.ties.new(step.shape[0])
        return _Made(after, {"weight": (after, before, *spatial), "bias": (after,)}, "weight")
    if not _is_split(layer) or len(before) != whole(layer.groups):
        return None
    return _Made(before, {"weight": (before, None, *spatial), "bias": (before,)}, "weight")


def _is_split(layer: Conv) -> bool:
    """Return whether each channel is convolved by itself."""
    return whole(layer.groups) == whole(layer.channels) > 1


def _convtranspose(layer: ConvTranspose, step: _Step) -> _Made | None:
    if whole(layer.groups) != 1:
        return None
    (before,), after = step.inputs, step.ties.new(step.shape[0])
    spatial = (None,) * (len(step.shape) - 1)
    return _Made(after, {"weight": (before, after, *spatial), "bias": (after,)}, "weight", 1)


def _linear(_: Linear, step: _Step) -> _Made:
    (before,), after = step.inputs, step.ties.new(step.shape[0])
    return _Made(after, {"weight": (after, before), "bias": (after,)}, "weight")


def _shortcut(layer: Shortcut, step: _Step) -> _Made | None:
    (before,) = step.inputs
    shape = step.node.input_shapes[0]
    if layer.is_identity(shape):
        return _Made(before)
    if not layer.projects(shape):
        return _Made((*before, *step.ties.new(step.shape[0] - len(before))))  # channels of zeros at the end
    after = step.ties.new(step.shape[0])
    ones = (None,) * (len(step.shape) - 1)
    own = {f"1.{name}": (after,) for name in ("weight", "bias", "running_mean", "running_var")}
    return _Made(after, {"0.weight": (after, before, *ones)} | own, "0.weight")


def _each(_: Kind[Any], step: _Step) -> _Made:
    """Return the units of a layer that computes each channel from the same one, with its own parameters."""
    before = step.inputs[0]
    return _Made(before, dict.fromkeys((*step.node.parameters, *step.node.buffers), (before,)))


def _prelu(layer: PReLU, step: _Step) -> _Made:
    (before,) = step.inputs
    return _Made(before, {"weight": (None if layer.shared else before,)})


def _flatten(_: Flatten, step: _Step) -> _Made:
    """Return one unit for each position of each channel, channel by channel."""
    (before,), positions = step.inputs, prod(whole_shape(step.node.input_shapes[0])[1:])
    return _Made(tuple(unit for unit in before for _ in range(positions)))


def _concat(_: Concat, step: _Step) -> _Made:
    return _Made(tuple(unit for units in step.inputs for unit in units))


def _mixed(_: Kind[Any], __: _Step) -> None:
    """Return None: every channel depends on all others, without a weight for each."""


def _tied(_: Kind[Any], step: _Step) -> _Made:
    first, *others = step.inputs
    for each in others:
        step.ties.tie(first, each)
    return _Made(first)


_RULES: Final[Mapping[type, _Rule]] = {
    Conv: _conv,
    ConvTranspose: _convtranspose,
    Linear: _linear,
    Shortcut: _shortcut,
    Elementwise: _each,
    Softmax: _mixed,
    LogSoftmax: _mixed,
    PReLU: _prelu,
    BatchNorm: _each,
    InstanceNorm: _each,
    LocalResponseNorm: _each,
    Pool: _each,
    Subsample: _each,
    GlobalPool: _each,
    AdaptivePool: _each,
    Upsample: _each,
    Crop: _each,
    Pad: _each,
    MatchSize: _each,
    Flatten: _flatten,
    Concat: _concat,
    Add: _tied,
    Multiply: _tied,
}


class _Walk:
    """The units of all values, found in the order of the nodes."""

    def __init__(self, graph: Graph) -> None:
        self._ties = _Ties()
        self._units = {INPUT: self._ties.new(whole_shape(graph.input)[0], fixed=True)}
        self._axes: dict[str, Axes] = {}
        self._makers: dict[str, int] = {}
        self._making: list[tuple[str, Units]] = []
        for node in graph.nodes:
            self._visit(node)
        for output in graph.outputs.values():
            self._ties.fix(self._units[output.node])

    def _visit(self, node: Node) -> None:
        step = _Step(node, tuple(self._units[name] for name in node.inputs), self._ties)
        made = self._made(step)
        if made is None:
            for units in step.inputs[: node.layer.sources]:
                self._ties.fix(units)
            made = _Made(self._ties.new(step.shape[0], fixed=True))
        self._units[node.name] = made.units
        for name, shape in {**node.parameters, **node.buffers}.items():
            self._axes[f"{node.name}.{name}"] = made.axes.get(name, (None,) * len(shape))
        if made.maker:
            self._makers[f"{node.name}.{made.maker}"] = made.along
            self._making.append((node.name, made.units))

    @staticmethod
    def _made(step: _Step) -> _Made | None:
        layer = step.node.layer
        rule = next((_RULES[base] for base in type(layer).__mro__ if base in _RULES), None)
        return None if rule is None else rule(layer, step)

    def found(self) -> Channels:
        root = self._ties.root
        fixed = self._ties.fixed()
        layers: dict[int, dict[str, None]] = {}
        for name, units in self._making:
            for unit in map(root, units):
                if unit not in fixed:
                    layers.setdefault(unit, {})[name] = None
        return Channels(
            {name: self._named(units) for name, units in self._units.items()},
            {name: tuple(self._axis(units) for units in axes) for name, axes in self._axes.items()},
            {unit: tuple(names) for unit, names in layers.items()},
            self._makers,
        )

    def _named(self, units: Units) -> Units:
        return tuple(map(self._ties.root, units))

    def _axis(self, units: Units | None) -> Units | None:
        return None if units is None else self._named(units)
