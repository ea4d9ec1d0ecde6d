"""How a training is watched on the command line: a live display or a log, almost nothing, or events."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from cnncli.diagnostics import CnncliError
from cnncli.report.pages import notes, start
from cnncli.report.pages import train as pages
from cnncli.report.terminal import Screen
from cnncli.report.text.columns import Line
from cnncli.report.text.escapes import json_text, printable
from cnncli.results.training import Epoch, Introduction, Progress, Reading, Trained

if TYPE_CHECKING:
    from cnncli.report import live

SCHEMA: Final = "cnncli.event/1"

_LIVE_SECONDS: Final = 0.1
_EVENT_SECONDS: Final = 1.0
"""Between two reports within an epoch: on a terminal, and as events; those of a log are further apart."""


class Quiet:
    """Prints the folder of the run at the end, and nothing else but warnings and errors.

    It is an observer of the loop, and a context around it; the other ways derive from it. ``interval`` is the
    number of seconds between two reports that are worth showing.
    """

    interval: float = math.inf

    def __init__(self, screen: Screen, errors: Screen) -> None:
        self._screen = screen
        self._errors = errors

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Show nothing."""
        yield None

    def introduce(self, about: Introduction) -> None:
        """Show nothing."""

    def conclude(self, trained: Trained) -> None:
        """Print the folder."""
        self._screen.lines((Line(printable(str(trained.run)), ""),))

    def failed(self, error: CnncliError) -> None:
        """Show nothing."""

    def begun(self, history: tuple[Epoch, ...]) -> None:
        """Show nothing."""

    def progressed(self, progress: Progress) -> None:
        """Show nothing."""

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Show nothing."""

    def warned(self, message: str) -> None:
        """Print a warning on standard error."""
        self._errors.line(f"warning: {printable(message)}", "warning")

    def ended(self) -> None:
        """Show nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Display(Quiet):
    """Lines of a log, and on a terminal a live display below them."""

    def __init__(self, screen: Screen, errors: Screen) -> None:
        super().__init__(screen, errors)
        self._heading_shown = False
        self._live: live.Display | None = None
        if screen.is_terminal:
            from cnncli.report import live  # noqa: PLC0415 - rich takes a while to import

            display = live.Display(screen.stream)
            self._live = display if display.is_possible else None
        self.interval = pages.LOG_SECONDS if self._live is None else _LIVE_SECONDS

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Show a live line, or lines of a log."""
        with pages.reading(self._screen) as shown:
            yield shown

    def introduce(self, about: Introduction) -> None:
        """Show the settings, and what happens to the data."""
        pages.introduce(self._screen, about)

    def conclude(self, trained: Trained) -> None:
        """Show the figures of the test part, and what to do next."""
        pages.conclude(self._screen, trained)

    def progressed(self, progress: Progress) -> None:
        """Update the live display; in a log, add a line."""
        if self._live is None:
            self._print(pages.progress_line(progress))
        else:
            word = "training" if progress.phase == "train" else "testing "
            title = f"{word} {progress.epoch}/{progress.epochs}"
            head = (title, progress.batch, progress.batches, pages.time_left(progress))
            width = self._screen.width or self._live.width
            self._live.update(head, live_lines(progress, width), width)

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Print the line of the epoch, above the live display."""
        if not self._heading_shown:
            self._print(pages.heading(metrics))
            self._heading_shown = True
        for line in pages.epoch_lines(metrics, epochs):
            self._print(line)

    def warned(self, message: str) -> None:
        """Print a warning, above the live display."""
        self._print(f"warning: {printable(message)}", "warning")

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _print(self, text: str, role: str = "") -> None:
        if self._live is not None:
            self._live.print(text, role)
        else:
            # Write each line at once: a reader of a log should see an epoch as soon as it ends.
            self._screen.line(text, role)
            self._screen.flush()


def live_lines(progress: Progress, width: int) -> list[str]:
    """Return the figures of the live display on lines of at most ``width`` columns, if they can be."""
    lines: list[str] = []
    for part in pages.pace(progress):
        if lines and len(lines[-1]) + len(part) + 2 <= width:
            lines[-1] += f", {part}"
        else:
            lines.append(f"  {part}")
    return lines


class Events(Quiet):
    """Prints a line of JSON for each event: a schema, the name of the event, and what it has to say."""

    interval: float = _EVENT_SECONDS

    def __init__(self, screen: Screen, errors: Screen) -> None:
        super().__init__(screen, errors)
        self._shown = time.monotonic()

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Print how far the reading is, at intervals."""
        yield self._read

    def introduce(self, about: Introduction) -> None:
        """Print what is about to happen."""
        plain = about._asdict()
        columns = {name: column._asdict() for name, column in about.columns.items()}
        others = {
            "columns": columns,
            "spec_notes": notes.document(about.spec_notes),
            "folder": str(about.folder),
            "start": start.document(about.start),
        }
        self._event("start", plain | others)

    def conclude(self, trained: Trained) -> None:
        """Print the result."""
        outcome = None if trained.outcome is None else asdict(trained.outcome)
        remedies = [each._asdict() for each in trained.remedies]
        self._event(
            "end",
            {
                "status": trained.status,
                "folder": str(trained.run),
                "epochs": len(trained.history),
                "signal": trained.signal,
                "outcome": outcome,
                "remedies": remedies,
            },
        )

    def failed(self, error: CnncliError) -> None:
        """Print the error."""
        parts = ("expected", "received", "detail")
        found = [
            known | {part: getattr(each, part) for part in parts}
            for known, each in zip(notes.document(error.diagnostics), error.diagnostics, strict=True)
        ]
        self._event("error", {"diagnostics": found})

    def progressed(self, progress: Progress) -> None:
        """Print the progress."""
        self._event("progress", asdict(progress))

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Print an epoch."""
        self._event("epoch", asdict(metrics) | {"epochs": epochs})

    def warned(self, message: str) -> None:
        """Print a warning."""
        self._event("warning", {"message": message})

    def _read(self, done: int, count: int) -> None:
        now = time.monotonic()
        if now - self._shown >= self.interval:
            self._shown = now
            self._event("reading", {"done": done, "images": count})

    def _event(self, name: str, values: Mapping[str, Any]) -> None:
        event = {"schema": SCHEMA, "event": name, **values}
        text = json.dumps(event, ensure_ascii=False, allow_nan=False)
        self._screen.stream.write(f"{json_text(text)}\n")
        self._screen.flush()


WAYS: Final[Mapping[str, type[Quiet]]] = {
    "display": Display,
    "quiet": Quiet,
    "json": Events,
}
"""The ways in which a training can be watched: each takes standard output and standard error."""
