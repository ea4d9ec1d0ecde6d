"""What the training loop reports while it runs."""

from __future__ import annotations

from typing import Protocol

from cnncli.results.training import Epoch, Progress


class Observer(Protocol):
    """Receives reports from the loop; an exception in it ends the training like a crash."""

    def progressed(self, progress: Progress) -> None:
        """Receive the progress, a few times per second at most."""

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Receive the figures of an epoch, after they were saved in the run folder."""


class Silent:
    """An observer that ignores everything."""

    def progressed(self, progress: Progress) -> None:
        """Ignore it."""

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Ignore it."""
