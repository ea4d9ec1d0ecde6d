"""Compiling a network: equal blocks once, whatever their number.

A network is then several compiled functions, called one after another; torch compiles each for the first of
the equal blocks, and the others call it with their own weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx, nn

from cnncli.network.network import Blocks, Network
from cnncli.network.parts import Output, Part, run

_Function: TypeAlias = Callable[..., Sequence[Tensor]]
"""Of the modules of a block and of what it reads."""


class _Modules(nn.Module):
    """The modules of a block, under the names that its function calls: the same for equal blocks."""


def compile_network(network: nn.Module, backend: str = "inductor") -> Callable[[Tensor], Output]:
    """Return the compiled forward pass of a network: in blocks if it was built so and has equal ones."""
    blocks = network._plans.blocks if isinstance(network, Network) else None
    if blocks is None or all(len({*each.equal}) == len(each.equal) for each in blocks):
        whole: Callable[[Tensor], Output] = torch.compile(network, backend=backend)
        return whole
    training, inference = (_in_blocks(network, each, backend) for each in blocks)

    def forward(x: Tensor) -> Output:
        return training(x) if network.training else inference(x)

    return forward


def _in_blocks(network: nn.Module, blocks: Blocks, backend: str) -> Callable[[Tensor], Output]:
    """Return a function that calls one block after another."""
    compiled = _compiled(blocks, _learns(network, blocks), backend)
    calls = {
        part: (function, _modules(network, part))
        for part, function in zip(blocks.parts.parts, compiled, strict=True)
    }

    def compute(part: Part, given: Sequence[Tensor]) -> Sequence[Tensor]:
        function, modules = calls[part]
        return function(modules, *given)

    return lambda x: run(blocks.parts, compute, x)


def _learns(network: nn.Module, blocks: Blocks) -> tuple[tuple[bool, ...], ...]:
    """Return for each block which of its weights are learned, and whether there are some before it.

    torch compiles a function again where these differ, but only a few times, so they make blocks unequal.
    """
    found: list[tuple[bool, ...]] = []
    for part in blocks.parts.parts:
        modules = [network.get_submodule(call.name) for call in part.calls]
        own = [each.requires_grad for module in modules for each in module.parameters()]
        found.append((any(any(each) for each in found), *own))
    return tuple(found)


@lru_cache(maxsize=64)
def _compiled(blocks: Blocks, learns: tuple[tuple[bool, ...], ...], backend: str) -> tuple[_Function, ...]:
    """Return the function of each block, which networks with the same blocks share."""
    functions: dict[Any, _Function] = {}
    for part, number, learned in zip(blocks.parts.parts, blocks.equal, learns, strict=True):
        if (number, learned) not in functions:
            functions[number, learned] = torch.compile(_function(part), backend=backend)
    return tuple(functions[number, learned] for number, learned in zip(blocks.equal, learns, strict=True))


def _function(part: Part) -> _Function:
    """Return the function of a block, with code of its own: torch compiles the same code a few times only."""
    graph = fx.Graph()
    values = {name: graph.placeholder(f"x{number}") for number, name in enumerate(part.inputs)}
    for number, call in enumerate(part.calls):
        read = [values[name] for name in call.inputs]
        values[call.name] = graph.call_module(_name(number), (read,) if call.is_join else (read[0],))
    graph.output(tuple(values[name] for name in part.outputs))
    stand_ins = {_name(number): nn.Module() for number in range(len(part.calls))}
    function: _Function = type(fx.GraphModule(stand_ins, graph)).forward
    return function


def _modules(network: nn.Module, part: Part) -> nn.Module:
    found = _Modules()
    for number, call in enumerate(part.calls):
        found.add_module(_name(number), network.get_submodule(call.name))
    return found


def _name(number: int) -> str:
    return f"m{number}"
