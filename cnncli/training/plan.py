"""What stays the same during a training: the settings, the data, the batches, the objective."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnncli.analysis.course import Course
from cnncli.diagnostics import Location, usage_error
from cnncli.graph.heads import Heads
from cnncli.graph.learning import Learning
from cnncli.layers import shape_text
from cnncli.recipe.columns import INPUT, PICTURE
from cnncli.recipe.metrics import TEST, VAL
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.transforms import Mix
from cnncli.results.training import Epoch
from cnncli.training.computing import Computing, choose_computing
from cnncli.training.data.batches import batch_bounds, epoch_order
from cnncli.training.data.dataset import Dataset, Split
from cnncli.training.data.feed import Alters, Batch, Feed, fits
from cnncli.training.data.recorded import Normalization
from cnncli.training.data.shares import shares
from cnncli.training.data.targets import class_counts, present
from cnncli.training.evaluate import evaluation_bounds
from cnncli.training.optimization.averaging import Place, averages_after
from cnncli.training.optimization.optimizers import (
    build_optimizer,
    freeze,
    set_learning_rate,
    set_momentum,
)
from cnncli.training.optimization.schedule import Moment, learning_rate, moved_momentum
from cnncli.training.runs.checkpoint import Position
from cnncli.training.stopping import check_watched
from cnncli.training.tasks.building import Learned, build_objective, clean_of
from cnncli.training.tasks.objective import Objective
from cnncli.training.tasks.presence import check_targets, missing_notes
from cnncli.training.tasks.single_images import check_single_images
from cnncli.training.transforms import moves_anything, training_alters
from cnncli.training.transforms.resolution import seen_at
from cnncli.training.world import ALONE, World


@dataclass(frozen=True, eq=False, slots=True)
class Subject:
    """What is trained: a network, and what is known of it.

    ``heads`` are its outputs, from :func:`~cnncli.graph.heads.heads_of`. ``learning`` says what is learned of
    it, and how, from :func:`~cnncli.graph.learning.learning_of`; None if that is all of it, in the usual way.
    ``places`` are those of the layers in the spec, by the names of their modules, for messages.
    """

    network: nn.Module
    heads: Heads
    learning: Learning | None = None
    places: Mapping[str, Location] = field(default_factory=dict)

    def learned(self, settings: Recipe) -> Learning:
        """Return what is learned with these settings, and how."""
        # Groups of layers are found in a graph.
        assert self.learning is not None or not settings.groups
        return self.learning or Learning(settings.optimizer)


class Extent(NamedTuple):
    """How much of a training is carried out: of a dry run only a few epochs, and a few batches of each."""

    epochs: int | None = None
    batches: int | None = None


WHOLE: Final = Extent()


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """What does not change: the settings, the data on its device, batches, the objective.

    ``bounds`` are the batches of an epoch that are trained on, of ``steps`` in a whole epoch; the last epoch
    of the training has only the first ``ends`` of them. The loop ends after ``epochs``. ``course`` has the
    sizes of the images if they change. Each process of the ``world`` trains on its share of every batch.
    """

    settings: Recipe
    device: torch.device
    train: Feed
    val: Feed | None
    test: Feed
    bounds: list[tuple[int, int]]
    steps: int
    ends: int
    epochs: int
    objective: Objective
    learning: Learning
    computing: Computing
    course: Course | None = None
    world: World = ALONE

    def on(self, course: Course | None) -> Plan:
        """Return the plan with sizes and FLOPs, if the training has some of its own."""
        if course is None:
            return self
        bounds = batch_bounds(len(self.train), self.settings.batch)
        return replace(self, course=course, ends=course.ends(bounds, self.settings.flops))

    @property
    def held_out(self) -> tuple[str, Feed]:
        """The part that is measured after every epoch, and its name; the test part if there is no other."""
        return (TEST, self.test) if self.val is None else (VAL, self.val)

    def batches(self, epoch: int) -> list[tuple[int, int]]:
        """Return start and end of the batches of an epoch; epochs count from 0."""
        return self.bounds[: self.ends] if epoch == self.settings.epochs - 1 else self.bounds

    def order(self, epoch: int) -> Tensor:
        """Return the order of the images in an epoch; epochs count from 0."""
        return epoch_order(len(self.train), self.settings.seed, epoch)

    def alters(self, epoch: int) -> Alters | None:
        """Return what happens to the training samples of an epoch; None if nothing does."""
        alters = training_alters(self.settings, len(self.train), epoch)
        size = None if self.course is None else self.course.size(epoch, self.settings.epochs)
        return alters if size is None else seen_at(size * self.settings.shrinkage, alters)

    def samples(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield this process's share of the batches of an epoch, from one on."""
        mixes = any(isinstance(each, Mix) for each in self.settings.transforms)
        order, bounds, alters = self.order(epoch), self.batches(epoch)[first:], self.alters(epoch)
        return shares(self.train, order, bounds, alters, self.world, mixes=mixes)

    def slices(self, batch: int) -> list[tuple[int, int]]:
        """Return the start and the end of each slice of this process's share of a batch."""
        return self.world.slices(*self.bounds[batch], self.settings.accumulate)

    def place(self, epoch: int, batch: int) -> Place:
        """Return the place of a batch in the whole training; epochs and batches count from 0."""
        is_last = batch == len(self.batches(epoch)) - 1
        return Place(epoch * self.steps + batch, epoch, self.settings.epochs, is_last)

    def has_average(self, position: Position) -> bool:
        """Return whether there is an average of the weights at a position, to be measured and kept."""
        ended = position.epochs + (position.batches == len(self.batches(position.epochs)))
        return averages_after(self.settings.average, ended - 1, self.settings.epochs)

    def moment(self, epoch: int, batch: int, history: Sequence[Epoch]) -> Moment:
        """Return a batch after these epochs as the schedule sees it; epochs and batches count from 0."""
        return Moment(
            step=epoch * self.steps + batch,
            steps=(self.settings.epochs - 1) * self.steps + self.ends,
            epoch=self.steps,
            warmup=round((self.settings.course.warmup or 0) * self.steps),
            history=history,
        )

    def rate(self, moment: Moment) -> float:
        """Return the learning rate of a step."""
        return learning_rate(self.settings.optimizer.lr, self.settings.course, moment)

    def pace(self, optimizer: Optimizer, moment: Moment) -> float:
        """Set what changes with a step, the learning rate and perhaps the momentum; return the former."""
        rate, settings = self.rate(moment), self.settings
        set_learning_rate(optimizer, rate)
        set_momentum(optimizer, lambda own: moved_momentum(own, settings.course, moment))
        return rate


def check_trainable(
    subject: Subject, input_shape: tuple[int, ...], dataset: Dataset, settings: Recipe, world: World = ALONE
) -> tuple[str, ...]:
    """Check that network, data and settings match, before a folder is created.

    Returns:
        notes about samples without a target.

    Raises:
        UsageError: as :func:`make_plan` and :func:`make_state` would; or the network cannot be trained on
            batches of one image, or transforms cannot move a target; or batches are too small for the
            processes.
    """
    check_batch(settings, world)
    objective = _objective(subject.heads, dataset, settings, torch.device("cpu"))
    missing = [check_targets(dataset.name, split, objective) for split in dataset.parts]
    _check_moves(dataset, objective, settings)
    network, learning = subject.network, subject.learned(settings)
    freeze(network, learning)
    build_optimizer(network, learning)
    batches = batch_bounds(dataset.train.count, settings.batch)
    slices = (each for start, end in batches for each in world.slices(start, end, settings.accumulate))
    if any(end - start == 1 for start, end in slices):
        check_single_images(network, input_shape, learning)
    return missing_notes(dataset.parts, missing)


def check_batch(settings: Recipe, world: World) -> None:
    """Check that each process has enough images of a batch for the slices that it is computed in.

    Raises:
        UsageError: it has not.
    """
    least = 2 * world.size * settings.accumulate
    if world.size > 1 and settings.batch < least:
        slices = f", each in {settings.accumulate} slices" if settings.accumulate > 1 else ""
        raise usage_error(
            f"a batch of {settings.batch} is too small for {world.size} processes{slices}",
            expected=f"train.batch={least} or more: two images for each slice of each process",
            received=f"train.batch={settings.batch}",
        )


def _check_moves(dataset: Dataset, objective: Objective, settings: Recipe) -> None:
    """Check that transforms can move the targets that are pictures.

    Raises:
        UsageError: one has another size than the images.
    """
    for name, column in objective.columns.items():
        shapes = (column.shape[1:], dataset.input_shape[1:])
        if column.form != PICTURE or name == INPUT:
            continue
        if settings.data.margin:
            raise usage_error(
                f"images with a margin cannot be compared with pictures, but '{name}' is one",
                expected="a data.margin of 0",
                received=str(settings.data.margin),
            )
        if shapes[0] != shapes[1] and moves_anything(settings.transforms):
            raise usage_error(
                f"transforms that move pixels need targets of the images' size, but '{name}' has another",
                expected=shape_text(shapes[1]),
                received=shape_text(shapes[0]),
            )


def make_plan(
    subject: Subject,
    dataset: Dataset,
    settings: Recipe,
    normalization: Normalization,
    device: torch.device,
    extent: Extent = WHOLE,
    world: World = ALONE,
) -> Plan:
    """Move the data to where it is used, and build the objective.

    If ``extent`` limits the batches, each held-out part is limited to one batch of an evaluation.

    Raises:
        UsageError: network, data and settings do not match.
    """
    keep = fits(sum(each.nbytes for each in dataset.parts), device)
    objective = _objective(subject.heads, dataset, settings, device)
    bounds, columns = batch_bounds(dataset.train.count, settings.batch), objective.columns

    def feed(split: Split) -> Feed:
        return Feed(split, columns, normalization, device, keep=keep)

    def measured(split: Split) -> Feed:
        return feed(split if extent.batches is None else _one_batch(split, objective, device))

    return Plan(
        settings=settings,
        device=device,
        train=feed(dataset.train),
        val=None if dataset.val is None else measured(dataset.val),
        test=measured(dataset.test),
        bounds=bounds[: extent.batches],
        steps=len(bounds),
        ends=len(bounds),
        epochs=settings.epochs if extent.epochs is None else min(extent.epochs, settings.epochs),
        objective=objective,
        learning=subject.learned(settings),
        computing=choose_computing(settings, device, subject.network),
        world=world,
    )


def _one_batch(split: Split, objective: Objective, device: torch.device) -> Split:
    """Return as many samples as a batch of an evaluation has, from all of the part, with all targets."""
    ((_, most), *_) = evaluation_bounds(split.count, math.prod(split.shape), device)
    forms = {name: column.form for name, column in objective.columns.items() if name != INPUT}
    first = [present(form, split.column(name)).nonzero()[0] for name, form in forms.items()]
    rest = max(1, most - len(first))
    return split.chosen(torch.cat((*first, torch.arange(rest) * split.count // rest)).unique())


def _objective(heads: Heads, dataset: Dataset, settings: Recipe, device: torch.device) -> Objective:
    def counts(name: str) -> Tensor:
        column = dataset.columns[name]
        return class_counts(column.form, dataset.train.column(name), len(column.names))

    clean = clean_of(settings, dataset.input_shape)
    learned = Learned(dataset.columns, clean, counts, device, dataset.unread)
    objective = build_objective(heads, settings, learned)
    check_watched(settings, objective.figures, has_val=dataset.val is not None)
    return objective
