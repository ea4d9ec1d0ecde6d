"""Whether a checkpoint is one that a training can continue from."""

from __future__ import annotations

import torch

from cnncli.diagnostics import listing, usage_error
from cnncli.recipe.metrics import LOSS, TRAIN, VAL
from cnncli.results.training import Epoch
from cnncli.training.plan import Plan
from cnncli.training.runs.checkpoint import Checkpoint
from cnncli.training.runs.resuming import check_position
from cnncli.training.stopping import choosing


def check_checkpoint(checkpoint: Checkpoint, plan: Plan) -> None:
    """Check that the position of a checkpoint exists in a plan, and that its figures are possible there.

    Raises:
        UsageError: they are not.
    """
    position = checkpoint.position
    check_position(position, plan.settings.epochs)
    _check_history(checkpoint.history, plan)
    if position.batches > len(plan.batches(position.epochs)):
        raise usage_error(
            f"the checkpoint is after batch {position.batches} of an epoch",
            expected=f"at most {len(plan.batches(position.epochs))} batches",
            received=str(position.batches),
        )
    if position.batches == 0:
        return
    names = plan.objective.names(training=True)
    if checkpoint.figures.keys() != {*names}:
        raise usage_error(
            "the checkpoint has other figures than this training",
            expected=listing(sorted(names)),
            received=listing(sorted(checkpoint.figures)),
        )
    sizes = torch.tensor([end - start for start, end in plan.bounds[: position.batches]])
    if any(bool((rows[:, 1] > sizes).any()) for rows in checkpoint.figures.values()):
        raise usage_error("the checkpoint is damaged: it counts more images than a batch has")


def _check_history(history: tuple[Epoch, ...], plan: Plan) -> None:
    """Check that every epoch has the figures that something follows from.

    Raises:
        UsageError: one does not.
    """
    part, _ = plan.held_out
    needed = {
        f"{TRAIN}.{LOSS}",
        f"{part}.{LOSS}",
        *(f"{part}.{name}" for name in plan.settings.watched.values()),
    }
    if part == VAL and history:
        needed.add(choosing(plan.settings.stop, history[0].figures))
    for each in history:
        if not needed <= each.figures.keys():
            raise usage_error(
                f"the checkpoint is damaged: epoch {each.epoch} lacks figures",
                expected=listing(sorted(needed)),
                received=listing(sorted(each.figures)),
            )
