"""What a memory rule is, the registry of them, and the defaults by family.

A rule states which tensors torch saves and allocates for a layer. Rules are registered for kinds, as builders
are, but apart from the kinds themselves: only commands that ask for memory import them. A kind without a rule
of its own has that of its nearest base class with a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar

from cnncli.layers.kind import FromInput, FromOutput, Kind, Shape
from cnncli.layers.memory.spaces import INPUT, NOTHING, OUTPUT, Saved, Space, room
from cnncli.layers.shaping import Rearranging, View

Needs: TypeAlias = tuple[bool, ...]
"""For each input, whether training needs its gradient; it does not need that of the network's own input."""

K = TypeVar("K", bound=Kind[Any])
X = TypeVar("X")


class MemoryRule(Generic[K, X]):
    """The memory of a layer of kind K, for an input shape X (for joins the shapes of all branches)."""

    tolerance: ClassVar[float] = 0.0
    """How much torch may differ from the rule, as a share of torch's bytes; 0: not by a single byte."""

    def __init__(self, layer: K) -> None:
        self.layer = layer

    def saved(self, input_shape: X, output_shape: Shape, needs: Needs) -> Saved:
        """Return what autograd saves for the backward pass of the layer.

        Asked only if an input needs a gradient or the layer has parameters.
        """
        raise NotImplementedError

    def shares(self, input_shape: X, *, training: bool) -> bool:
        """Return whether the output is a view of the (first) input."""
        return False

    def working(self, input_shape: X, output_shape: Shape) -> tuple[Space, ...]:
        """Return what the layer allocates in inference, output included, at each moment that may be the peak.

        Nothing is saved for a backward pass then.
        """
        return () if self.shares(input_shape, training=False) else (room(output_shape),)


AnyRule: TypeAlias = MemoryRule[Any, Any]
R = TypeVar("R", bound=type[AnyRule])

RULES: Final[dict[type[Kind[Any]], type[AnyRule]]] = {}


class NoRuleError(LookupError):
    """A kind has no memory rule, and none of its base classes has one."""


def rule(*kinds: type[Kind[Any]]) -> Callable[[R], R]:
    """Register a rule for these kinds, and for kinds derived from them that have none of their own."""

    def register(made: R) -> R:
        for kind in kinds:
            assert kind not in RULES, kind
            RULES[kind] = made
        return made

    return register


def rule_of(layer: Kind[Any]) -> AnyRule:
    """Return the rule of a layer.

    Raises:
        NoRuleError: its kind has none.
    """
    for base in type(layer).__mro__:
        if base in RULES:
            return RULES[base](layer)
    raise NoRuleError(layer.keyword)


@rule(FromInput)
class KeepsInput(MemoryRule[Kind[Any], Any]):
    """The derivative is computed from the input, which autograd therefore saves."""

    def saved(self, input_shape: Any, output_shape: Shape, needs: Needs) -> Saved:
        return INPUT


@rule(FromOutput)
class KeepsOutput(MemoryRule[Kind[Any], Any]):
    """The derivative is computed from the output, which autograd therefore saves."""

    def saved(self, input_shape: Any, output_shape: Shape, needs: Needs) -> Saved:
        return OUTPUT


@rule(Rearranging)
class KeepsNothing(MemoryRule[K, Any]):
    """The backward pass needs no values."""

    def saved(self, input_shape: Any, output_shape: Shape, needs: Needs) -> Saved:
        return NOTHING


@rule(View)
class SharesInput(KeepsNothing[Kind[Any]]):
    """The output is a view of the input."""

    def shares(self, input_shape: Any, *, training: bool) -> bool:
        return True
