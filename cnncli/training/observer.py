"""What training tells while it runs; showing it is the business of whoever listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class EpochMetrics:
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


class Observer(Protocol):
    """Listens to training. Whatever it raises ends the training as a crash would: the run can be resumed."""

    def progressed(self, progress: Progress) -> None:
        """Called a few times a second at most."""

    def epoch_finished(self, metrics: EpochMetrics, epochs: int) -> None:
        """Called once for each epoch, after its results are safely in the run folder."""


class Silent:
    """An observer that ignores everything."""

    def progressed(self, progress: Progress) -> None:
        """Ignore it."""

    def epoch_finished(self, metrics: EpochMetrics, epochs: int) -> None:
        """Ignore it."""
