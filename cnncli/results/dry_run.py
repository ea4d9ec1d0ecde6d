"""What a dry run of a training reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cnncli.results.training import Introduction


class Counts(NamedTuple):
    """How many samples, or pixels of masks, of each part have each class or tag of a column.

    ``val`` is empty if the data has no validation part.
    """

    train: Sequence[int]
    val: Sequence[int]
    test: Sequence[int]


class Times(NamedTuple):
    """Seconds: of the first step, of a step (the median of the ``measured`` others, None if there are none).

    ``evaluation`` is what the forward passes of the part that is measured after every epoch take, ``saving``
    what a checkpoint, the metrics and the weights take then, and ``test`` what the test part takes at the
    end, 0 if it is measured after every epoch.
    """

    first: float
    step: float | None
    measured: int
    evaluation: float
    saving: float
    test: float


class Tried(NamedTuple):
    """What a few steps of a training have shown.

    ``batch`` is the number of images in the largest step, and ``steps`` that of the steps of an epoch.
    ``tried`` is how many were carried out. ``files`` are the bytes of the files in the run folder by their
    names, and ``peak`` are those that were allocated on the device at most, None if it does not count them.
    """

    about: Introduction
    counts: Mapping[str, Counts]
    batch: int
    steps: int
    tried: int
    times: Times
    files: Mapping[str, int]
    peak: int | None

    @property
    def all_steps(self) -> int:
        """The steps of all epochs, of which the last one may be cut off."""
        cut = self.steps - self.about.ends if self.about.ends else 0
        return self.about.epochs * self.steps - cut

    @property
    def seconds(self) -> float:
        """The estimated time of all epochs, without the reading of the data."""
        times, epochs = self.times, self.about.epochs
        step = times.first if times.step is None else times.step
        of_steps = times.first + (self.all_steps - 1) * step
        return of_steps + epochs * (times.evaluation + times.saving) + times.test


class DryRun(NamedTuple):
    """A dry run, and what is computed without running anything.

    ``flops`` are those of the forward pass of an image in training. ``memory`` are the bytes that a training
    step is predicted to need, None for a network with a layer without a memory rule, as ``why_none`` says.
    """

    tried: Tried
    flops: int
    memory: int | None
    why_none: str = ""
