"""Measuring a network on images with targets: the figures of its heads, and those of each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from cnncli.recipe.columns import CLASS
from cnncli.results.training import ClassFigures, Evaluation, HeadClasses
from cnncli.training.computing import Forward
from cnncli.training.data.dataset import Split
from cnncli.training.data.feed import Alters, Batch, Feed, fits
from cnncli.training.data.recorded import Normalization
from cnncli.training.kept_memory import memory_kept
from cnncli.training.tasks.figures import Sums, means
from cnncli.training.tasks.objective import Objective, by_head
from cnncli.training.tasks.tallies import Confusion
from cnncli.training.tasks.targets import Target
from cnncli.training.world import ALONE, World

_BATCH_IMAGES: Final[Mapping[str, int]] = {"cpu": 128}
_IMAGES_ELSEWHERE: Final = 1024
_BATCH_VALUES: Final = 1 << 22
"""Images of a batch by the kind of device and elsewhere, and values of a batch.

Larger batches of small images are slower on a CPU, since what layers output leaves its cache: of ResNet-20
half of the speed is lost at 512 (``benchmarks/evaluate.py``)."""


class Listener(Protocol):
    """Receives what a network outputs for the samples of an evaluation, batch by batch, in their order."""

    def heard(self, outputs: Mapping[str, Tensor], batch: Batch) -> None:
        """Take the outputs of the heads for a batch; nothing should wait for the device."""


class Manner(NamedTuple):
    """How an evaluation is done.

    ``detailed`` is with figures that are not measured after every epoch. With ``flip`` what a network says
    is the mean of what it says of each image and of its mirror image, left to right. ``listeners`` receive
    what it outputs. ``forward`` is how the network is computed, if not by a call of it. Each process of a
    ``world`` measures its part of the samples; the figures are those of all of them, but listeners hear of
    the part only.
    """

    detailed: bool = False
    flip: bool = False
    listeners: tuple[Listener, ...] = ()
    forward: Forward | None = None
    world: World = ALONE


PLAIN: Final = Manner()


def evaluate(
    network: nn.Module,
    split: Split,
    normalization: Normalization,
    device: torch.device,
    objective: Objective,
    alters: Alters | None = None,
    manner: Manner = PLAIN,
) -> Evaluation:
    """Measure a network on images with targets.

    Batches have a fixed size that depends only on the shape of the images and on the kind of device, and sums
    are taken in the order of the images, so on one machine equal weights give bit-for-bit equal figures.

    Args:
        network: on ``device``; its mode is restored afterwards.
        split: images in the network's input shape, with targets for the columns of the objective.
        normalization: that of the training data.
        device: where to compute.
        objective: what the network's heads are measured by.
        alters: what happens to images first, such as their corruption.
        manner: how it is done.
    """
    feed = Feed(split, objective.columns, normalization, device, keep=fits(split.nbytes, device))
    with memory_kept(device):
        result = evaluate_feed(network, feed, objective, device, alters=alters, manner=manner)
    assert result is not None
    return result


def evaluate_feed(
    network: nn.Module,
    feed: Feed,
    objective: Objective,
    device: torch.device,
    stop: Callable[[int, int], bool] = lambda _done, _of: False,
    alters: Alters | None = None,
    manner: Manner = PLAIN,
) -> Evaluation | None:
    """Measure a network on prepared data; None if ``stop(finished batches, all batches)`` becomes true.

    Nothing waits for the device before the last batch.
    """
    world, forward = manner.world, manner.forward or network
    bounds, rounds = _own_bounds(len(feed), feed.image_values, device, world)
    tallies = objective.tallies(device, detailed=manner.detailed)
    sums = Sums.zeros(objective.names(training=False), len(bounds), device)
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            batches = feed.in_order(bounds, alters)
            for done in range(rounds):
                if stop(done, rounds):
                    return None
                if done == len(bounds):
                    break  # the last round, in which other processes have a batch left
                batch = next(batches)
                outputs = by_head(forward(batch.inputs))
                if manner.flip:
                    outputs = objective.together(outputs, forward(batch.inputs.flip(-1)))
                sums.write(done, objective.measure(outputs, batch, tallies))
                for listener in manner.listeners:
                    listener.heard(outputs, batch)
    finally:
        network.train(was_training)
    found = means(sums.first(len(bounds)), world)
    for head, own in tallies.items():
        for tally in own:
            tally.unite(world)
            found |= {f"{head}.{name}": value for name, value in tally.figures().items()}
    heads = {
        head: _classes(tally, objective.heads[head].target)
        for head, own in tallies.items()
        for tally in own
        if isinstance(tally, Confusion)
    }
    return Evaluation(len(feed), objective.summary(found), heads)


def evaluation_batch(image_values: int, device: torch.device) -> int:
    """Return the most images of a batch of an evaluation, which have about four million values together."""
    most = _BATCH_IMAGES.get(device.type, _IMAGES_ELSEWHERE)
    return min(most, max(1, _BATCH_VALUES // image_values))


def evaluation_bounds(count: int, image_values: int, device: torch.device) -> list[tuple[int, int]]:
    """Return the batches of an evaluation."""
    batch = evaluation_batch(image_values, device)
    return [(start, min(start + batch, count)) for start in range(0, count, batch)]


def _own_bounds(
    count: int, image_values: int, device: torch.device, world: World
) -> tuple[list[tuple[int, int]], int]:
    """Return the batches of this process's part of the samples, and the largest number that a process has."""
    edges = [count * number // world.size for number in range(world.size + 1)]
    rounds = max(len(evaluation_bounds(end - start, image_values, device)) for start, end in pairwise(edges))
    first, last = edges[world.rank], edges[world.rank + 1]
    own = evaluation_bounds(last - first, image_values, device)
    return [(first + start, first + end) for start, end in own], rounds


def _classes(tally: Confusion, target: Target) -> HeadClasses:
    """Return the figures of each class, and the table of true and predicted classes that they follow from."""
    table = tally.table
    rows: list[list[int]] = table.tolist()
    counts = zip(table.diagonal().tolist(), table.sum(1).tolist(), table.sum(0).tolist(), strict=True)
    figures = tuple(_figures(*each) for each in counts)
    unit = "images" if target.form == CLASS else "pixels"
    return HeadClasses(target.names, unit, figures, tuple(map(tuple, rows)))


def _figures(correct: int, count: int, predicted: int) -> ClassFigures:
    return ClassFigures(
        count=count,
        correct=correct,
        precision=_ratio(correct, predicted),
        recall=_ratio(correct, count),
        f1=_ratio(2 * correct, count + predicted),
        iou=_ratio(correct, count + predicted - correct),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
