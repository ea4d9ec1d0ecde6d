"""What each kind of layer does: one builder for each kind, which makes its module."""

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
    """Register a function ``(kind, x) -> module`` for these kinds.

    x is the input's shape without the batch, and the module takes one tensor (batch, *x); for a
    join x is the tuple of the branches' shapes, and the module takes a list with as many tensors.
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
    """What torch has for as many spatial axes as x has.

    Raises:
        NoOperationError: it has nothing.
    """
    rank = len(input_shape) - 1
    if rank not in choices:
        raise NoOperationError(f"torch has no such operation for {rank} spatial axes")
    return choices[rank]


def build(node: Node) -> nn.Module:
    """The module of one node.

    Raises:
        CnncliError: at the node: torch cannot make it, or a plug-in brought a kind without a builder.
    """
    make = BUILDERS.get(type(node.layer)) or _own_builder(node)
    try:
        return make(node.layer, node.input_shape)
    except (NoOperationError, RuntimeError, MemoryError, OverflowError) as error:
        # RuntimeError is how torch says that a tensor cannot be allocated.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise fault(node, f"torch cannot make this '{node.kind}': {reason}") from error


def fault(node: Node, message: str, hint: str = "") -> CnncliError:
    """An error that points at a node of the spec."""
    return CnncliError(Diagnostic("network", f"{node.name}: {message}", node.location, hint=hint))


def _own_builder(node: Node) -> Callable[[Any, Any], nn.Module]:
    """The method ``build(self, x)`` of a kind from outside the package."""
    make: Callable[[Any, Any], nn.Module] | None = getattr(type(node.layer), "build", None)
    if make is None:
        message = f"there is nothing to compute '{node.kind}' with"
        raise fault(
            node, message, "a kind from a plug-in needs a method build(self, x) that gives its torch module"
        )
    return make
