"""The training loop: epochs of batches, an evaluation after each, and a run that survives being stopped."""

from __future__ import annotations

import math
import signal
import time
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from cnncli.diagnostics import CnncliError, Diagnostic, usage_error
from cnncli.language.sections import Train
from cnncli.results.training import Epoch, Evaluation, Progress
from cnncli.training.data.batches import derived_seed
from cnncli.training.data.dataset import Dataset
from cnncli.training.evaluate import evaluate_feed
from cnncli.training.interrupts import Interrupts
from cnncli.training.observer import Observer, Silent
from cnncli.training.optimization.optimizers import all_finite, set_learning_rate
from cnncli.training.runs.checkpoint import Position
from cnncli.training.runs.run import Run
from cnncli.training.session import Plan, State, make_plan, make_state


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended.

    ``signal`` is what interrupted it, else None; ``history`` has one entry for each whole epoch of the run.
    """

    status: Literal["finished", "interrupted"]
    history: tuple[Epoch, ...]
    signal: signal.Signals | None = None


def seed_weights(seed: int) -> None:
    """Seed torch for the initial weights: call it before the network is made."""
    torch.manual_seed(derived_seed(seed, "weights"))


def train(
    network: nn.Module,
    dataset: Dataset,
    settings: Train,
    run: Run,
    *,
    device: torch.device,
    observer: Observer | None = None,
    update_seconds: float = 0.1,
    checkpoint_seconds: float = 600.0,
) -> Outcome:
    """Train ``network`` in ``run``, from where its checkpoint stands or from the beginning.

    The same seed on the same CPU gives the same weights and figures to the last bit, whether or not the
    training was interrupted and resumed. The first SIGINT or SIGTERM lets the batch under way end, saves, and
    returns; a second SIGINT raises KeyboardInterrupt. A checkpoint is written at the beginning, after every
    epoch, and within epochs whenever ``checkpoint_seconds`` have passed since the last.

    A finished run goes on where ``settings.epochs`` is larger than before: the schedule is that of the new
    number of epochs from there on.

    Args:
        network: made after :func:`seed_weights`; it is trained in place and ends on ``device``.
        dataset: what to learn from, and the held-out part to measure on after every epoch.
        settings: how.
        run: made by :func:`~cnncli.training.runs.run.create_run` for these settings and data, or opened, and
            checked by :func:`~cnncli.training.runs.run.check_resumable`.
        device: where to compute.
        observer: told how it goes.
        update_seconds: how often, at most, the observer is told.
        checkpoint_seconds: how much work a crash may cost, about.

    Raises:
        UsageError: where network, data, settings and run do not go together, or the disk refuses.
        CnncliError: where the loss is no longer a number; the last good checkpoint is kept.
    """
    with run.locked(), Interrupts() as interrupts:
        checkpoint = run.read_checkpoint()
        plan = make_plan(network, dataset, settings, run.record.normalization, device)
        if checkpoint is not None:
            _check_position(checkpoint.position, plan)
        state = make_state(network, plan, checkpoint)
        run.begin(settings, dataset, device)
        run.reset_metrics(state.history)
        loop = _Loop(plan, state, run, observer or Silent(), interrupts, update_seconds, checkpoint_seconds)
        if checkpoint is None:
            loop.save()
        else:
            run.save_weights(network, state.position)
        return loop.run_epochs()


def _check_position(position: Position, plan: Plan) -> None:
    if position.epochs + (position.batches > 0) > plan.settings.epochs:
        raise usage_error(
            f"the run is already in epoch {position.epochs + (position.batches > 0)}",
            expected="at least as many epochs",
            received=f"--epochs {plan.settings.epochs}",
        )
    if position.batches > len(plan.bounds):
        raise usage_error(
            f"the checkpoint is after batch {position.batches} of an epoch",
            expected=f"at most {len(plan.bounds)} batches",
            received=str(position.batches),
        )


@dataclass(eq=False, slots=True)
class _Loop:
    """The work of one call of :func:`train`. Epochs and batches count from 0 here, from 1 in what is told."""

    plan: Plan
    state: State
    run: Run
    observer: Observer
    interrupts: Interrupts
    update_seconds: float
    checkpoint_seconds: float
    updated: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)
    rate: float = 0.0
    images_per_second: float = 0.0

    def run_epochs(self) -> Outcome:
        """All epochs that are left, or those until an interrupt."""
        while self.state.position.epochs < self.plan.settings.epochs:
            self.train_batches()
            evaluation = evaluate_feed(self.state.network, self.plan.test, self.evaluating)
            if evaluation is None:
                self.save()
                self.run.save_weights(self.state.network, self.state.position)
                self.run.set_status("interrupted")
                return Outcome("interrupted", self.state.history, self.interrupts.received)
            self.finish_epoch(evaluation)
        self.run.set_status("finished")
        return Outcome("finished", self.state.history)

    def train_batches(self) -> None:
        """The batches that are left of the epoch, or those until an interrupt."""
        plan, state = self.plan, self.state
        epoch, first, before = state.position.epochs, state.position.batches, state.position.seconds
        state.network.train()
        begun = time.perf_counter()
        batches = plan.train.shuffled(plan.order(epoch), plan.bounds[first:])
        for batch in range(first, len(plan.bounds)):
            if self.interrupts.received is not None:
                break
            images, labels = next(batches)
            self.rate = plan.rate(epoch, batch)
            set_learning_rate(state.optimizer, self.rate)
            step(plan, state, images, labels, batch)
            elapsed = time.perf_counter() - begun
            state.position = Position(epoch, batch + 1, before + elapsed)
            self.images_per_second = (plan.bounds[batch][1] - plan.bounds[first][0]) / elapsed
            self.trained()
        if plan.device.type == "cuda":
            torch.cuda.synchronize(plan.device)
            state.position = replace(state.position, seconds=before + time.perf_counter() - begun)

    def trained(self) -> None:
        """What may be due after a batch: a word to the observer, a checkpoint."""
        now = time.monotonic()
        if now - self.updated >= self.update_seconds:
            self.updated = now
            self.tell("train", self.state.position.batches, len(self.plan.bounds))
        if now - self.saved >= self.checkpoint_seconds:
            self.save()

    def evaluating(self, done: int, batches: int) -> bool:
        """Told between the batches of an evaluation; whether it shall stop."""
        now = time.monotonic()
        if now - self.updated >= self.update_seconds:
            self.updated = now
            self.tell("evaluate", done, batches)
        return self.interrupts.received is not None

    def tell(self, phase: Literal["train", "evaluate"], done: int, batches: int) -> None:
        """Tell the observer where training stands."""
        loss, accuracy = self.means()
        self.observer.progressed(
            Progress(
                phase=phase,
                epoch=self.state.position.epochs + 1,
                epochs=self.plan.settings.epochs,
                batch=done,
                batches=batches,
                loss=loss,
                accuracy=accuracy,
                lr=self.rate,
                images_per_second=self.images_per_second,
            )
        )

    def means(self) -> tuple[float, float]:
        """Loss and accuracy over the images of the epoch so far: this waits for the device.

        Raises:
            CnncliError: where a batch's loss was not a number.
        """
        done = self.state.position.batches
        if done == 0:
            return 0.0, 0.0
        sizes = torch.tensor([end - start for start, end in self.plan.bounds[:done]], dtype=torch.float64)
        losses = self.state.losses[:done].cpu().to(torch.float64)
        bad = (~torch.isfinite(losses)).nonzero().flatten().tolist()
        if bad:
            raise self.diverged(f"the loss became {float(losses[bad[0]])}", bad[0])
        images = float(sizes.sum())
        return float(losses @ sizes) / images, int(self.state.correct[:done].sum()) / images

    def finish_epoch(self, evaluation: Evaluation) -> None:
        """Record a whole epoch: first the checkpoint, then what follows from it."""
        state, position = self.state, self.state.position
        loss, accuracy = self.means()
        if not math.isfinite(evaluation.loss):
            raise self.diverged(f"the held-out loss became {evaluation.loss}", position.batches - 1)
        images = len(self.plan.train)
        metrics = Epoch(
            epoch=position.epochs + 1,
            lr=self.plan.rate(position.epochs, position.batches - 1),
            train_loss=loss,
            train_accuracy=accuracy,
            test_loss=evaluation.loss,
            test_accuracy=evaluation.top1,
            seconds=position.seconds,
            images_per_second=images / position.seconds,
        )
        state.history = (*state.history, metrics)
        state.position = Position(position.epochs + 1)
        self.save()
        self.run.add_metrics(metrics)
        self.run.save_weights(state.network, state.position)
        self.observer.epoch_finished(metrics, self.plan.settings.epochs)

    def save(self) -> None:
        """Make the present state the one to go on from, unless it is past saving.

        Raises:
            CnncliError: where a loss or a weight is no longer a number; the previous checkpoint stays.
        """
        self.means()
        if not all_finite(self.state.network):
            raise self.diverged("the weights are no longer numbers", max(0, self.state.position.batches - 1))
        self.run.save(self.state.snapshot(self.plan.device))
        self.saved = time.monotonic()

    def diverged(self, what: str, batch: int) -> CnncliError:
        """The error that ends a training whose numbers have left the finite; the run is marked."""
        self.run.set_status("diverged")
        epoch, batches = self.state.position.epochs, len(self.plan.bounds)
        rate = self.plan.rate(epoch, batch)
        return CnncliError(
            Diagnostic(
                "diverged",
                f"{what} in epoch {epoch + 1}, batch {batch + 1} of {batches} "
                f"(step {epoch * batches + batch + 1}), at a learning rate of {rate:g}",
                expected="a finite number",
                hint=f"begin a new run with a smaller --lr or a longer warmup; {self.run.checkpoint} "
                "keeps the last good state",
            )
        )


def step(plan: Plan, state: State, images: Tensor, labels: Tensor, batch: int) -> None:
    """Learn from one batch; its figures go to their place on the device, and nothing waits for them."""
    loss, scores = plan.objective(state.network(images), labels)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    state.optimizer.step()
    state.losses[batch] = loss.detach()
    state.correct[batch] = (scores.argmax(1) == labels).sum()
