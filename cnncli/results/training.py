"""What training and evaluation measure: an epoch, the progress within one, an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of ``metrics.jsonl``: what an epoch achieved.

    ``epoch`` counts from 1. ``train_loss`` and ``train_accuracy`` are means over the epoch's images as they
    were trained on, so of weights that kept changing; the loss is what was minimized, with label smoothing
    and all heads. ``test_loss`` and ``test_accuracy`` are what
    :func:`cnncli.training.evaluate.evaluate` gives on the held-out data after the epoch. ``lr`` is that of
    its last step; ``seconds`` is the time spent training, without the evaluation, and
    ``images_per_second`` follows from it.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float
    images_per_second: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands; told a few times a second at most.

    ``epoch`` counts from 1, ``batch`` is how many of the ``batches`` of this phase are done. ``loss`` and
    ``accuracy`` are running means over the epoch's training images so far, ``images_per_second`` is since the
    epoch began (or was resumed).
    """

    phase: Literal["train", "evaluate"]
    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float
    accuracy: float
    lr: float
    images_per_second: float


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one class fares. ``count``: images of it; a ratio without a denominator is None.

    precision = of those called so, the share that is; recall = of those that are, the share called so;
    f1 = 2 correct / (count + called so).
    """

    count: int
    correct: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What :func:`cnncli.training.evaluate.evaluate` measured.

    ``loss`` is the mean of the main head's criterion, which is cross-entropy in nats, without label
    smoothing, unless its layer is trained by another; ``top1`` and ``top5`` are shares of ``count`` images
    (``top5`` is None below five classes); ``confusion[true][called]`` counts images.
    """

    count: int
    loss: float
    top1: float
    top5: float | None
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
