"""The running figures of an epoch, and the error that ends a diverged training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from cnncli.diagnostics import CnncliError, Diagnostic, Related, listing
from cnncli.limits import MAX_TENSORS_NAMED
from cnncli.recipe.metrics import OBJECTIVE
from cnncli.training.diverging import not_finite
from cnncli.training.plan import Plan
from cnncli.training.runs.resuming import gentler
from cnncli.training.runs.run import Run
from cnncli.training.state import State
from cnncli.training.tasks.figures import means

DIVERGED: Final = "diverged"
"""The code of the error that ends a training."""


class DivergedError(CnncliError):
    """Ends a training whose numbers are not finite any more, or whose loss is too large.

    ``batch`` is the first of the epoch whose loss is not finite, counted from 0; ``held_out`` says whether
    the loss on held-out data is not. Otherwise both are unset.
    """

    batch: int | None = None
    held_out: bool = False

    def about(self, origin: str, related: tuple[Related, ...]) -> DivergedError:
        """Return the error with where the numbers come from."""
        first, *others = self.diagnostics
        message = f"{first.message}; {origin}"
        return DivergedError((first._replace(message=message, related=related), *others))


_FAR: Final = 10
_END: Final = 0.1
"""The share of an epoch, its last batches, that is compared with the beginning of the training."""


@dataclass(frozen=True, eq=False, slots=True)
class Monitor:
    """Computes the figures of a training, and checks that they are finite."""

    plan: Plan
    state: State
    run: Run

    def figures(self) -> dict[str, float]:
        """Return the training figures over the samples of the epoch so far, at least one batch.

        Waits for the device.

        Raises:
            DivergedError: a figure of a batch is not finite.
        """
        found = self.plan.objective.summary(means(self._rows()))
        return {f"train.{name}": value for name, value in found.items()}

    def _rows(self) -> dict[str, Tensor]:
        """Return the figures of the batches of the epoch so far, after checking that they are finite."""
        rows = self.state.figures.first(self.state.position.batches)
        self.plan.world.add(rows.values())
        totals = torch.stack([each[:, 0] for each in rows.values()]).sum(0)
        bad = (~torch.isfinite(totals)).nonzero().flatten().tolist()
        if bad:
            error = self._diverged(f"the loss became {float(totals[bad[0]])}", bad[0])
            error.batch = bad[0]
            raise error
        return rows

    def check_epoch(self, held_out: float) -> None:
        """Check the held-out loss after an epoch, and the loss at the end of its training.

        Raises:
            DivergedError: the former is not finite, or the latter is far larger than it was in the beginning.
        """
        if not math.isfinite(held_out):
            error = self._diverged(f"the held-out loss became {held_out}", self._last)
            error.held_out = True
            raise error
        if len(self.plan.bounds) < self.plan.steps:
            return  # a dry run does not get to the end of an epoch
        assert self.state.start is not None
        rows = self._rows()[OBJECTIVE]
        ends = rows[-math.ceil(len(rows) * _END) :]
        loss, start = float((ends[:, 0] / ends[:, 1]).mean()), float(self.state.start)
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
            DivergedError: a loss or a weight is not finite.
        """
        self._rows()
        unsound = not_finite(self.state.network)
        if unsound:
            raise self._diverged(
                f"weights became infinite or not a number, {listing(unsound, MAX_TENSORS_NAMED)},", self._last
            )

    @property
    def _last(self) -> int:
        """The last batch, from 0; also 0 before the first one."""
        return max(0, self.state.position.batches - 1)

    def _diverged(self, what: str, batch: int, expected: str = "a finite number") -> DivergedError:
        """Set the status of the run and return the error."""
        self.run.set_status("diverged")
        epoch, batches = self.state.position.epochs, self.plan.steps
        rate = self.plan.rate(self.plan.moment(epoch, batch, self.state.history))
        place = f"epoch {epoch + 1}, batch {batch + 1} of {batches} (step {epoch * batches + batch + 1})"
        return DivergedError(
            Diagnostic(
                DIVERGED,
                f"{what} in {place}, at a learning rate of {rate:g}",
                expected=expected,
                hint=f"start a new run with {gentler(self.plan.settings)}; "
                f"{self.run.checkpoint} has the last good state",
            )
        )
