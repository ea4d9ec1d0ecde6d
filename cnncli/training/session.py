"""What stays the same during a training, what changes from batch to batch, and saving the latter."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnncli.graph.heads import Heads
from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Epoch
from cnncli.training.data.batches import Alter, Feed, batch_bounds, derived_seed, epoch_order, fits
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.normalization import Normalization
from cnncli.training.optimization.optimizers import build_optimizer, optimizer_tensors, restore_optimizer
from cnncli.training.optimization.schedule import learning_rate
from cnncli.training.runs.checkpoint import Checkpoint, Position, random_states, restore_random
from cnncli.training.runs.weights import fill, network_tensors
from cnncli.training.tasks.figures import Sums
from cnncli.training.tasks.objective import Learned, Objective, build_objective, check_single_images
from cnncli.training.transforms import Pipeline


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """What does not change: the settings, the data on its device, transforms, batches, the objective."""

    settings: Recipe
    device: torch.device
    train: Feed
    test: Feed
    bounds: list[tuple[int, int]]
    objective: Objective
    transforms: Pipeline

    def order(self, epoch: int) -> Tensor:
        """Return the order of the images in an epoch; epochs count from 0."""
        return epoch_order(len(self.train), self.settings.seed, epoch)

    def alter(self, epoch: int) -> Alter | None:
        """Return what the transforms do to the training images of an epoch; None without transforms."""
        if not len(self.transforms):
            return None
        table = self.transforms.table(len(self.train), self.settings.seed, epoch)
        return lambda images, index: self.transforms(images, table[index])

    def rate(self, epoch: int, batch: int) -> float:
        """Return the learning rate of a batch; epochs and batches count from 0."""
        per_epoch = len(self.bounds)
        return learning_rate(
            epoch * per_epoch + batch,
            base=self.settings.optimizer.lr,
            schedule=self.settings.schedule,
            steps=self.settings.epochs * per_epoch,
            warmup=round(self.settings.schedule.warmup * per_epoch),
        )


@dataclass(eq=False, slots=True)
class State:
    """What changes: the network, the optimizer, the position.

    ``figures`` has those of each batch of an epoch; rows from ``position.batches`` on have no meaning.
    ``start`` is the objective of the first batch of the training, a scalar, None before it.
    """

    network: nn.Module
    optimizer: Optimizer
    figures: Sums
    position: Position
    history: tuple[Epoch, ...]
    start: Tensor | None

    def snapshot(self, device: torch.device) -> Checkpoint:
        """Return a copy of everything, on the CPU."""
        return Checkpoint(
            position=self.position,
            history=self.history,
            start=None if self.start is None else float(self.start),
            network=network_tensors(self.network),
            optimizer=optimizer_tensors(self.optimizer, self.network),
            random=random_states(device),
            figures=self.figures.first(self.position.batches),
        )


def check_trainable(network: nn.Module, heads: Heads, dataset: Dataset, settings: Recipe) -> None:
    """Check that network, data and settings match, before a folder is created.

    Raises:
        UsageError: as :func:`make_plan` and :func:`make_state` would.
    """
    _objective(network, heads, dataset, settings, Normalization((0.0,), (1.0,)), torch.device("cpu"))
    build_optimizer(network, settings.optimizer)


def make_plan(
    network: nn.Module,
    heads: Heads,
    dataset: Dataset,
    settings: Recipe,
    normalization: Normalization,
    device: torch.device,
) -> Plan:
    """Move the data to where it is used, and build the objective.

    Raises:
        UsageError: network, data and settings do not match.
    """
    bounds = batch_bounds(dataset.train.count, settings.batch)
    keep = fits(dataset.train.nbytes + dataset.test.nbytes, device)
    return Plan(
        settings=settings,
        device=device,
        train=Feed(dataset.train, normalization, device, keep=keep),
        test=Feed(dataset.test, normalization, device, keep=keep),
        bounds=bounds,
        objective=_objective(network, heads, dataset, settings, normalization, device),
        transforms=Pipeline(settings.transforms),
    )


def _objective(
    network: nn.Module,
    heads: Heads,
    dataset: Dataset,
    settings: Recipe,
    normalization: Normalization,
    device: torch.device,
) -> Objective:
    classes = len(dataset.classes)
    counts = torch.bincount(dataset.train.labels, minlength=classes)
    learned = Learned(classes, dataset.input_shape, normalization, counts, device)
    objective = build_objective(heads, settings, learned)
    smallest = min(end - start for start, end in batch_bounds(dataset.train.count, settings.batch))
    if smallest == 1:
        check_single_images(network, dataset.input_shape)
    return objective


def make_state(network: nn.Module, plan: Plan, checkpoint: Checkpoint | None) -> State:
    """Return the state of ``checkpoint``; without one, the initial state, with torch seeded."""
    if checkpoint is not None:
        fill(network, checkpoint.network, "the checkpoint")
    network.to(plan.device)
    optimizer = build_optimizer(network, plan.settings.optimizer)
    state = State(
        network=network,
        optimizer=optimizer,
        figures=Sums.zeros(plan.objective.names(training=True), len(plan.bounds), plan.device),
        position=Position(),
        history=(),
        start=None,
    )
    if checkpoint is None:
        torch.manual_seed(derived_seed(plan.settings.seed, "training"))
        return state
    restore_optimizer(optimizer, network, checkpoint.optimizer, plan.settings.optimizer)
    restore_random(checkpoint.random, plan.device)
    state.figures.restore(checkpoint.figures)
    state.position, state.history = checkpoint.position, checkpoint.history
    state.start = None if checkpoint.start is None else torch.tensor(checkpoint.start, device=plan.device)
    return state
