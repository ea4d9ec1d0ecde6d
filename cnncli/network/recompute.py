"""Running a network so that the backward pass computes parts of it again, which are then not saved.

The values are those of the same operations on the same numbers, with the same random numbers, so gradients
are bit for bit the same. Running statistics change in the forward pass only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from cnncli.network.parts import Call, Output, Part, Parts
from cnncli.network.parts import run as run_parts


def run(network: nn.Module, plan: Parts, x: Tensor) -> Output:
    """Return the outputs of a network whose segments the backward pass computes again."""
    return run_parts(plan, partial(_made, network), x)


def _made(network: nn.Module, part: Part, given: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return the values of a part that are read afterwards."""
    compute = _computing(network, part)
    if not part.is_segment:
        return compute(*given)
    norms = [each for each in _modules(network, part) if isinstance(each, _BatchNorm)]

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _with_copies(norms)

    made: Sequence[Tensor] = checkpoint(compute, *given, use_reentrant=False, context_fn=contexts)
    return made


def _computing(network: nn.Module, part: Part) -> Callable[..., tuple[Tensor, ...]]:
    """Return a function of the values that a part reads, which computes it and lets go of values early."""
    own = {call.name for call in part.calls}

    def compute(*given: Tensor) -> tuple[Tensor, ...]:
        values = dict(zip(part.inputs, given, strict=True))
        for call in part.calls:
            values[call.name] = _called(network, call, values)
            for name in call.released:
                if name in own:
                    del values[name]
        return tuple(values[name] for name in part.outputs)

    return compute


def _called(network: nn.Module, call: Call, values: Mapping[str, Tensor]) -> Tensor:
    module = network.get_submodule(call.name)
    if call.is_join:
        joined: Tensor = module([values[name] for name in call.inputs])
        return joined
    single: Tensor = module(values[call.inputs[0]])
    return single


def _modules(network: nn.Module, part: Part) -> Iterator[nn.Module]:
    for call in part.calls:
        yield from network.get_submodule(call.name).modules()


@contextmanager
def _with_copies(norms: Iterable[nn.Module]) -> Iterator[None]:
    """Let normalizations change copies of their running statistics, which are then dropped."""
    kept = [(norm, norm._buffers) for norm in norms]
    for norm, buffers in kept:
        norm._buffers = {name: None if each is None else each.clone() for name, each in buffers.items()}
    try:
        yield
    finally:
        for norm, buffers in kept:
            norm._buffers = buffers
