"""What changes during a training, from batch to batch, and saving and restoring it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from cnncli.diagnostics import counted, usage_error
from cnncli.results.training import Epoch
from cnncli.training.computing import Forward
from cnncli.training.data.batches import derived_seed
from cnncli.training.optimization.averaging import initial_average
from cnncli.training.optimization.optimizers import (
    build_optimizer,
    freeze,
    start_momentum,
)
from cnncli.training.optimization.scaling import restore_scaler, scaler_tensors
from cnncli.training.optimization.state import optimizer_tensors, restore_optimizer
from cnncli.training.plan import Plan
from cnncli.training.runs.checkpoint import Checkpoint, Position, random_states, restore_random
from cnncli.training.runs.weights import fill, network_tensors, on_cpu
from cnncli.training.synchronized import synchronize
from cnncli.training.tasks.figures import Sums


@dataclass(eq=False, slots=True)
class State:
    """What changes: the network, the optimizer, the position.

    ``forward`` computes the network. ``average`` is the state dict of the averaged weights, and ``scaler``
    has the factor of the loss; both are None without. ``figures`` has those of each batch of an epoch; rows
    from ``position.batches`` on have no meaning. ``start`` is the objective of the first batch of the
    training, a scalar, None before it.
    """

    network: nn.Module
    forward: Forward
    optimizer: Optimizer
    average: dict[str, Tensor] | None
    scaler: GradScaler | None
    figures: Sums
    position: Position
    history: tuple[Epoch, ...]
    start: Tensor | None

    def snapshot(self, plan: Plan) -> Checkpoint:
        """Return a copy of everything, on the CPU: that of this process, and the figures of all of them."""
        figures = self.figures.first(self.position.batches)
        plan.world.add(figures.values())
        return Checkpoint(
            position=self.position,
            history=self.history,
            start=None if self.start is None else float(self.start),
            network=network_tensors(self.network),
            average={} if self.average is None else on_cpu(self.average),
            optimizer=optimizer_tensors(self.optimizer, self.network),
            scaler={} if self.scaler is None else scaler_tensors(self.scaler),
            random=random_states(plan.device, plan.world),
            figures=figures,
        )


def make_state(network: nn.Module, plan: Plan, checkpoint: Checkpoint | None) -> State:
    """Return the state of ``checkpoint``; without one, the initial state, with torch seeded.

    Raises:
        UsageError: the checkpoint is not one of this network, or some process has no samples of a batch and
            the network needs some.
    """
    _check_shares(network, plan)
    average, scaler = None, GradScaler(plan.device.type) if plan.computing.scales else None
    if checkpoint is not None and plan.settings.average is not None:
        fill(network, checkpoint.average, "the checkpoint's average")
        plan.computing.place(network)
        average = initial_average(network)
    if checkpoint is not None:
        fill(network, checkpoint.network, "the checkpoint")
    plan.computing.place(network)
    if checkpoint is None and plan.settings.average is not None:
        average = initial_average(network)
    freeze(network, plan.learning)  # what learns later has its place in the optimizer from the beginning
    if plan.settings.sync_batchnorm:
        synchronize(network, plan.world)
    optimizer = build_optimizer(network, plan.learning)
    position = Position() if checkpoint is None else checkpoint.position
    freeze(network, plan.learning.at(position.epochs))
    state = State(
        network=network,
        forward=plan.computing.forward(network),
        optimizer=optimizer,
        average=average,
        scaler=scaler,
        figures=Sums.zeros(plan.objective.names(training=True), len(plan.bounds), plan.device),
        position=position,
        history=(),
        start=None,
    )
    # Initial weights are drawn in each process, perhaps by processors that round in other ways.
    plan.world.spread((*network.state_dict().values(), *(average or {}).values()))
    if checkpoint is None:
        if scaler is not None:
            start_momentum(optimizer)
        torch.manual_seed(_training_seed(plan))
        return state
    restore_optimizer(optimizer, network, checkpoint.optimizer)
    restore_scaler(scaler, checkpoint.scaler)
    if not restore_random(checkpoint.random, plan.device, plan.world):
        # More processes than before: the new ones begin here.
        torch.manual_seed(_training_seed(plan, checkpoint.position.epochs, checkpoint.position.batches))
    if plan.world.leads:
        state.figures.restore(checkpoint.figures)  # those of all processes
    state.history = checkpoint.history
    state.start = None if checkpoint.start is None else torch.tensor(checkpoint.start, device=plan.device)
    return state


def _check_shares(network: nn.Module, plan: Plan) -> None:
    """Check that a network can be trained on the shares of batches, some of which may be empty.

    Raises:
        UsageError: it has a pixel shuffle, of which torch cannot compute the gradient without samples.
    """
    last = replace(plan.world, rank=plan.world.size - 1)
    small = [end - start for start, end in plan.bounds if len({*last.share(start, end)}) == 1]
    if small and any(isinstance(each, nn.PixelShuffle) for each in network.modules()):
        raise usage_error(
            f"a batch of {counted(small[0], 'image')} is too small for {plan.world.size} processes, "
            "since the network has a pixelshuffle",
            expected=f"a train.batch whose last batch has {2 * plan.world.size} images or more",
            received=f"{counted(small[0], 'image')} in the last batch",
        )


def _training_seed(plan: Plan, *position: int) -> int:
    """Return the seed of what layers such as dropout draw; each process has its own."""
    rank = plan.world.rank
    return derived_seed(plan.settings.seed, "training", *((rank, *position) if rank else ()))
