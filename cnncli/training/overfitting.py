"""Whether a network learned its training images by heart, and what is known to help.

A network over-fits if its loss on held-out data rises while its training loss still falls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cnncli.graph import Graph
from cnncli.layers.regularization import DropPath, Dropping
from cnncli.recipe.metrics import LOSS, TEST, TRAIN, VAL
from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Epoch, Remedy

EPOCHS: Final = 3
RISE: Final = 0.1
"""The loss on held-out data is this share above its minimum in each of the last :data:`EPOCHS` epochs."""


def overfitting(history: Sequence[Epoch]) -> str:
    """Return since when and how far a training over-fits; empty if it does not.

    It does if, in each of the last :data:`EPOCHS` epochs, the loss on held-out data was at least :data:`RISE`
    above the smallest of all epochs, and the training loss is below the former, and below what it was in that
    epoch. The held-out data is the validation part, or the test part without one.
    """
    if len(history) <= EPOCHS:
        return ""
    part = VAL if f"{VAL}.{LOSS}" in history[-1].figures else TEST
    held = [each.figures[f"{part}.{LOSS}"] for each in history]
    train = [each.figures[f"{TRAIN}.{LOSS}"] for each in history]
    best = held.index(min(held))
    risen = all(each >= (1 + RISE) * held[best] for each in held[-EPOCHS:])
    if not risen or train[-1] >= min(train[best], held[-1]):
        return ""
    return (
        f"over-fits since epoch {best + 1}: {part}.{LOSS} rose from {held[best]:.4f} to {held[-1]:.4f}, "
        f"while {TRAIN}.{LOSS} fell from {train[best]:.4f} to {train[-1]:.4f}"
    )


def remedies(graph: Graph, recipe: Recipe) -> Iterator[Remedy]:
    """Yield what a training does not use yet, the most reliable first; there can always be more data."""
    limit = recipe.data.limit
    yield Remedy(
        "more data",
        "the most reliable of all" if limit == 1 else f"train.data.limit=1 uses all of it, not {limit:.3g}",
    )
    yield Remedy("a smaller network", "fewer channels or layers; cnncli inspect shows where parameters are")
    if not recipe.penalty.acts and recipe.optimizer.weight_decay == 0:
        yield Remedy("a penalty on weights", "train.penalty.l2=1e-4, or train.penalty.l1=1e-6")
    if not any(isinstance(node.layer, Dropping | DropPath) for node in graph.nodes):
        yield Remedy("dropout", "a layer 'dropout: 0.5' before a linear one")
    if len(graph.outputs) == 1:
        yield Remedy("another task", "one more head under 'heads', and what it learns in train.tasks")
    if not recipe.transforms:
        yield Remedy("data augmentation", "train.transforms=[crop: 4, rotate: 10]")
    yield Remedy(
        "transfer learning",
        "in Python, weights learned on more images go into the network of begin(), before start()",
    )
    if recipe.stop is None:
        yield Remedy("early stopping", "train.stop=10 keeps the weights of the best epoch")
