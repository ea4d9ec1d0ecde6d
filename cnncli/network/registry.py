"""The registry of builders: one for each kind, which makes its torch module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from torch import nn

from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.graph import Node
from cnncli.layers import Kind

Sizes: TypeAlias = tuple[int, ...]
"""The shape of one sample, in numbers."""

BUILDERS: Final[dict[type[Kind[Any]], Callable[[Any, Any], nn.Module]]] = {}

B = TypeVar("B", bound=Callable[[Any, Any], nn.Module])
T = TypeVar("T")


class NoOperationError(ValueError):
    """PyTorch has no operation for this layer on this input."""


def builder(*kinds: type[Kind[Any]]) -> Callable[[B], B]:
    """Register a function ``(layer, input_shape) -> module`` for layers of these kinds.

    ``input_shape`` does not include the batch, and the module takes one tensor (batch, *input_shape). For a
    join, ``input_shape`` is the tuple of the branches' shapes, and the module takes a list of tensors.
    """

    def register(make: B) -> B:
        for kind in kinds:
            assert kind not in BUILDERS, kind
            BUILDERS[kind] = make
        return make

    return register


def arguments(layer: Kind[Any], values: Sequence[T]) -> tuple[T] | tuple[list[T]]:
    """Return what a layer's module is called with: a tensor, or for a join the list of its branches."""
    return ([*values],) if layer.joins else (values[0],)


def by_rank(choices: Mapping[int, T], input_shape: Sizes) -> T:
    """Return the choice for the number of spatial axes.

    Raises:
        NoOperationError: torch has none for that number.
    """
    rank = len(input_shape) - 1
    if rank not in choices:
        raise NoOperationError(f"not supported for {rank} spatial axes")
    return choices[rank]


def build(node: Node) -> nn.Module:
    """Return the module of one node.

    Raises:
        CnncliError: torch cannot build it, or its kind, from a plug-in, has no builder.
    """
    make = BUILDERS.get(type(node.layer)) or _own_builder(node)
    try:
        return make(node.layer, node.input_shape)
    except (NoOperationError, RuntimeError, MemoryError, OverflowError) as error:
        # torch raises RuntimeError if a tensor cannot be allocated.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise fault(node, f"torch cannot build this '{node.kind}': {reason}") from error


def fault(node: Node, message: str, hint: str = "") -> CnncliError:
    """Return an error that points at a node of the spec."""
    return CnncliError(Diagnostic("network", f"{node.name}: {message}", node.location, hint=hint))


def _own_builder(node: Node) -> Callable[[Any, Any], nn.Module]:
    """Return the method ``build(self, input_shape)`` of a kind from outside the package."""
    make: Callable[[Any, Any], nn.Module] | None = getattr(type(node.layer), "build", None)
    if make is None:
        message = f"kind '{node.kind}' has no torch implementation"
        hint = "add a method build(self, input_shape) to the kind that returns its torch module"
        raise fault(node, message, hint)
    return make
