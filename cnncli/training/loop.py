"""The training loop: epochs of batches, an evaluation after each, and checkpoints to resume from."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import torch

from cnncli.diagnostics import CnncliError, Location, Related
from cnncli.interrupts import Interrupts
from cnncli.recipe.averaging import Swa
from cnncli.recipe.metrics import LOSS, TEST
from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Epoch, Outcome, Progress, Trained
from cnncli.training.conduct import USUAL, Conduct
from cnncli.training.continuing import check_checkpoint
from cnncli.training.data.batches import derived_seed
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.feed import Feed
from cnncli.training.device import BACKENDS
from cnncli.training.diverging import Origin, Repetition, watched
from cnncli.training.evaluate import Manner, evaluate_feed
from cnncli.training.kept_memory import memory_kept
from cnncli.training.monitor import DivergedError, Monitor
from cnncli.training.observer import Observer, Silent
from cnncli.training.optimization.averaging import exchanged
from cnncli.training.optimization.optimizers import freeze, prepare_training
from cnncli.training.optimization.statistics import has_statistics, renew_statistics
from cnncli.training.overfitting import overfitting
from cnncli.training.pace import Pace
from cnncli.training.plan import Plan, Subject, make_plan
from cnncli.training.runs.checkpoint import Position
from cnncli.training.runs.run import Run
from cnncli.training.state import State, make_state
from cnncli.training.step import step
from cnncli.training.stopping import best_epoch, check_chosen, choosing, reason_to_stop
from cnncli.training.transforms import held_out_alters


def seed_weights(seed: int) -> None:
    """Seed torch for the initial weights; call it before the network is created."""
    torch.manual_seed(derived_seed(seed, "weights"))


def train(
    subject: Subject,
    dataset: Dataset,
    settings: Recipe,
    run: Run,
    *,
    device: torch.device,
    observer: Observer | None = None,
    conduct: Conduct = USUAL,
) -> Trained:
    """Train the network of ``subject`` in ``run``, from its checkpoint or from the beginning.

    The same seed on the same CPU gives bit-for-bit the same weights and figures, whether or not the training
    was interrupted and resumed. The first of :data:`cnncli.interrupts.SIGNALS` finishes the current batch,
    saves, and returns; a second SIGINT raises KeyboardInterrupt. A checkpoint is written at the beginning,
    after every epoch, and within epochs as ``settings.save`` says.

    A finished run continues if ``settings.epochs`` is larger than before, unless it was stopped early; from
    there on, the schedule is that of the new number of epochs. Otherwise nothing is written but files that
    are missing.

    With a validation part the network ends with the weights of the best epoch, otherwise with the last ones.

    Args:
        subject: its network was created after :func:`seed_weights`; it is trained in place and ends on
            ``device``.
        dataset: what to learn from, and what to measure on: the validation part after every epoch and the
            test part at the end, or, without a validation part, the test part after every epoch.
        settings: how to train.
        run: created by :func:`~cnncli.training.runs.run.create_run` for these settings and data, or opened
            and checked by :mod:`cnncli.training.runs.resuming`.
        device: where to compute.
        observer: receives the progress.
        conduct: how often to report, how much to carry out, and sizes of images.

    Raises:
        UsageError: network, data, settings and run do not match, or a file cannot be written.
        DivergedError: the loss is no longer finite, or far too large; the last good checkpoint is kept.
    """
    with run.locked(), memory_kept(device), Interrupts() as interrupts:
        checkpoint = run.read_checkpoint()
        normalization, extent, world = run.record.normalization, conduct.extent, conduct.world
        plan = make_plan(subject, dataset, settings, normalization, device, extent, world).on(conduct.course)
        if checkpoint is not None:
            check_checkpoint(checkpoint, plan)
        state = make_state(subject.network, plan, checkpoint)
        observer = observer or Silent()
        monitor = Monitor(plan, state, run)
        loop = _Loop(plan, state, run, monitor, observer, interrupts, conduct, subject.places)
        ended = run.ended(settings)
        # Nobody writes before all have read.
        (is_left,) = world.largest(ended is None or loop.unfinished)
        if ended is not None and not is_left:
            observer.begun(state.history)
            return loop.unchanged(ended)
        run.begin(settings, dataset, device)
        run.reset_metrics(state.history)
        observer.begun(state.history)
        if checkpoint is None:
            loop.save()
        else:
            if loop.best not in (None, state.position):
                run.check_best(loop.best, state.position)
            loop.keep_weights()
        try:
            return loop.run_epochs()
        except DivergedError as error:
            raise loop.explained(error) from None


@dataclass(eq=False, slots=True)
class _Loop:
    """One call of :func:`train`. Epochs and batches count from 0 here, and from 1 in reports and messages.

    ``signal`` is what any of the processes received; 0 for none.
    """

    plan: Plan
    state: State
    run: Run
    monitor: Monitor
    observer: Observer
    interrupts: Interrupts
    conduct: Conduct
    places: Mapping[str, Location]
    reported: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)
    pace: Pace = field(default_factory=Pace)
    rate: float = 0.0
    images_per_second: float = 0.0
    signal: int = 0

    def run_epochs(self) -> Trained:
        """Train all remaining epochs, until one after which there is a reason to stop, or an interrupt."""
        try:
            while self.unfinished:
                if not self.run_epoch():
                    self.save()
                    self.keep_weights()
                    return self.interrupted()
        except OSError:  # an output that nobody reads any more, or whose disk is full
            self.save_alone()
            raise
        return self.finished()

    def run_epoch(self) -> bool:
        """Train the rest of an epoch and measure the held-out part; return False after an interrupt."""
        part, feed = self.plan.held_out
        self.train_batches()
        figures = self.evaluated_epoch(part, feed)
        if figures is None:
            return False
        self.finish_epoch(figures, figures[f"{part}.{LOSS}"])
        return True

    def save_alone(self) -> None:
        """Save what was done until something ended this process; several processes cannot save then."""
        if self.plan.world.size == 1:
            self.save()
            self.run.set_status("interrupted")

    @property
    def unfinished(self) -> bool:
        """Whether there is another epoch to train."""
        return self.state.position.epochs < self.plan.epochs and not self.reason

    @property
    def reason(self) -> str:
        """Why the training ends after the last epoch; empty if it does not."""
        return reason_to_stop(self.state.history, self.plan.settings.stop)

    @property
    def best(self) -> Position | None:
        """The end of the best epoch so far; None without a validation part, or before the first epoch."""
        history = self.state.history
        if self.plan.val is None or not history:
            return None
        return Position(best_epoch(history, self.plan.settings.stop))

    def keep_weights(self) -> None:
        """Write the present weights, and once more if they are the best ones so far."""
        network, position = self.state.network, self.state.position
        with self.measured():
            self.run.save_weights(network, position)
            if position == self.best:
                self.run.save_best(network, position)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Give the network the weights that are measured while the context lasts: their average, if any."""
        has_average = self.plan.has_average(self.state.position)
        with exchanged(self.state.network, self.state.average if has_average else None):
            yield

    def evaluated_epoch(self, part: str, feed: Feed) -> dict[str, float] | None:
        """Return the figures after an epoch; None after an interrupt."""
        with self.measured():
            return self.evaluated(part, feed) if self.renewed() else None

    def renewed(self) -> bool:
        """Renew the statistics of an average that needs it; return False after an interrupt."""
        plan, state = self.plan, self.state
        is_mean = isinstance(plan.settings.average, Swa) and plan.has_average(state.position)
        still = plan.learning.at(state.position.epochs).still
        if not is_mean or not has_statistics(state.network, still):
            return True
        epoch = state.position.epochs
        batches, stop = plan.samples(epoch), self.is_interrupted
        return renew_statistics(state.network, state.forward, batches, stop, still, plan.world)

    def is_interrupted(self) -> bool:
        """Return whether a signal was received, by any of the processes."""
        world = self.plan.world
        (self.signal,) = world.largest(self.interrupts.received or world.orphaned)
        return self.signal != 0

    def evaluated(self, part: str, feed: Feed) -> dict[str, float] | None:
        """Return the figures of a part of the data, by their full names; None after an interrupt."""
        with self.pace.evaluation():
            found = evaluate_feed(
                self.state.network,
                feed,
                self.plan.objective,
                self.plan.device,
                self.between_evaluations,
                held_out_alters(self.plan.settings, len(feed)),
                Manner(forward=self.state.forward, world=self.plan.world),
            )
        return None if found is None else {f"{part}.{name}": value for name, value in found.figures.items()}

    def load_result(self) -> None:
        """Load the weights that are measured in the end: the best ones, or else the last ones."""
        state, world = self.state, self.plan.world
        if self.best not in (None, state.position):
            if world.leads:
                self.run.check_best(self.best, state.position)
                self.run.load(state.network, self.run.best)
            world.spread(state.network.state_dict().values())
        elif state.average is not None and self.plan.has_average(state.position):
            state.network.load_state_dict(state.average)
        state.average = None  # the network has it now

    def unchanged(self, outcome: Outcome) -> Trained:
        """Load its weights, and return the result of a run that was finished before."""
        self.load_result()
        return Trained(self.run.folder, "finished", self.state.history, outcome=outcome)

    def explained(self, error: DivergedError) -> DivergedError:
        """Return the error with the first layer whose output is not finite, if it can be found."""
        try:
            origin = self.origin(error)
        except (RuntimeError, CnncliError):  # no memory for it, for example: what is known is said
            origin = None
        if origin is None:
            return error
        place = self.places.get(origin.layer)
        related = () if place is None else (Related(f"the layer '{origin.layer}'", place),)
        return error.about(str(origin), related)

    def origin(self, error: DivergedError) -> Origin | None:
        """Compute again what is not finite, and return where it comes from."""
        plan, state, layers = self.plan, self.state, self.places
        checkpoint = self.run.read_checkpoint()
        if error.held_out:
            with watched(state.network, layers, plan.world) as found:
                part, feed = plan.held_out
                self.evaluated_epoch(part, feed)
            return Origin(found[0]) if found else None
        if error.batch is None or checkpoint is None:
            return None
        state.optimizer.state.clear()  # makes room for what is repeated
        repetition = Repetition(plan, state.network, layers, self.is_interrupted)
        return repetition.origin(checkpoint, error.batch)

    def interrupted(self) -> Trained:
        """Record that the run can be resumed, and return the result."""
        self.run.set_status("interrupted")
        return Trained(self.run.folder, "interrupted", self.state.history, self.signal)

    def finished(self) -> Trained:
        """Measure the test part if that was not done, and record the end."""
        history, best = self.state.history, self.best
        self.load_result()
        measured = {} if self.plan.val is None else self.evaluated(TEST, self.plan.test)
        if measured is None:
            return self.interrupted()
        figures = measured or {
            name: value for name, value in history[-1].figures.items() if name.startswith(f"{TEST}.")
        }
        reason = self.reason if len(history) < self.plan.epochs else ""
        chosen_by = "" if best is None else choosing(self.plan.settings.stop, history[0].figures)
        epoch = len(history) if best is None else best.epochs
        outcome = Outcome(epoch, chosen_by, reason, figures, overfitting(history))
        self.run.finish(outcome)
        return Trained(self.run.folder, "finished", history, outcome=outcome)

    def train_batches(self) -> None:
        """Train the remaining batches of the epoch, or until an interrupt."""
        plan, state = self.plan, self.state
        epoch, first, before = state.position.epochs, state.position.batches, state.position.seconds
        learning = plan.learning.at(epoch)
        if plan.learning.changes_at(epoch):
            freeze(state.network, learning)
            state.forward = plan.computing.forward(state.network)  # blocks were equal by what is frozen
        prepare_training(state.network, learning)
        begun = time.perf_counter()
        bounds = plan.batches(epoch)
        batches = self.pace.epoch(plan.samples(epoch, first))
        for batch in range(first, len(bounds)):
            if self.is_interrupted():
                break
            samples = next(batches)
            self.rate = plan.pace(state.optimizer, plan.moment(epoch, batch, state.history))
            step(plan, state, samples, batch)
            elapsed = time.perf_counter() - begun
            state.position = Position(epoch, batch + 1, before + elapsed)
            self.pace.trained(elapsed)
            self.images_per_second = (bounds[batch][1] - bounds[first][0]) / elapsed
            self.after_batch()
        BACKENDS[plan.device.type].wait(plan.device)
        state.position = replace(state.position, seconds=before + time.perf_counter() - begun)

    def after_batch(self) -> None:
        """Report and save if it is time, by the clock of any of the processes."""
        save, position = self.plan.settings.save, self.state.position
        step = position.epochs * self.plan.steps + position.batches
        counted_out = save.steps is not None and step % save.steps == 0
        due = counted_out or time.monotonic() - self.saved >= 60 * save.minutes
        reports, saves = self.plan.world.largest(self.is_report_due(), due)
        if reports:
            self.report("train", position.batches, len(self.plan.batches(position.epochs)))
        if saves:
            self.save()

    def between_evaluations(self, done: int, batches: int) -> bool:
        """Report if it is time; return whether the evaluation should stop."""
        (reports,) = self.plan.world.largest(self.is_report_due())
        if reports:
            self.report("evaluate", done, batches)
        return self.is_interrupted()

    def is_report_due(self) -> bool:
        """Return whether the last report was not a moment ago."""
        return time.monotonic() - self.reported >= self.conduct.report and self.interrupts.received is None

    def report(self, phase: Literal["train", "evaluate"], done: int, batches: int) -> None:
        """Report the progress."""
        self.reported = time.monotonic()
        position, peak = self.state.position, self.conduct.peak
        self.observer.progressed(
            Progress(
                phase=phase,
                epoch=position.epochs + (position.batches > 0),
                epochs=self.plan.settings.epochs,
                batch=done,
                batches=batches,
                figures=self.monitor.figures() if position.batches else {},
                lr=self.rate,
                images_per_second=self.images_per_second,
                waiting=self.pace.waiting,
                of_peak=None if peak is None else self.images_per_second / peak,
                seconds_left=self.left(done / batches if phase == "evaluate" else 0.0),
            )
        )

    def left(self, evaluated: float) -> float | None:
        """Return the seconds until the last epoch is done; ``evaluated`` is how much of an evaluation is."""
        plan, position = self.plan, self.state.position
        steps = sum(len(plan.batches(epoch)) for epoch in range(position.epochs, plan.epochs))
        epochs = plan.epochs - position.epochs
        return self.pace.left(steps - position.batches, max(epochs - evaluated, 0.0))

    def finish_epoch(self, measured: dict[str, float], held_out: float) -> None:
        """Record a complete epoch: first the checkpoint, then what follows from it.

        ``measured`` are the figures of held-out data, ``held_out`` its loss.
        """
        state, position = self.state, self.state.position
        figures = self.monitor.figures() | measured
        self.monitor.check_epoch(held_out)
        check_chosen(self.plan.settings, measured)
        metrics = Epoch(
            epoch=position.epochs + 1,
            lr=self.plan.rate(self.plan.moment(position.epochs, position.batches - 1, state.history)),
            seconds=position.seconds,
            images_per_second=self.plan.batches(position.epochs)[-1][1] / position.seconds,
            figures=figures,
        )
        state.history = (*state.history, metrics)
        state.position = Position(position.epochs + 1)
        self.save()
        self.run.add_metrics(metrics)
        self.keep_weights()
        self.observer.epoch_finished(metrics, self.plan.settings.epochs)

    def save(self) -> None:
        """Write a checkpoint, unless the training has diverged.

        Raises:
            DivergedError: a loss or a weight is not finite; the previous checkpoint is kept.
        """
        self.monitor.check_state()
        self.run.save(self.state.snapshot(self.plan))
        self.saved = time.monotonic()
