"""A training that can start or resume."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch

from cnncli.algebra import whole
from cnncli.analysis.costs.figures import STEP_PASSES, costs
from cnncli.analysis.course import Course
from cnncli.analysis.rates import rates
from cnncli.diagnostics import CnncliError, listing
from cnncli.graph import Graph
from cnncli.graph.heads import Head, column_of, heads_of, loss_of
from cnncli.graph.learning import ways_text
from cnncli.network import Network
from cnncli.recipe.columns import INPUT
from cnncli.recipe.computing import FLOAT32
from cnncli.recipe.gpus import peak_rate
from cnncli.recipe.metrics import VAL
from cnncli.recipe.optimizers import Optimizer
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.tasks import Task
from cnncli.results.training import Introduction, Trained, Within
from cnncli.results.transfer import Started
from cnncli.training.computing import choose_computing
from cnncli.training.conduct import Conduct
from cnncli.training.data.dataset import Dataset
from cnncli.training.launch.finishing import draw_pictures, has_pictures
from cnncli.training.launch.graphs import subject_of
from cnncli.training.launch.planning import ends_of, stages_of
from cnncli.training.loop import train
from cnncli.training.observer import Observer, Silent, Together, in_one_line
from cnncli.training.optimization.optimizers import is_fused
from cnncli.training.overfitting import remedies
from cnncli.training.plan import WHOLE, Extent
from cnncli.training.runs.checkpoint import Position
from cnncli.training.runs.environment import changes, current_environment
from cnncli.training.runs.followers import Curves, Events, MetricsTable
from cnncli.training.runs.run import Run
from cnncli.training.stopping import choosing
from cnncli.training.tasks.building import Learned, clean_of, measuring_objective
from cnncli.training.transforms import margin_notes
from cnncli.training.world import ALONE, World
from cnncli.transfer.frozen import staying_random


@dataclass(frozen=True, eq=False, slots=True)
class Launch:
    """A training that can start or resume: everything is checked, and its folder exists.

    ``origins`` are the names of the settings that are not defaults, by the file or the option that they come
    from; none of a run that is ``resumed`` by its folder alone. ``course`` has sizes and FLOPs if the recipe
    has some of its own, ``within`` what was chosen for a limit of memory, ``started`` says where the first
    weights came from. All processes of the ``world``
    start it.
    """

    graph: Graph
    network: Network
    dataset: Dataset
    settings: Recipe
    run: Run
    device: torch.device
    position: Position
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    resumed: bool = False
    course: Course | None = None
    within: Within | None = None
    started: Started | None = None
    world: World = ALONE

    @property
    def introduction(self) -> Introduction:
        """What is about to happen."""
        position, outcome, count = self.position, self.run.record.outcome, self.dataset.train.count
        size, kind = self.world.size, self.device.type
        where = str(self.device) if size == 1 else f"{size} processes on {kind}"
        before, now = self.run.record.environments[-1], current_environment(self.device)
        about = introduction(self.graph, self.network, self.dataset, self.settings, self.device)
        return about._replace(
            device=where,
            notes=(*about.notes, *_fallen_back(self.run)),
            folder=self.run.folder,
            moved=changes(before, now),
            stages=() if self.course is None else stages_of(self.settings, count, self.course),
            ends=0 if self.course is None else ends_of(self.settings, count, self.course),
            within=self.within,
            start=self.started,
            origins=self.origins,
            epochs_before=self.run.record.settings.epochs,
            resumed=self.resumed,
            finished_epochs=position.epochs,
            finished_batches=position.batches,
            ended=outcome.reason if outcome is not None else "",
        )

    @property
    def _peak(self) -> float | None:
        """How many images per second the devices train on if they compute at their peak; None if unknown."""
        if self.device.type != "cuda":
            return None
        half = choose_computing(self.settings, self.device, self.network).precision != FLOAT32
        name, tf32 = torch.cuda.get_device_name(self.device), torch.backends.cudnn.allow_tf32
        peak = peak_rate(name, half=half, tf32=tf32)
        flops = costs(self.graph).training_totals.flops
        if peak is None or not flops:
            return None
        return self.world.size * peak / (STEP_PASSES * whole(flops))

    def interrupted(self) -> None:
        """Record that the training was ended before the loop could do so."""
        if self.run.record.status == "running":
            self.run.set_status("interrupted")

    def start(
        self,
        *observers: Observer,
        report_every: float = 0.1,
        extent: Extent = WHOLE,
        tensorboard: bool = False,
    ) -> Trained:
        """Train until the last epoch, or until an interrupt.

        Args:
            observers: receive the progress, beside those that write the files of the run; of several
                processes, only those of the first one do.
            report_every: seconds between two reports within an epoch; each waits for the device.
            extent: how much of the training is carried out.
            tensorboard: whether to write events for TensorBoard; a run that has some always continues them.

        Raises:
            CnncliError: the training diverges, or a file cannot be written.
        """
        before, leads = self.run.record.outcome, self.world.leads
        watched = Together(observers, tuple(self._files(tensorboard))) if leads else Silent()
        try:
            trained = train(
                subject_of(self.graph, self.network, self.settings),
                self.dataset,
                self.settings,
                self.run,
                device=self.device,
                observer=watched,
                conduct=Conduct(
                    report_every if leads else math.inf,
                    extent,
                    self._peak,
                    self.course,
                    self.world,
                ),
            )
        except CnncliError:
            watched.ended()
            raise
        watched.ended()
        # A process that was killed at its end has not drawn them.
        drawn = trained.outcome == before and has_pictures(self.graph, self.run)
        if leads and trained.outcome is not None and extent == WHOLE and not drawn:
            self._draw(watched)
        if trained.outcome is None or not trained.outcome.overfitting:
            return trained
        return trained._replace(remedies=tuple(remedies(self.graph, self.settings)))

    def _draw(self, watched: Observer) -> None:
        """Draw pictures of what was learned; the run is finished, so what fails is a warning."""
        try:
            draw_pictures(self.graph, self.dataset, self.settings, self.run, self.device)
        except Exception as error:  # noqa: BLE001 - whatever a file or a picture lacks, the run is whole
            watched.warned(f"{in_one_line(error)}; the run is finished, and whole")

    def _files(self, tensorboard: bool) -> Iterator[Observer]:
        """Yield the observers that write files into the folder of the run."""
        run = self.run
        yield MetricsTable(run.table)
        yield Curves(run.curves, self.graph.name, run.metrics)
        if tensorboard or run.events.exists():
            yield Events(run.events, run.record.created)


def _fallen_back(run: Run) -> Iterator[str]:
    if run.damage:
        yield f"{run.damage}; the checkpoint before it, {run.previous}, is used instead"


def introduction(
    graph: Graph, network: Network, dataset: Dataset, settings: Recipe, device: torch.device
) -> Introduction:
    """Return what a training that begins, and that has no folder yet, is about to do."""
    return Introduction(
        name=graph.name,
        device=str(device),
        folder=None,
        data=settings.data.source,
        train_count=dataset.train.count,
        val_count=dataset.val_count,
        test_count=dataset.test.count,
        columns=dataset.columns,
        input_shape=dataset.input_shape,
        notes=(*dataset.notes, *margin_notes(settings)),
        spec_notes=(*graph.notes, *staying_random(graph, settings)),
        moved=(),
        transforms=tuple(map(str, settings.transforms)),
        corrupt=tuple(map(str, settings.corrupt)),
        tasks=tuple(_learns(name, head, settings.task(name)) for name, head in heads_of(graph).items()),
        optimizer=_optimizer(settings.optimizer, device),
        ways=tuple(ways_text(graph, settings)),
        rates=rates(graph, settings),
        lr=settings.optimizer.lr,
        schedule=str(settings.course),
        penalty=str(settings.penalty) if settings.penalty.acts else "",
        stop="" if settings.stop is None else str(settings.stop),
        chosen_by=_chosen_by(graph, dataset, settings),
        computing=str(choose_computing(settings, device, network)),
        update=tuple(_update(settings)),
        stages=(),
        ends=0,
        within=None,
        start=None,
        origins={},
        batch=settings.batch,
        seed=settings.seed,
        epochs=settings.epochs,
        epochs_before=settings.epochs,
        resumed=False,
        finished_epochs=0,
        finished_batches=0,
        ended="",
    )


def _chosen_by(graph: Graph, dataset: Dataset, settings: Recipe) -> str:
    """Return the figure that chooses the best epoch; empty without a validation part."""
    if dataset.val is None:
        return ""
    learned = Learned(dataset.columns, clean_of(settings, dataset.input_shape))
    measured = measuring_objective(heads_of(graph), settings, learned).figures
    return choosing(settings.stop, [f"{VAL}.{name}" for name in measured])


def _update(settings: Recipe) -> Iterator[str]:
    """Yield what happens to gradients and weights in a step, beyond what the optimizer does."""
    if settings.accumulate > 1:
        yield f"{settings.accumulate} slices a batch"
    if settings.recompute:
        yield f"computed again in the backward pass: {listing(settings.recompute)}"
    if settings.clip is not None:
        yield f"gradients limited to {settings.clip}"
    if settings.average is not None:
        yield f"weights averaged: {settings.average}"


def _optimizer(chosen: Optimizer, device: torch.device) -> str:
    """Return the name of an optimizer, and whether a single kernel takes a step of it."""
    return f"{chosen.keyword} (fused)" if is_fused(chosen, device) else chosen.keyword


def _learns(name: str, head: Head, task: Task) -> str:
    """Return what a head learns, as ``image: mse of the input, weight 0.5``."""
    loss, column = loss_of(task, head), column_of(task, head)
    usual = {key: each.default for key, each in loss.arguments.items()}
    own = [f"{key} {value}" for key, value in loss.plain().items() if getattr(loss, key) != usual[key]]
    given = f" ({', '.join(own)})" if own else ""
    target = "the input" if column == INPUT else column
    mapped = f" as {listing(task.target.classes, last=' or ')}" if task.target.map else ""
    mapped += "" if all(task.target.map) else " (some classes left out)"
    weight = f", weight {task.weight:g}" if task.weight != 1 else ""
    return f"{name}: {loss.keyword}{given} of {target}{mapped}{weight}"
