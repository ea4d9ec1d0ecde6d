"""The nodes of a graph in the nodes of a model, with blocks as functions of the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from onnx import FunctionProto, NodeProto, OperatorSetIdProto, helper

from cnncli.exporting.onnx.emission import Emission
from cnncli.exporting.onnx.registry import emit
from cnncli.graph import Node
from cnncli.graph.schedule import Schedule
from cnncli.language.description import INPUT

OPSET: Final = 20
"""The version of ONNX's operators: the first one with ``Gelu``; runtimes of 2024 and later have it."""

DOMAIN: Final = "cnncli"
"""The domain of the functions."""


class Block(NamedTuple):
    """Nodes that follow one another under a common prefix, and what the block is called."""

    prefix: str
    word: str
    start: int
    stop: int


@dataclass(eq=False, slots=True)
class Writing:
    """What is written of a schedule: functions by their names, each with its content and its calls.

    ``groups`` are those of the graph.
    """

    order: Schedule
    groups: Mapping[str, str]
    functions: dict[str, FunctionProto] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    _last: dict[str, int] = field(default_factory=dict)
    _names: dict[bytes, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place, node in enumerate(self.order.nodes):
            self._last |= dict.fromkeys(node.inputs, place)
        self._last |= dict.fromkeys(self.order.outputs.values(), len(self.order.nodes))

    def nodes(self) -> list[NodeProto]:
        """Return the nodes of the whole graph."""
        return [*self._written(0, len(self.order.nodes), "")]

    def _written(self, start: int, stop: int, prefix: str) -> Iterator[NodeProto]:
        """Yield the nodes of a stretch; names are without the prefix of the function that they are in."""
        blocks = {block.start: block for block in self._blocks(start, stop, prefix)}
        place = start
        while place < stop:
            block = blocks.get(place)
            if block is not None:
                yield self._call(block, prefix)
                place = block.stop
                continue
            yield from self._layer(self.order.nodes[place], prefix)
            place += 1

    def _layer(self, node: Node, prefix: str) -> list[NodeProto]:
        found: list[NodeProto] = []
        name = node.name.removeprefix(prefix)
        tensors = {own: f"{name}.{own}" for own in (*node.parameters, *node.buffers)}
        inputs = tuple(self._within(each, prefix) for each in node.inputs)
        emission = Emission(found, name, inputs, node.input_shapes, node.output_shape, tensors)
        emit(node, emission)
        return found

    def _within(self, name: str, prefix: str) -> str:
        """Return the name of a value in a function: its own, or that of the function's input."""
        return name.removeprefix(prefix) if name.startswith(prefix) else f"{INPUT}:{name}"

    def _blocks(self, start: int, stop: int, prefix: str) -> Iterator[Block]:
        """Yield the outermost blocks in a stretch: those with several nodes, all one after another."""
        place = start
        while place < stop:
            block = self._block_at(place, stop, prefix)
            if block is not None:
                yield block
            place = block.stop if block is not None else place + 1

    def _block_at(self, place: int, stop: int, prefix: str) -> Block | None:
        parts = self.order.nodes[place].name.split(".")
        for length in range(1, len(parts)):
            path = ".".join(parts[:length])
            word = self.groups.get(path, "")
            within = f"{path}."
            if len(within) <= len(prefix) or not word or " " in word:  # "conv x3" are copies, not a block
                continue
            end = place
            while end < stop and self.order.nodes[end].name.startswith(within):
                end += 1
            alone = not any(
                node.name.startswith(within) for node in (*self.order.nodes[:place], *self.order.nodes[end:])
            )
            if alone and end - place > 1:
                return Block(within, word, place, end)
        return None

    def _call(self, block: Block, prefix: str) -> NodeProto:
        """Return a node that calls the function of a block."""
        inside = self.order.nodes[block.start : block.stop]
        own = {node.name for node in inside}
        read = [*dict.fromkeys(name for node in inside for name in node.inputs if name not in own)]
        tensors = [f"{node.name}.{each}" for node in inside for each in (*node.parameters, *node.buffers)]
        results = [node.name for node in inside if self._last.get(node.name, -1) >= block.stop]
        content = self._function(block, read, tensors, results)
        key = content.SerializeToString(deterministic=True)
        name = self._names.get(key) or self._new_name(block.word)
        if key not in self._names:
            self._names[key] = content.name = name
            self.functions[name] = content
        self.calls[name] += 1
        given = [self._within(each, prefix) for each in read]
        weights = [each.removeprefix(prefix) for each in tensors]
        outputs = [each.removeprefix(prefix) for each in results]
        label = block.prefix.removeprefix(prefix).removesuffix(".")
        return helper.make_node(name, [*given, *weights], outputs, name=label, domain=DOMAIN)

    def _function(
        self, block: Block, read: Sequence[str], tensors: Sequence[str], results: Sequence[str]
    ) -> FunctionProto:
        """Return the function of a block, without its name; its inputs are values, then weights."""
        nodes = [*self._written(block.start, block.stop, block.prefix)]
        values = {f"{INPUT}:{name}": f"{INPUT}:{number}" for number, name in enumerate(read)}
        for node in nodes:
            for number, name in enumerate(node.input):
                node.input[number] = values.get(name, name)
        return helper.make_function(
            DOMAIN,
            "",
            [*values.values(), *(name.removeprefix(block.prefix) for name in tensors)],
            [name.removeprefix(block.prefix) for name in results],
            nodes,
            opsets(),
        )

    def _new_name(self, word: str) -> str:
        """Return the name of a block, with a number if others of this name compute something else."""
        number = 1
        name = word
        while name in self.functions:
            number += 1
            name = f"{word}_{number}"
        return name


def opsets() -> list[OperatorSetIdProto]:
    """Return the versions of operators: ONNX's and that of the functions."""
    return [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
