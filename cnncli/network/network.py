"""Graph -> the torch module that computes it, under the names of the spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from cnncli.graph import Graph, Node
from cnncli.graph.schedule import Schedule, schedule
from cnncli.language.description import INPUT, OUTPUT
from cnncli.layers import Kind
from cnncli.network.registry import build


class Plan(NamedTuple):
    """The modules in the order of their calls, each with the values it reads, and the outputs by name.

    ``joins`` are those that take a list of values.
    """

    calls: tuple[tuple[str, tuple[str, ...]], ...]
    joins: frozenset[str]
    outputs: tuple[tuple[str, str], ...]


class Plans(NamedTuple):
    """What runs outside of training, in training if that differs, and by what each output is trained."""

    inference: Plan
    training: Plan | None
    criteria: tuple[tuple[str, str], ...]


class Group(nn.Module):
    """Holds the modules of nodes whose names share a prefix; it computes nothing itself."""


class Network(nn.Module):
    """A network with one module for each node of its graph, under the node's name, in order of computation.

    A network's class is made from its plans: its ``forward`` calls one module after another, in plain code
    written by torch.fx, which other tools of torch can read. Nodes that only training heads need are skipped
    outside of training.
    """

    _plans: Plans
    _criteria: Mapping[str, str]

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        """Return the output for a batch (n, *input); by name of the head if the spec has heads.

        Every tensor is released after its last use.
        """
        raise NotImplementedError

    def __reduce__(self) -> tuple[Any, ...]:
        # A class that is made at run time cannot be found by its name: it is made again.
        return _empty, (self._plans,), self.__dict__


class _TwoPlans(Network):
    """A network that runs more in training than outside of it."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        if self.training:
            return self._train(x)
        return self._infer(x)

    def _train(self, x: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError

    def _infer(self, x: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError


@lru_cache(maxsize=64)
def _class_of(plans: Plans) -> type[Network]:
    """Return the class of the networks with these plans."""
    body: dict[str, Any] = {"__doc__": Network.__doc__, "_plans": plans, "_criteria": dict(plans.criteria)}
    if plans.training is None:
        return type(Network.__name__, (Network,), body | {"forward": _calls("forward", plans.inference)})
    body |= {"_infer": _calls("_infer", plans.inference), "_train": _calls("_train", plans.training)}
    return type(Network.__name__, (_TwoPlans,), body)


def _calls(method_name: str, plan: Plan) -> Callable[[Any, Tensor], Any]:
    """Return a method that calls modules by a plan and releases each value after its last use."""
    graph = fx.Graph()
    values = {INPUT: graph.placeholder("x", type_expr=Tensor)}
    for name, inputs in plan.calls:
        read = [values[each] for each in inputs]
        values[name] = graph.call_module(name, (read,) if name in plan.joins else (read[0],))
    outputs = {name: values[node] for name, node in plan.outputs}
    if list(outputs) == [OUTPUT]:
        graph.output(outputs[OUTPUT], type_expr=Tensor)
    else:
        graph.output(outputs, type_expr=dict[str, Tensor])
    stand_ins = {name: nn.Module() for name, _ in plan.calls}
    method: Callable[[Any, Tensor], Any] = type(fx.GraphModule(stand_ins, graph)).forward
    method.__name__ = method_name  # TorchScript goes by it
    return method


def _empty(plans: Plans) -> Network:
    """Return a network without any state, which whoever copies or unpickles one fills."""
    return Network.__new__(_class_of(plans))


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
    network = _class_of(_plans(graph))()
    for name, module in modules.items():
        _attach(network, name, module)
    return network.to(device)


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
    while node is not None and not node.layer.joins and _computes_nothing(node):
        node = nodes.get(node.inputs[0])
    return Kind.criterion if node is None else node.layer.criterion


def _computes_nothing(node: Node) -> bool:
    return node.layer.operations(node.input_shape, node.output_shape) == 0


def _attach(root: nn.Module, name: str, module: nn.Module) -> None:
    """Put a node's module where its name says."""
    *path, last = name.split(".")
    owner = root
    for part in path:
        if part not in dict(owner.named_children()):
            owner.add_module(part, Group())
        owner = owner.get_submodule(part)
    owner.add_module(last, module)


def _plans(graph: Graph) -> Plans:
    nodes = {node.name: node for node in graph.nodes}
    return Plans(
        _plan(schedule(graph, training=False)),
        _plan(schedule(graph, training=True)) if graph.has_training_only else None,
        tuple((name, _criterion(nodes.get(out.node), nodes)) for name, out in graph.outputs.items()),
    )


def _plan(turns: Schedule) -> Plan:
    return Plan(
        tuple((node.name, node.inputs) for node in turns.nodes),
        frozenset(node.name for node in turns.nodes if node.layer.joins),
        tuple(turns.outputs.items()),
    )
