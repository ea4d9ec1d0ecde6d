"""What is measured of a head over all samples together: what no mean of numbers for each sample can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import torch
from torch import Tensor

from cnncli.recipe.columns import CLASS, MASK, NUMBER, TAGS
from cnncli.recipe.metrics import DICE, ECE, F1, IOU, MAP, PRECISION, R2, RECALL
from cnncli.training.world import World

_BINS: Final = 15


class Tally(Protocol):
    """Takes the batches of an evaluation, and has figures in the end; nothing waits before that."""

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that it has figures of."""

    def add(self, said: Tensor, target: Tensor, present: Tensor | None) -> None:
        """Take a batch: what a head says, its target, and which samples have one (None: all), bool [n]."""

    def unite(self, world: World) -> None:
        """Take the batches of all processes, after the last one."""

    def figures(self) -> dict[str, float]:
        """Return the figures; one that the samples do not determine is left out."""


class Confusion:
    """How often each class was taken for each: of samples, or of the pixels of masks."""

    def __init__(
        self, classes: int, device: torch.device, metrics: Mapping[str, Callable[[Tensor], Tensor]]
    ) -> None:
        """Begin with no sample; ``metrics`` are of each class, from a table [true][predicted]."""
        self._classes = classes
        self._counts = torch.zeros(classes * classes, dtype=torch.int64, device=device)
        self._metrics = metrics

    @property
    def names(self) -> tuple[str, ...]:
        """Those that it was begun with."""
        return (*self._metrics,)

    def add(self, said: Tensor, target: Tensor, present: Tensor | None) -> None:
        """Count the cells of a batch; what has no target counts nowhere."""
        known = target >= 0
        if present is not None:
            known = known & present.reshape(-1, *(1 for _ in target.shape[1:]))
        cells = target.clamp(min=0) * self._classes + said.argmax(1)
        self._counts.scatter_add_(0, cells.flatten(), known.to(torch.int64).flatten())

    def unite(self, world: World) -> None:
        """Add up the counts."""
        world.add([self._counts])

    @property
    def table(self) -> Tensor:
        """The counts, int64 [true][predicted], on the CPU."""
        return self._counts.reshape(self._classes, self._classes).cpu()

    def figures(self) -> dict[str, float]:
        """Return the mean of each metric over the classes that have one."""
        table = self.table.to(torch.float64)
        found = {name: metric(table) for name, metric in self._metrics.items()}
        known = {name: values[~values.isnan()] for name, values in found.items()}
        return {name: float(values.mean()) for name, values in known.items() if len(values)}


def f1(table: Tensor) -> Tensor:
    """Return 2 correct / (samples + predictions) of each class, from a table float64 [true][predicted].

    Classes without samples and predictions have none: NaN. One that was predicted for no sample of its own
    has 0. Of pixels this is the Dice coefficient.
    """
    return 2 * table.diagonal() / (table.sum(0) + table.sum(1))


def iou(table: Tensor) -> Tensor:
    """Return correct / (samples + predictions - correct) of each class: overlap over union (Jaccard)."""
    return table.diagonal() / (table.sum(0) + table.sum(1) - table.diagonal())


def precision(table: Tensor) -> Tensor:
    """Return correct / predictions of each class, from a table float64 [true][predicted].

    A class with samples that is never predicted has 0; one without samples and predictions has none: NaN.
    """
    return _share(table, table.sum(0))


def recall(table: Tensor) -> Tensor:
    """Return correct / samples of each class; one without samples that is predicted has 0."""
    return _share(table, table.sum(1))


def _share(table: Tensor, whole: Tensor) -> Tensor:
    occurs = table.sum(0) + table.sum(1) > 0
    return torch.where(occurs, table.diagonal() / whole.clamp(min=1), torch.nan)


class Calibration:
    """How far the probabilities of the predicted classes are from the shares of them that are right.

    The expected calibration error of Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural
    networks", 2017, equation 5: samples are put into 15 bins by the probability of the predicted class, the
    first from 0 to 1/15, the second above 1/15 to 2/15 and so on. The error is the mean over samples of the
    distance, in their bin, between the mean probability and the share that is right.
    """

    def __init__(self, device: torch.device, probabilities: Callable[[Tensor], Tensor]) -> None:
        """Begin with no sample; ``probabilities`` are those of scores, [n, classes]."""
        self._numbers = torch.arange(_BINS, device=device).unsqueeze(1)
        self._probabilities = probabilities
        self._sums: list[Tensor] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The error."""
        return (ECE,)

    def add(self, said: Tensor, target: Tensor, present: Tensor | None) -> None:
        """Add the sums of a batch, [3, bins]: of probabilities, of those that are right, and of samples."""
        confidence, predicted = self._probabilities(said).max(1)
        bins = (confidence * _BINS).ceil().to(torch.int64).clamp(1, _BINS) - 1
        # A product of matrices, since sums by an index would be in any order on a GPU.
        within = (bins == self._numbers).to(confidence.dtype)
        within = within if present is None else within * present
        right = (predicted == target).to(confidence.dtype)
        self._sums.append(torch.stack([within @ confidence, within @ right, within.sum(1)]))

    def unite(self, world: World) -> None:
        """Add up the sums of the batches."""
        total = self._total
        world.add([total])
        self._sums = [total]

    @property
    def _total(self) -> Tensor:
        """The sums of all batches, float64 [3, bins], on the CPU."""
        if not self._sums:
            return torch.zeros(3, _BINS, dtype=torch.float64)
        return torch.stack(self._sums).cpu().to(torch.float64).sum(0)

    def figures(self) -> dict[str, float]:
        """Return the error; nothing without samples."""
        confidence, right, count = self._total
        if not count.sum():
            return {}
        return {ECE: float((confidence - right).abs().sum() / count.sum())}


class Kept:
    """Keeps what a head says of all samples, with their targets, for a formula of all of them."""

    def __init__(self, name: str, formula: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Begin with no sample; ``formula`` is of each column of two tensors float64 [N, k]."""
        self._name, self._formula = name, formula
        self._batches: list[tuple[Tensor, Tensor, Tensor | None]] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The one of the formula."""
        return (self._name,)

    def add(self, said: Tensor, target: Tensor, present: Tensor | None) -> None:
        """Keep a batch."""
        self._batches.append((said, target, present))

    def unite(self, world: World) -> None:
        """Keep the samples of all processes, in the order of the processes."""
        said, target = map(world.gathered, self._all)
        self._batches = [(said, target, None)]

    @property
    def _all(self) -> tuple[Tensor, Tensor]:
        """What was said of all samples that have a target, and the targets, float64 [N, k], on the CPU."""
        found = [self._known(*batch) for batch in self._batches] or [(torch.empty(0, 0), torch.empty(0, 0))]
        said, target = (torch.cat(each).to(torch.float64) for each in zip(*found, strict=True))
        return said, target

    def figures(self) -> dict[str, float]:
        """Return the mean of the formula over the columns that have one."""
        values = self._formula(*self._all)
        known = values[~values.isnan()]
        return {self._name: float(known.mean())} if len(known) else {}

    @staticmethod
    def _known(said: Tensor, target: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor]:
        said, target = said.cpu(), target.cpu()
        return (said, target) if present is None else (said[present.cpu()], target[present.cpu()])


def average_precision(scores: Tensor, target: Tensor) -> Tensor:
    """Return for each tag the sum over thresholds of (recall gained) * precision; NaN without a positive.

    Samples with equal scores are taken together. This is the area under the curve of precision and recall
    without interpolation (E. Voorhees and D. Harman, "Overview of TREC-8", 1999).

    Args:
        scores: float64 [N, tags].
        target: 0 or 1, float64 [N, tags].
    """
    return torch.stack([_area(*each) for each in zip(scores.T, target.T, strict=True)])


def _area(scores: Tensor, target: Tensor) -> Tensor:
    order = scores.argsort(descending=True)
    scores, target = scores[order], target[order]
    # The last place of each score: from there on a lower threshold begins.
    ends = torch.cat([scores[1:] != scores[:-1], torch.ones(1, dtype=torch.bool)]).nonzero().flatten()
    right = target.cumsum(0)[ends]
    precision = right / (ends + 1)
    recall = right / target.sum()
    gained = torch.diff(recall, prepend=torch.zeros(1, dtype=recall.dtype))
    return (gained * precision).sum()


def r2(said: Tensor, target: Tensor) -> Tensor:
    """Return 1 - sum of squared errors / sum of squared distances from the mean, of each of the columns.

    NaN for a column whose targets are all the same.
    """
    around = (target - target.mean(0)).square().sum(0)
    share = (said - target).square().sum(0) / around
    return torch.where(around > 0, 1 - share, torch.nan)


TALLIES: Final[Mapping[str, Callable[[int, torch.device], Tally]]] = {
    CLASS: lambda classes, device: Confusion(classes, device, {F1: f1}),
    MASK: lambda classes, device: Confusion(classes, device, {IOU: iou, DICE: f1}),
    TAGS: lambda _, __: Kept(MAP, average_precision),
    NUMBER: lambda _, __: Kept(R2, r2),
}
"""By the form of a head's target, from its number of classes and the device; other forms have none."""

DETAILED: Final[
    Mapping[str, Callable[[int, torch.device, Callable[[Tensor], Tensor]], tuple[Tally, ...]]]
] = {
    CLASS: lambda classes, device, probabilities: (
        Confusion(classes, device, {PRECISION: precision, RECALL: recall, F1: f1}),
        Calibration(device, probabilities),
    ),
}
"""The same for those who ask for more; also from what returns the probabilities of scores."""
