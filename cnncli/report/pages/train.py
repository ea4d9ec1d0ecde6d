"""What ``cnncli train`` says of a training: its first lines, a line for each epoch, its end."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from cnncli.diagnostics import counted, listing
from cnncli.layers import shape_text
from cnncli.recipe.columns import MASK, NUMBER, PICTURE, TAGS, Column
from cnncli.recipe.metrics import ACCURACY, LOSS, METRICS, TELLING, TEST, TRAIN, held_out
from cnncli.report.page import Text
from cnncli.report.pages import course, notes, rates, start
from cnncli.report.terminal import Screen
from cnncli.report.text.escapes import printable
from cnncli.report.text.figures import by_head, figure_text, figures_text
from cnncli.report.text.numbers import duration
from cnncli.report.text.wrapping import NO_BREAK
from cnncli.results.training import Epoch, Introduction, Previewed, Progress, Trained

READING: Final = "reading images"
TRYING: Final = "trying steps"

LOG_SECONDS: Final = 30.0
"""How often progress is shown in the lines of a log."""

_HEAD_WIDTH: Final = 17
"""The characters of an epoch and its learning rate, where the lines below have the name of a head."""


@contextmanager
def reading(screen: Screen) -> Iterator[Callable[[int, int], None]]:
    """Show a live line while data is read, or lines of a log; yield a function of (done, total)."""
    with counting(screen) as shown:
        yield shown(READING)


@contextmanager
def counting(screen: Screen) -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """Show a live line, or lines of a log; yield a function of a title.

    That one returns a function of (done, total).
    """
    if not screen.is_terminal:
        log = _Log(screen)
        yield lambda what: partial(log.counted, what)
        return
    from cnncli.report import live  # noqa: PLC0415 - on a terminal only

    with live.counting(screen.stream, READING) as shown:
        yield shown


class _Log:
    """Lines about what is counted, as seldom as those of a training."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown = time.monotonic()

    def counted(self, what: str, done: int, count: int) -> None:
        now = time.monotonic()
        if now - self._shown < LOG_SECONDS:
            return
        self._shown = now
        self._screen.line(f"{what}: {done:,} of {count:,}")
        self._screen.flush()


def progress_line(progress: Progress) -> str:
    """Return how far an epoch is, as a line of a log."""
    where = f"epoch {progress.epoch}/{progress.epochs}"
    done = f"{progress.batch:,} of {progress.batches:,}"
    parts = [f"batch {done}", *pace(progress)] if progress.phase == "train" else [f"testing, batch {done}"]
    left = time_left(progress)
    return f"{where}: {', '.join([*parts, left] if left else parts)}"


def pace(progress: Progress) -> Iterator[str]:
    """Yield the figures of the epoch so far, without those of single heads, and where its time goes."""
    running = dict(by_head(progress.figures, TRAIN))
    if "" in running:
        yield figures_text(running[""], 4)
    if progress.images_per_second:
        yield f"{progress.images_per_second:,.0f} images/s"
        yield f"{100 * progress.waiting:.0f} % waiting for data"
    if progress.of_peak is not None:
        yield f"{100 * progress.of_peak:.0f} % of the device's peak"


def time_left(progress: Progress) -> str:
    """Return how long the training will take; empty if that is not known."""
    return "" if progress.seconds_left is None else f"{duration(max(round(progress.seconds_left), 1))} left"


def heading(metrics: Epoch) -> str:
    """Return the headings above the figures of epochs: the loss, and a metric of the main head."""
    parts = (TRAIN, held_out(metrics.figures))
    titles = [METRICS[_metric(dict(by_head(metrics.figures, part))[""])].title for part in parts]
    figures = "  ".join(
        f"{part + ' loss':>10}  {title:>8}" for part, title in zip(parts, titles, strict=True)
    )
    return f"{'epoch':>7}  {'lr':<8} {figures}  {'images/s':>9}"


def epoch_lines(metrics: Epoch, epochs: int) -> Iterator[str]:
    """Yield one epoch's figures, aligned with the heading, and those of each head if there are several."""
    train, measured = (dict(by_head(metrics.figures, part)) for part in (TRAIN, held_out(metrics.figures)))
    for head in train | measured:
        figures = f"{_columns(train.get(head, {}))}  {_columns(measured.get(head, {}))}"
        if head:
            yield f"{printable(head)[:_HEAD_WIDTH]:>{_HEAD_WIDTH}} {figures}"
        else:
            count = f"{metrics.epoch}/{epochs}"
            yield f"{count:>7}  {metrics.lr:<8.2g} {figures}  {metrics.images_per_second:>9,.0f}"


def _columns(figures: Mapping[str, float]) -> str:
    """Return the loss and a metric; a dash for one that was not measured."""
    loss, metric = (
        figure_text(METRICS[name], figures[name], 4) if name in figures else "-"
        for name in (LOSS, _metric(figures))
    )
    return f"{loss:>10}  {metric:>8}"


def _metric(figures: Mapping[str, float]) -> str:
    """Return the metric of a head that is shown with its loss: the one that tells most of those it has."""
    return next((name for name in TELLING if name in figures), ACCURACY)


def introduce(screen: Screen, about: Introduction) -> None:
    """Show the settings of the run, and every conversion of the data."""
    screen.line(f"{printable(about.name)} on {about.device}, run folder {about.folder}", "title")
    for block in introduction(about):
        for line in block.lines:
            screen.line(line, block.role)
    screen.line()
    screen.flush()


def introduction(about: Introduction) -> Iterator[Text]:
    """Yield the settings of a run, and every conversion of the data."""
    val = f"{about.val_count:,} for validation, " if about.val_count else ""
    counts = f"{counted(about.train_count, 'image')} to train on, {val}{about.test_count:,} held out"
    yield Text((f"{printable(about.data)}: {counts}, images of {shape_text(about.input_shape)}",))
    yield Text(tuple(_notes(about)), "note")
    yield from notes.texts(about.spec_notes)


def _notes(about: Introduction) -> Iterator[str]:
    for name, column in about.columns.items():
        yield f"  {printable(name)}: {printable(_column(column))}"
    for note in about.notes:
        yield f"  {printable(note)}"
    yield from start.lines(about.start)
    yield from _changes(about)
    yield f"learns {printable('; '.join(about.tasks))}"
    rate = f"lr {about.lr:g} ({about.schedule})"
    yield f"{about.optimizer}, {rate}, batch {about.batch}, seed {about.seed}, {about.computing}"
    yield from (f"  {printable(each)}" for each in about.ways)
    yield from (f"  {each}" for each in rates.summary(about.rates))
    if about.update:
        yield f"in each step: {listing(about.update)}"
    yield from course.lines(about)
    if about.stop:
        yield f"stops {printable(about.stop)}"
    if about.chosen_by:
        yield f"measures the test part once, with the weights of the epoch with the best {about.chosen_by}"
    if about.penalty:
        yield f"penalty on weights, in the objective only: {about.penalty}"
    yield _origins(about)
    yield from _continued(about)


def _origins(about: Introduction) -> str:
    """Return where the settings come from."""
    if about.resumed and about.epochs == about.epochs_before:
        return "all settings are those that the run was started with"
    if about.resumed:
        return (
            f"train.epochs, and with it the schedule, was {about.epochs_before} so far, "
            f"and is {about.epochs} from here on; all other settings are those that the run was started with"
        )
    sources = [f"{printable(origin)}: {', '.join(names)}" for origin, names in about.origins.items()]
    return f"settings from {'; '.join((*sources, 'all others are defaults'))} (--print-recipe)"


def _column(column: Column) -> str:
    """Return what a column of the data has for each image."""
    if column.form == PICTURE:
        return f"a picture of {shape_text(column.shape)}"
    unit = {TAGS: "tag", NUMBER: "number"}.get(column.form, "class")
    of_pixels = " of pixels" if column.form == MASK else ""
    return f"{counted(len(column.names), unit)}{of_pixels}: {listing(column.names)}"


def _changes(about: Introduction | Previewed) -> Iterator[str]:
    """Yield what happens to images before the network sees them."""
    yield f"transforms of training images: {', then '.join(about.transforms) or 'none'}"
    if about.corrupt:
        yield f"what the network sees: {', then '.join(about.corrupt)}"


def previewed(screen: Screen, about: Previewed) -> None:
    """Show what a picture of transforms contains."""
    for line in _changes(about):
        screen.line(line, "note")
    samples, epochs = counted(about.samples, "sample"), counted(about.epochs, "epoch")
    text = f"{printable(str(about.path))}: {samples}, each before them and as in the first {epochs}"
    if len(about.rows) > 1:
        text += f"; rows of a sample: {printable(listing(about.rows))}"
    screen.line(text, "good")


def _continued(about: Introduction) -> Iterator[str]:
    """Yield where a run is resumed, if it is."""
    done, batches = about.finished_epochs, about.finished_batches
    if about.ended:
        yield f"{printable(about.ended)}; more epochs do not change that"
    elif done == about.epochs:
        yield f"all {done} epochs are finished; --set train.epochs={2 * done} would continue the run"
    elif batches:
        yield f"continues in epoch {done + 1} of {about.epochs}, after batch {batches}"
    elif done:
        yield f"continues after epoch {done} of {about.epochs}"
    elif about.resumed:
        yield "continues from the beginning: no step of the run was saved"
    if about.moved and done < about.epochs:
        yield f"another machine or software than before: {printable('; '.join(about.moved))}"
        yield "so its last digits may differ from those of a run that was never interrupted"


def conclude(screen: Screen, trained: Trained) -> None:
    """Show how a training ended, and what to do next."""
    screen.line()
    if trained.status == "interrupted":
        screen.line(f"interrupted; resume with: {_typed('train --resume', trained.run)}", "note")
        return
    outcome = trained.outcome
    assert outcome is not None
    if outcome.reason:
        screen.line(printable(outcome.reason), "note")
    if outcome.chosen_by:
        best = f"the best {printable(outcome.chosen_by)} of {counted(len(trained.history), 'epoch')}"
        screen.line(f"{best} is that of epoch {outcome.epoch}", "note")
    for head, own in by_head(outcome.figures, TEST):
        screen.line(f"{printable(head) if head else TEST} {figures_text(own)}", "good")
    if outcome.overfitting:
        screen.line(outcome.overfitting, "warning")
        screen.line("what helps, and is not used yet:", "warning")
        for remedy in trained.remedies:
            screen.line(f"  {remedy.name}: {remedy.how}", "note")
    screen.line(f"measure it again with: {_typed('evaluate', trained.run)}", "note")


def _typed(command: str, run: Path) -> str:
    """Return a command on a run as it can be copied into a shell: quoted, and on one line."""
    return f"cnncli {command} {shlex.quote(str(run))}".replace(" ", NO_BREAK)
