"""Settings about batch normalization that a network has no use for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cnncli.diagnostics import Diagnostic
from cnncli.graph.graph import Graph
from cnncli.recipe.recipe import Recipe

_MEASURED: Final = "running_var"
"""The end of the name of a buffer that only layers with statistics of batches have."""


def wrong_synchronization(recipe: Recipe, graph: Graph) -> Iterator[tuple[tuple[str, ...], Diagnostic]]:
    """Yield the setting, by the key that leads to it, with its error, if it has no effect on a network."""
    buffers = (name for node in graph.nodes for name in node.buffers)
    if recipe.sync_batchnorm and not any(name.endswith(_MEASURED) for name in buffers):
        message = "'sync_batchnorm' has no effect on a network without batch normalization"
        yield ("sync_batchnorm",), Diagnostic("value", message, None, "a layer 'batchnorm'", "true")
