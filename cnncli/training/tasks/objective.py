"""From a network's output to the number that training minimizes: the weighted losses of all heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from cnncli.language.description import OUTPUT
from cnncli.recipe.columns import Column
from cnncli.recipe.metrics import LOSS, OBJECTIVE
from cnncli.training.data.feed import Batch
from cnncli.training.tasks.figures import Sum
from cnncli.training.tasks.losses import PerSample
from cnncli.training.tasks.meters import Meter, meters
from cnncli.training.tasks.readings import Reading
from cnncli.training.tasks.tallies import DETAILED, TALLIES, Tally
from cnncli.training.tasks.targets import Target


class Minimized(NamedTuple):
    """The ``objective`` of a batch, which is minimized, and the ``figures`` of the batch."""

    objective: Tensor
    figures: dict[str, Sum]

    def plus(self, other: Minimized) -> Minimized:
        """Return what is minimized of two slices of a batch together."""
        figures = {name: each.plus(other.figures[name]) for name, each in self.figures.items()}
        return Minimized(self.objective + other.objective, figures)


class Whole(NamedTuple):
    """The batch that a slice belongs to: its ``size``, and the samples with a target for each head."""

    size: int
    samples: Mapping[str, Tensor | int]


class HeadTask(NamedTuple):
    """What a head is trained with and measured by.

    ``measured`` is without label smoothing and class weights; if it is ``trained`` itself, it is not computed
    twice. ``reading`` is how an output is read; ``chance`` is the loss of guessing.
    """

    weight: float
    target: Target
    trained: PerSample
    measured: PerSample
    reading: Reading
    chance: float

    def meters(self, *, training: bool) -> dict[str, Meter]:
        """Return what is measured of it beside the loss."""
        target = self.target
        return meters(target.form, len(target.names), target.shape, training=training)


@dataclass(frozen=True, eq=False, slots=True)
class Objective:
    """The sum over the heads of weight * loss, and the figures that are measured of each head.

    Figures of a batch are named ``HEAD.loss``, ``HEAD.accuracy`` and so on (:mod:`cnncli.recipe.metrics`),
    and, in training, ``objective``. A sample without a target for a head is in none of that head's figures,
    nor in its loss; mixed samples are in both with the share that has a target. ``columns`` are those of the
    data that heads are compared with.
    """

    main: str
    heads: Mapping[str, HeadTask]
    training_only: frozenset[str]
    columns: Mapping[str, Column]

    @property
    def chance(self) -> float:
        """The objective of guessing."""
        return sum(head.weight * head.chance for head in self.heads.values())

    @property
    def inference(self) -> tuple[str, ...]:
        """The heads that exist in inference."""
        return tuple(head for head in self.heads if head not in self.training_only)

    def names(self, *, training: bool) -> tuple[str, ...]:
        """Return the names of the figures of a batch."""
        measured = tuple(
            f"{name}.{metric}"
            for name in (self.heads if training else self.inference)
            for metric in (LOSS, *self.heads[name].meters(training=training))
        )
        return (OBJECTIVE, *measured) if training else measured

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that are reported of an evaluation."""
        tallies = self.tallies(torch.device("cpu")).items()
        tallied = [f"{head}.{name}" for head, own in tallies for tally in own for name in tally.names]
        return (*self.summary(dict.fromkeys((*self.names(training=False), *tallied), 0.0)),)

    def tallies(self, device: torch.device, *, detailed: bool = False) -> dict[str, tuple[Tally, ...]]:
        """Return what is measured over all samples of an evaluation, by head.

        ``detailed`` is with what is only asked for by a person.
        """
        found = {}
        for name in self.inference:
            head, form = self.heads[name], self.heads[name].target.form
            if detailed and form in DETAILED:
                found[name] = DETAILED[form](len(head.target.names), device, head.reading.probabilities)
            elif form in TALLIES:
                found[name] = (TALLIES[form](len(head.target.names), device),)
        return found

    def together(
        self, output: Tensor | dict[str, Tensor], mirrored: Tensor | dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return outputs between those for images and those for their mirror images.

        What has the axes of the image is mirrored back first.
        """
        outputs, others = by_head(output), by_head(mirrored)
        found = {}
        for name, values in outputs.items():
            head = self.heads[name]
            back = head.target.mirrored(others[name], self.columns[head.target.column].shape)
            found[name] = head.reading.together(values, back)
        return found

    def whole(self, batch: Batch) -> Whole:
        """Return what slices of a batch need to know of it."""
        samples = {name: head.target.compared(batch).samples for name, head in self.heads.items()}
        return Whole(len(batch.inputs), samples)

    def __call__(
        self, output: Tensor | dict[str, Tensor], batch: Batch, whole: Whole | None = None
    ) -> Minimized:
        """Return what a batch is trained on, the mean over its samples, and its figures.

        ``whole`` is the batch that this one is a slice of: what its slices are trained on adds up to what the
        batch is, since each sum is divided by the samples of the whole batch.
        """
        outputs, count = by_head(output), len(batch.inputs)
        size = count if whole is None else whole.size
        terms, figures = [], {}
        for name, values in outputs.items():
            head, found = self.heads[name], values.detach()
            compared = head.target.compared(batch)
            losses = compared.sum(head.trained, values)
            shared = losses if whole is None else losses._replace(samples=whole.samples[name])
            terms.append(head.weight * shared.mean)
            same = head.measured is head.trained
            plain = losses if same else compared.sum(head.measured, found)
            figures[f"{name}.{LOSS}"] = plain._replace(total=plain.total.detach())
            said = head.reading.said(found)
            for metric, meter in head.meters(training=True).items():
                figures[f"{name}.{metric}"] = compared.sum(meter.per_sample, said)
        objective = terms[0] if len(terms) == 1 else torch.stack(terms).sum()
        figures[OBJECTIVE] = Sum(objective.detach() * size, count)
        return Minimized(objective, figures)

    def measure(
        self, output: Tensor | dict[str, Tensor], batch: Batch, tallies: Mapping[str, tuple[Tally, ...]]
    ) -> dict[str, Sum]:
        """Return the figures of a batch in inference, and add it to the tallies."""
        figures = {}
        for name, values in by_head(output).items():
            head = self.heads[name]
            compared, said = head.target.compared(batch), head.reading.said(values)
            figures[f"{name}.{LOSS}"] = compared.sum(head.measured, values)
            for metric, meter in head.meters(training=False).items():
                figures[f"{name}.{metric}"] = compared.sum(meter.per_sample, said)
            for tally in tallies.get(name, ()):
                tally.add(said, *compared.alone)
        return figures

    def summary(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return the figures that are reported, from the means of those of the batches.

        ``loss`` is the sum of weight times loss over the heads that exist in inference, so it is the same sum
        in training and on held-out data; the other figures without a head are the main head's. Those of each
        head follow, if there are several. A head of which no sample had a target yet has no figures.
        """
        losses = {head: f"{head}.{LOSS}" for head in self.inference}
        known = {head: means[name] for head, name in losses.items() if name in means}
        found = {OBJECTIVE: means[OBJECTIVE]} if OBJECTIVE in means else {}
        if known:
            found[LOSS] = sum(self.heads[head].weight * loss for head, loss in known.items())
        of_heads = {name: value for name, value in means.items() if name != OBJECTIVE}
        for name, value in of_heads.items():
            head, _, metric = name.rpartition(".")
            if head == self.main and metric != LOSS:
                found[metric] = value
        return found | of_heads if len(self.heads) > 1 else found


def by_head(output: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a network's output as head -> values; a network without heads has one head, ``output``."""
    return {OUTPUT: output} if isinstance(output, Tensor) else output
