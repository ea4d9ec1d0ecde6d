"""Graph -> the torch module that computes it, under the names of the spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cnncli.graph import Graph, Node
from cnncli.graph.schedule import Schedule, schedule
from cnncli.language.description import INPUT, OUTPUT
from cnncli.layers import Kind
from cnncli.network.registry import build, fault

_MODE = "training"
"""The one attribute that torch assigns to modules in use: it cannot where a child has this name."""


class Step(NamedTuple):
    """One node's turn: ``children[key]`` makes ``output`` of ``inputs``, all of them places.

    The places ``done`` are not needed after it.

    The module is looked up where its owner keeps it, by a key that may be no attribute's name
    (``forward``, ``0``), so that what replaces modules, as ``convert_sync_batchnorm`` does, is heeded.
    """

    children: dict[str, nn.Module | None]
    key: str
    inputs: tuple[int, ...]
    output: int
    done: tuple[int, ...]


class Plan(NamedTuple):
    """All turns in order, and the place of every output."""

    steps: tuple[Step, ...]
    outputs: tuple[tuple[str, int], ...]


class Network(nn.Module):
    """A network with one module for each node of its graph; its parameters have the names of the spec.

    A node ``layer1.0.conv1`` is the module of that path; ``conv1.activation`` hangs under the module
    ``conv1``, which does not call it. Nodes that only heads for training need are skipped outside of
    training. ``criteria`` says by what each output is trained.
    """

    criteria: Mapping[str, str]
    _plan: Plan
    _training_plan: Plan
    _single: bool

    def __init__(self, graph: Graph, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        owners = _attach(self, graph.nodes, modules)
        every = schedule(graph, training=True)
        plan = _plan(schedule(graph, training=False), owners)
        nodes = {node.name: node for node in graph.nodes}
        own = {
            "_plan": plan,
            "_training_plan": _plan(every, owners) if graph.has_training_only else plan,
            "_single": list(graph.outputs) == [OUTPUT],
            "criteria": {name: _criterion(nodes.get(node), nodes) for name, node in every.outputs.items()},
        }
        # Not by assignment, which torch refuses where a node has such a name; a node's module is found among
        # the children, and these here.
        self.__dict__.update(own)

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        """The output for a batch (n, *input); by name of the head where the spec has heads.

        Every tensor is let go of after its last use.
        """
        plan = self._training_plan if self.training else self._plan
        values: list[Any] = [None] * (len(plan.steps) + 1)
        values[0] = x
        for children, key, inputs, output, done in plan.steps:
            values[output] = children[key](*[values[place] for place in inputs])  # type: ignore[misc]
            for place in done:
                values[place] = None
        outputs: dict[str, Tensor] = {name: values[place] for name, place in plan.outputs}
        return outputs[OUTPUT] if self._single else outputs

    def at(self, name: str) -> nn.Module:
        """The module of a node; ``get_submodule`` would take ``forward`` for a method."""
        module: nn.Module | None = self
        for key in name.split("."):
            assert module is not None, name
            module = module._modules[key]
        assert module is not None, name
        return module


def compile_graph(graph: Graph, device: torch.device | str | None = None) -> Network:
    """The network of a graph, newly initialized from torch's generator.

    Numbers are drawn on the CPU and then moved, so that a seed means the same on every device; on
    ``meta`` there are none.

    Raises:
        CnncliError: at the node: torch has no operation for it, or its name is one that the parts of
            another node have in a checkpoint.
    """
    device = torch.device("cpu" if device is None else device)
    with torch.device("meta" if device.type == "meta" else "cpu"):
        modules = {node.name: build(node) for node in graph.nodes}
    return Network(graph, modules).to(device)


def _criterion(node: Node | None, nodes: Mapping[str, Node]) -> str:
    """By what an output is trained: what its last layer that computes anything says.

    So what is only moved, as by ``reshape``, or changed in training, as by ``dropout``, stays what it is.
    """
    while node is not None and not node.layer.joins and node.layer.operations(node.x, node.output) == 0:
        node = nodes.get(node.inputs[0])
    return Kind.criterion if node is None else node.layer.criterion


def _attach(
    root: nn.Module, nodes: Iterable[Node], modules: Mapping[str, nn.Module]
) -> dict[str, tuple[dict[str, nn.Module | None], str]]:
    """Hang every node's module where its name says; the children it is found among, and its key there.

    Children are set directly: ``add_module`` refuses names such as ``forward``, which are fine in a spec.
    """
    # What a module was built with, before anything else is hung under it.
    parts = {name: frozenset(module._modules) for name, module in modules.items()}
    owners = {}
    for node in nodes:
        above, path, owner = "", node.name.split("."), root
        if _MODE in path:
            message = f"torch keeps its own '{_MODE}' where this name would go"
            raise fault(node, message, "give this node another name")
        for key in path[:-1]:
            above = f"{above}.{key}" if above else key
            owner = _child(owner, key, modules.get(above))
        key = path[-1]
        if key in parts.get(above, ()):
            message = f"'{above}' has a part of this name itself"
            raise fault(node, message, "give this node another name")
        owner._modules.setdefault(key, modules[node.name])
        owners[node.name] = owner._modules, key
    return owners


def _child(owner: nn.Module, key: str, node: nn.Module | None) -> nn.Module:
    """The module under this key: a node's own, or one that only holds others."""
    child = owner._modules.get(key)
    if child is None:
        child = node if node is not None else nn.Module()
        owner._modules[key] = child
    return child


def _plan(
    turns: Schedule,
    owners: Mapping[str, tuple[dict[str, nn.Module | None], str]],
) -> Plan:
    place = {INPUT: 0} | {node.name: number for number, node in enumerate(turns.nodes, start=1)}
    released = turns.released()
    steps = tuple(
        Step(
            *owners[node.name],
            tuple(place[name] for name in node.inputs),
            place[node.name],
            tuple(place[name] for name in released.get(node.name, ())),
        )
        for node in turns.nodes
    )
    return Plan(steps, tuple((name, place[node]) for name, node in turns.outputs.items()))
