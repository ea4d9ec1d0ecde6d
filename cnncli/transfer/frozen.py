"""Layers that would keep random weights to the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate

from cnncli.diagnostics import Diagnostic, listing
from cnncli.graph import Graph
from cnncli.graph.learning import learning_of, names_within, tensors_of
from cnncli.limits import MAX_TENSORS_NAMED
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.start import CODE


def staying_random(graph: Graph, recipe: Recipe) -> Iterator[Diagnostic]:
    """Yield a note if layers are reset and frozen for good: they keep what the seed gives them."""
    if recipe.start is None or not recipe.start.reset:
        return
    frozen = learning_of(graph, recipe).frozen
    matches = [re.compile(translate(pattern)).match for pattern in recipe.start.reset]
    nodes = [
        node
        for node in graph.nodes
        if node.name in frozen
        and any(match(each) for name in tensors_of(node) for each in names_within(name) for match in matches)
    ]
    if nodes:
        yield Diagnostic(
            CODE,
            f"reset and frozen for good, so random weights stay: "
            f"{listing([node.name for node in nodes], MAX_TENSORS_NAMED)}",
            nodes[0].location,
            hint="a layer that is reset has to learn: take it out of one of the two, or give unfreeze_at",
            level="note",
        )
