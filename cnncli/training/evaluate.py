"""Measuring a network on images with targets: the figures of its heads, and those of each class."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from cnncli.results.training import ClassFigures, Evaluation
from cnncli.training.data.dataset import Split
from cnncli.training.data.feed import Alters, Feed, fits
from cnncli.training.data.normalization import Normalization
from cnncli.training.tasks.figures import Sums, means
from cnncli.training.tasks.objective import Objective
from cnncli.training.tasks.tallies import Confusion

_BATCH_IMAGES = 1024
_BATCH_VALUES = 1 << 22


def evaluate(
    network: nn.Module,
    split: Split,
    normalization: Normalization,
    device: torch.device,
    objective: Objective,
    alters: Alters | None = None,
) -> Evaluation:
    """Measure a network on images with targets.

    Batches have a fixed size that depends only on the shape of the images, and sums are taken in the order of
    the images, so on one machine equal weights give bit-for-bit equal figures.

    Args:
        network: on ``device``; its mode is restored afterwards.
        split: images in the network's input shape, with targets for the columns of the objective.
        normalization: that of the training data.
        device: where to compute.
        objective: what the network's heads are measured by.
        alters: what happens to images first, such as their corruption.
    """
    feed = Feed(split, objective.columns, normalization, device, keep=fits(split.nbytes, device))
    result = evaluate_feed(network, feed, objective, device, alters=alters)
    assert result is not None
    return result


def evaluate_feed(
    network: nn.Module,
    feed: Feed,
    objective: Objective,
    device: torch.device,
    stop: Callable[[int, int], bool] = lambda _done, _of: False,
    alters: Alters | None = None,
) -> Evaluation | None:
    """Measure a network on prepared data; None if ``stop(finished batches, all batches)`` becomes true.

    Nothing waits for the device before the last batch.
    """
    bounds, tallies = evaluation_bounds(len(feed), feed.image_values), objective.tallies(device)
    sums = Sums.zeros(objective.names(training=False), len(bounds), device)
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            for done, batch in enumerate(feed.in_order(bounds, alters)):
                if stop(done, len(bounds)):
                    return None
                sums.write(done, objective.measure(network(batch.inputs), batch, tallies))
    finally:
        network.train(was_training)
    found = means(sums.first(len(bounds)))
    for head, tally in tallies.items():
        found |= {f"{head}.{name}": value for name, value in tally.figures().items()}
    figures, main = objective.summary(found), tallies.get(objective.main)
    if not isinstance(main, Confusion):
        return Evaluation(len(feed), figures, (), ())
    unit = "images" if objective.is_of_samples else "pixels"
    return Evaluation(len(feed), figures, *_of_classes(main.table.tolist()), unit)


def evaluation_bounds(count: int, image_values: int) -> list[tuple[int, int]]:
    """Return the batches of an evaluation: at most 1,024 images and about four million input values each."""
    batch = min(_BATCH_IMAGES, max(1, _BATCH_VALUES // image_values))
    return [(start, min(start + batch, count)) for start in range(0, count, batch)]


def _of_classes(table: list[list[int]]) -> tuple[tuple[ClassFigures, ...], tuple[tuple[int, ...], ...]]:
    """Return the figures of each class, and the table of true and predicted classes that they follow from."""
    figures = []
    for number, row in enumerate(table):
        predicted = sum(each[number] for each in table)
        correct, of_class = row[number], sum(row)
        figures.append(
            ClassFigures(
                count=of_class,
                correct=correct,
                precision=_ratio(correct, predicted),
                recall=_ratio(correct, of_class),
                f1=_ratio(2 * correct, of_class + predicted),
                iou=_ratio(correct, of_class + predicted - correct),
            )
        )
    return tuple(figures), tuple(tuple(row) for row in table)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
