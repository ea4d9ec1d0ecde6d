"""What training tells while it runs; showing it is the business of whoever listens."""

from __future__ import annotations

from typing import Protocol

from cnncli.results.training import Epoch, Progress


class Observer(Protocol):
    """Listens to training. Whatever it raises ends the training as a crash would: the run can be resumed."""

    def progressed(self, progress: Progress) -> None:
        """Called a few times a second at most."""

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Called once for each epoch, after its results are safely in the run folder."""


class Silent:
    """An observer that ignores everything."""

    def progressed(self, progress: Progress) -> None:
        """Ignore it."""

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Ignore it."""
