"""Graph -> the torch module that computes it, under the names of the spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from cnncli.graph import Graph, Node
from cnncli.graph.schedule import Schedule, schedule
from cnncli.language.description import INPUT, OUTPUT
from cnncli.layers import Kind
from cnncli.network.registry import build


class Step(NamedTuple):
    """One node: its module makes ``output`` of ``inputs``; the values ``done`` are not needed after it.

    The module is looked up by its path whenever it runs, so that what replaces modules, as
    ``convert_sync_batchnorm`` and quantization do, is heeded.
    """

    path: tuple[str, ...]
    inputs: tuple[int, ...]
    output: int
    done: tuple[int, ...]


class Plan(NamedTuple):
    """All steps in order, and the place of every output among the values."""

    steps: tuple[Step, ...]
    outputs: tuple[tuple[str, int], ...]


class Group(nn.Module):
    """Holds the modules of nodes whose names share a prefix; it computes nothing itself."""


class Network(nn.Module):
    """A network with one module for each node of its graph, under the node's name, in order of computation.

    Nodes that only training heads need are skipped outside of training.
    """

    _plan: Plan
    _training_plan: Plan
    _single: bool
    _criteria: Mapping[str, str]

    def __init__(self, graph: Graph, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, module in modules.items():
            _attach(self, name, module)
        every = schedule(graph, training=True)
        nodes = {node.name: node for node in graph.nodes}
        self._plan = _plan(schedule(graph, training=False))
        self._training_plan = _plan(every) if graph.has_training_only else self._plan
        self._single = list(graph.outputs) == [OUTPUT]
        self._criteria = {name: _criterion(nodes.get(node), nodes) for name, node in every.outputs.items()}

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        """Return the output for a batch (n, *input); by name of the head where the spec has heads.

        Every tensor is released after its last use.
        """
        plan = self._training_plan if self.training else self._plan
        values: list[Any] = [None] * (len(plan.steps) + 1)
        values[0] = x
        for path, inputs, output, done in plan.steps:
            module: nn.Module = self
            for key in path:
                module = getattr(module, key)
            values[output] = module(*[values[place] for place in inputs])
            for place in done:
                values[place] = None
        outputs: dict[str, Tensor] = {name: values[place] for name, place in plan.outputs}
        return outputs[OUTPUT] if self._single else outputs

    def __prepare_scriptable__(self) -> nn.Module:
        """Return what ``torch.jit.script`` can compile: the present mode, written out by torch.fx.

        Raises:
            torch.fx.proxy.TraceError: a layer decides by the size of its input.
        """
        traced = fx.symbolic_trace(self)
        for node in traced.graph.nodes:
            node.type = None  # annotations that are texts mean nothing to the compiler
        traced.recompile()
        return traced


def build_network(graph: Graph, device: torch.device | str | None = None) -> Network:
    """Return the network of a graph, newly initialized from torch's generator.

    Numbers are drawn on the CPU and then moved, so that a seed means the same on every device; on
    ``meta`` there are none.

    Raises:
        CnncliError: at the node: torch has no operation for it.
    """
    device = torch.device("cpu" if device is None else device)
    with torch.device("meta" if device.type == "meta" else "cpu"):
        modules = {node.name: build(node) for node in graph.nodes}
    return Network(graph, modules).to(device)


def criteria_of(module: nn.Module) -> Mapping[str, str]:
    """Return by what each output is trained, also of a network inside a wrapper, such as a compiled one.

    Empty for a module that was not made from a spec.
    """
    networks = (each for each in module.modules() if isinstance(each, Network))
    return next((each._criteria for each in networks), {})


def _criterion(node: Node | None, nodes: Mapping[str, Node]) -> str:
    """By what an output is trained: what its last layer that computes anything says.

    So what is only moved, as by ``reshape``, or changed in training, as by ``dropout``, stays what it is.
    """
    while node is not None and not node.layer.joins and node.layer.operations(node.x, node.output) == 0:
        node = nodes.get(node.inputs[0])
    return Kind.criterion if node is None else node.layer.criterion


def _attach(root: nn.Module, name: str, module: nn.Module) -> None:
    """Put a node's module where its name says."""
    *path, last = name.split(".")
    owner = root
    for part in path:
        if part not in dict(owner.named_children()):
            owner.add_module(part, Group())
        owner = owner.get_submodule(part)
    owner.add_module(last, module)


def _plan(turns: Schedule) -> Plan:
    place = {INPUT: 0} | {node.name: number for number, node in enumerate(turns.nodes, start=1)}
    released = turns.released()
    steps = tuple(
        Step(
            tuple(node.name.split(".")),
            tuple(place[name] for name in node.inputs),
            place[node.name],
            tuple(place[name] for name in released.get(node.name, ())),
        )
        for node in turns.nodes
    )
    return Plan(steps, tuple((name, place[node]) for name, node in turns.outputs.items()))
