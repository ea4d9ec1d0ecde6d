"""The registry of emitters: one for each kind, which adds its nodes to a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.exporting.onnx.emission import Emission
from cnncli.graph import Node
from cnncli.layers import Kind

EMITTERS: Final[dict[type[Kind[Any]], Callable[[Any, Emission], str]]] = {}

F = TypeVar("F", bound=Callable[[Any, Emission], str])


def emitter(*kinds: type[Kind[Any]]) -> Callable[[F], F]:
    """Register a function ``(layer, emission) -> name of the result`` for layers of these kinds."""

    def register(make: F) -> F:
        for kind in kinds:
            assert kind not in EMITTERS, kind
            EMITTERS[kind] = make
        return make

    return register


def emit(node: Node, emission: Emission) -> None:
    """Add the nodes of one layer; its value gets the name of the layer.

    Raises:
        CnncliError: the kind is one of a plug-in, which says nothing of ONNX.
    """
    make = EMITTERS.get(type(node.layer))
    if make is None:
        raise CnncliError(
            Diagnostic(
                "export",
                f"{node.name}: kind '{node.kind}' cannot be written as ONNX",
                node.location,
                expected="a kind of cnncli itself",
                hint="replace it, or export to another format",
            )
        )
    emission.finish(make(node.layer, emission))
