"""At which rate each layer learns, where that depends on its depth."""

from __future__ import annotations

from typing import NamedTuple

from cnncli.graph import Graph
from cnncli.graph.depths import depths, learnable
from cnncli.graph.learning import learning_of, tensors_of
from cnncli.recipe.recipe import Recipe


class LayerRate(NamedTuple):
    """The depth of a layer, and the different peak rates of its tensors, none if it is frozen."""

    node: str
    depth: int
    rates: tuple[float, ...]


def rates(graph: Graph, recipe: Recipe) -> tuple[LayerRate, ...]:
    """Return depth and rates of each layer with parameters that leads to an output.

    The result is empty if ``train.layer_decay`` is 1: rates do not depend on the depth then.
    """
    if recipe.layer_decay == 1:
        return ()
    learning, depth = learning_of(graph, recipe), depths(graph)
    return tuple(
        LayerRate(
            node.name,
            depth[node.name],
            tuple(
                dict.fromkeys(
                    learning.way(name, len(shape)).lr
                    for name, shape in tensors_of(node).items()
                    if learning.is_learned(name)
                )
            ),
        )
        for node in learnable(graph)
    )
