"""Measuring a network on labeled images: loss, top-1, top-5, and the figures of each class."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from cnncli.results.training import ClassFigures, Evaluation
from cnncli.training.data.batches import Feed, fits
from cnncli.training.data.dataset import Split
from cnncli.training.data.normalization import Normalization
from cnncli.training.tasks.criteria import FORMULAS
from cnncli.training.tasks.objective import by_head

_BATCH_IMAGES = 1024
_BATCH_VALUES = 1 << 22


def evaluate(
    network: nn.Module, split: Split, normalization: Normalization, device: torch.device, criterion: str
) -> Evaluation:
    """Measure a network on labeled images.

    Batches have a fixed size that depends only on the shape of the images, and sums are taken in the order of
    the images, so on one machine equal weights give bit-for-bit equal figures.

    Args:
        network: on ``device``; its mode is restored afterwards.
        split: images in the network's input shape, labels below its number of classes.
        normalization: that of the training data.
        device: where to compute.
        criterion: that of the main head, which is the network's first output in inference.
    """
    feed = Feed(split, normalization, device, keep=fits(split.nbytes, device))
    result = evaluate_feed(network, feed, criterion)
    assert result is not None
    return result


def evaluate_feed(
    network: nn.Module,
    feed: Feed,
    criterion: str,
    stop: Callable[[int, int], bool] = lambda _done, _of: False,
) -> Evaluation | None:
    """Measure a network on prepared data; None if ``stop(finished batches, all batches)`` becomes true."""
    formulas, bounds = FORMULAS[criterion], evaluation_bounds(len(feed), feed.image_values)
    losses, predictions, ranks, labels_seen = [], [], [], []
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            for done, (images, labels) in enumerate(feed.in_order(bounds)):
                if stop(done, len(bounds)):
                    return None
                values = next(iter(by_head(network(images)).values()))
                scores = formulas.scores(values)
                losses.append(formulas.losses(values, labels, 0.0))
                predictions.append(scores.argmax(1))
                ranks.append(_rank(scores, labels))
                labels_seen.append(labels)
    finally:
        network.train(was_training)
    return _summary(
        torch.cat(losses).cpu(),
        torch.cat(predictions).cpu(),
        torch.cat(ranks).cpu(),
        torch.cat(labels_seen).cpu(),
        scores.shape[1],
    )


def evaluation_bounds(count: int, image_values: int) -> list[tuple[int, int]]:
    """Return the batches of an evaluation: at most 1,024 images and about four million input values each."""
    batch = min(_BATCH_IMAGES, max(1, _BATCH_VALUES // image_values))
    return [(start, min(start + batch, count)) for start in range(0, count, batch)]


def _rank(scores: Tensor, labels: Tensor) -> Tensor:
    """Return how many classes are ahead of each image's own class, int64 [n]; the lower number wins a tie.

    Computed from the classes that are *not* ahead, so that a score of NaN never counts as correct.
    """
    own = scores.gather(1, labels.unsqueeze(1))
    number = torch.arange(scores.shape[1], device=scores.device)
    behind = (scores < own) | ((scores == own) & (number >= labels.unsqueeze(1)))
    return scores.shape[1] - behind.sum(1)


def _summary(losses: Tensor, predictions: Tensor, ranks: Tensor, labels: Tensor, classes: int) -> Evaluation:
    count = len(labels)
    confusion = torch.bincount(labels * classes + predictions, minlength=classes * classes)
    table: list[list[int]] = confusion.reshape(classes, classes).tolist()
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
            )
        )
    return Evaluation(
        count=count,
        loss=math.fsum(losses.tolist()) / count,
        top1=int((ranks == 0).sum()) / count,
        top5=int((ranks < 5).sum()) / count if classes >= 5 else None,
        classes=tuple(figures),
        confusion=tuple(tuple(row) for row in table),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
