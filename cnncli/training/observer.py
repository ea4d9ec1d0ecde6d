"""What the training loop reports while it runs, and who gets it: several, none of whom changes the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from cnncli.diagnostics import CnncliError
from cnncli.results.training import Epoch, Progress


class Observer(Protocol):
    """Reacts to what happens; an exception in it ends the training like a crash.

    It gets plain values and nothing of the training itself, so it cannot change the result.
    """

    def begun(self, history: tuple[Epoch, ...]) -> None:
        """Receive the epochs that are finished already, those of a run that is resumed."""

    def progressed(self, progress: Progress) -> None:
        """Receive the progress, a few times per second at most."""

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Receive the figures of an epoch, after they were saved in the run folder."""

    def warned(self, message: str) -> None:
        """Receive a warning: what went wrong without ending the training."""

    def ended(self) -> None:
        """React to the end: all epochs are done, or an interrupt or an error has ended the training."""


class Silent:
    """An observer that ignores everything; others derive from it and react to some of it."""

    def begun(self, history: tuple[Epoch, ...]) -> None:
        """Ignore it."""

    def progressed(self, progress: Progress) -> None:
        """Ignore it."""

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Ignore it."""

    def warned(self, message: str) -> None:
        """Ignore it."""

    def ended(self) -> None:
        """Ignore it."""


class Together:
    """Passes everything on: to ``watching`` observers, and to ``writing`` ones, which may fail.

    What the latter write follows from the history, so it can be written later; the training is worth more.
    The first failure of each becomes a warning, and it gets everything that comes after.
    """

    def __init__(self, watching: Sequence[Observer], writing: Sequence[Observer] = ()) -> None:
        self._watching = tuple(watching)
        self._writing = tuple(writing)
        self._failed: set[int] = set()

    def begun(self, history: tuple[Epoch, ...]) -> None:
        """Pass it on."""
        self._each(lambda observer: observer.begun(history))

    def progressed(self, progress: Progress) -> None:
        """Pass it on."""
        self._each(lambda observer: observer.progressed(progress))

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Pass it on."""
        self._each(lambda observer: observer.epoch_finished(metrics, epochs))

    def warned(self, message: str) -> None:
        """Pass it on to those that watch."""
        for observer in self._watching:
            observer.warned(message)

    def ended(self) -> None:
        """Pass it on."""
        self._each(lambda observer: observer.ended())

    def _each(self, react: Callable[[Observer], None]) -> None:
        for observer in self._watching:
            react(observer)
        for number, observer in enumerate(self._writing):
            try:
                react(observer)
            except Exception as error:  # noqa: BLE001 - whatever a file or a picture lacks, the training continues
                if number not in self._failed:
                    self._failed.add(number)
                    self.warned(f"{in_one_line(error)}; the training continues")


def in_one_line(error: Exception) -> str:
    """Return what went wrong, on one line, with what to do about it."""
    if not isinstance(error, CnncliError):
        return f"{type(error).__name__}: {error}"
    first = error.diagnostics[0]
    return f"{first.message} ({first.hint})" if first.hint else first.message
