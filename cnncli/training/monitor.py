"""The running figures of an epoch, and the error that ends a diverged training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch

from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.training.optimization.optimizers import all_finite
from cnncli.training.runs.run import Run
from cnncli.training.session import Plan, State

_FAR: Final = 10
_END: Final = 0.1
"""The share of an epoch, its last batches, that is compared with the beginning of the training."""


class Means(NamedTuple):
    """Means over the images of an epoch so far: what is minimized, and the main head's figures."""

    objective: float
    loss: float
    accuracy: float


@dataclass(frozen=True, eq=False, slots=True)
class Monitor:
    """Computes the figures of a training, and checks that they are finite."""

    plan: Plan
    state: State
    run: Run

    def means(self) -> Means:
        """Return the means over the images of the epoch so far; waits for the device.

        Raises:
            CnncliError: the objective of a batch is not finite.
        """
        done = self.state.position.batches
        if done == 0:
            return Means(0.0, 0.0, 0.0)
        sizes = torch.tensor([end - start for start, end in self.plan.bounds[:done]], dtype=torch.float64)
        objectives, losses = (
            figures[:done].cpu().to(torch.float64) for figures in (self.state.objectives, self.state.losses)
        )
        bad = (~torch.isfinite(objectives + losses)).nonzero().flatten().tolist()
        if bad:
            raise self._diverged(f"the loss became {float(objectives[bad[0]] + losses[bad[0]])}", bad[0])
        images = float(sizes.sum())
        correct = int(self.state.correct[:done].sum())
        return Means(float(objectives @ sizes) / images, float(losses @ sizes) / images, correct / images)

    def check_epoch(self, held_out: float) -> None:
        """Check the held-out loss after an epoch, and the loss at the end of its training.

        Raises:
            CnncliError: the former is not finite, or the latter is far larger than it was in the beginning.
        """
        if not math.isfinite(held_out):
            raise self._diverged(f"the held-out loss became {held_out}", self._last)
        assert self.state.start is not None
        losses = self.state.losses[-math.ceil(len(self.state.losses) * _END) :]
        loss, start = float(losses.mean()), float(self.state.start)
        most = _FAR * max(start, self.plan.objective.chance)
        if loss > most:
            raise self._diverged(
                f"the loss became {loss:.4g}, after {start:.4g} with the initial weights",
                self._last,
                expected=f"at most {_FAR} times that of the initial weights or of guessing, {most:.4g}",
            )

    def check_state(self) -> None:
        """Check everything that a checkpoint would contain.

        Raises:
            CnncliError: a loss or a weight is not finite.
        """
        self.means()
        if not all_finite(self.state.network):
            raise self._diverged("weights became infinite or not a number", self._last)

    @property
    def _last(self) -> int:
        """The last batch, from 0; also 0 before the first one."""
        return max(0, self.state.position.batches - 1)

    def _diverged(self, what: str, batch: int, expected: str = "a finite number") -> CnncliError:
        """Set the status of the run and return the error."""
        self.run.set_status("diverged")
        epoch, batches = self.state.position.epochs, len(self.plan.bounds)
        settings = self.plan.settings
        rate = self.plan.rate(epoch, batch)
        place = f"epoch {epoch + 1}, batch {batch + 1} of {batches} (step {epoch * batches + batch + 1})"
        return CnncliError(
            Diagnostic(
                "diverged",
                f"{what} in {place}, at a learning rate of {rate:g}",
                expected=expected,
                hint=f"start a new run with a smaller train.optimizer.{settings.optimizer.keyword}.lr "
                f"or a longer train.schedule.{settings.schedule.keyword}.warmup; "
                f"{self.run.checkpoint} has the last good state",
            )
        )
