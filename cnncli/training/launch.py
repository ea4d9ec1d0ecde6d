"""From a spec, or the folder of a run, to a training that can start, or to an evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import nn

from cnncli.algebra import whole_shape
from cnncli.diagnostics import CnncliError, SpecError, counted, listing, usage_error
from cnncli.graph import Graph, Opened, open_again, open_text
from cnncli.graph.heads import NOT_PROBABILITIES, Head, heads_of, main_head, remarks, with_logits
from cnncli.language.tree import Entries
from cnncli.language.writer import to_yaml
from cnncli.layers import shape_text
from cnncli.network import Network, build_network
from cnncli.recipe.criteria import CRITERIA
from cnncli.recipe.metrics import LOSS, metric_of
from cnncli.recipe.recipe import Recipe, with_overrides
from cnncli.recipe.tasks import Task
from cnncli.results.training import Evaluated, Evaluation, Introduction, Reading, Trained
from cnncli.training.data import normalization
from cnncli.training.data.dataset import WHOLE_RANGE, Dataset, Measured
from cnncli.training.data.load import (
    held_out_part,
    identity,
    load,
    load_held_out,
    load_measured,
    resolved,
)
from cnncli.training.device import choose_device
from cnncli.training.evaluate import evaluate
from cnncli.training.loop import Intervals, seed_weights, train
from cnncli.training.observer import Observer
from cnncli.training.runs.checkpoint import Position
from cnncli.training.runs.environment import changes, current_environment
from cnncli.training.runs.record import DataRecord
from cnncli.training.runs.resuming import check_position, check_resumable
from cnncli.training.runs.run import Run, create_run, open_run
from cnncli.training.runs.weights import load_weights
from cnncli.training.session import check_trainable
from cnncli.training.tasks.objective import Learned, check_vectors, measuring_objective

CLASSES: Final = "classes"
"""The variable of a spec that follows the number of classes of the data."""


@dataclass(frozen=True, eq=False, slots=True)
class Launch:
    """A training that can start or resume: everything is checked, and its folder exists."""

    graph: Graph
    network: Network
    dataset: Dataset
    settings: Recipe
    run: Run
    device: torch.device
    position: Position

    @property
    def introduction(self) -> Introduction:
        """What is about to happen."""
        dataset, settings, position = self.dataset, self.settings, self.position
        before, now = self.run.record.environments[-1], current_environment(self.device)
        return Introduction(
            name=self.graph.name,
            device=str(self.device),
            folder=self.run.folder,
            data=settings.data.source,
            train_count=dataset.train.count,
            test_count=dataset.test.count,
            classes=dataset.classes,
            input_shape=dataset.input_shape,
            notes=dataset.notes,
            spec_notes=self.graph.notes,
            moved=changes(before, now),
            transforms=tuple(map(str, settings.transforms)),
            tasks=tuple(
                _learns(name, head, settings.task(name)) for name, head in heads_of(self.graph).items()
            ),
            optimizer=settings.optimizer.keyword,
            lr=settings.optimizer.lr,
            schedule=settings.schedule.keyword,
            batch=settings.batch,
            seed=settings.seed,
            epochs=settings.epochs,
            finished_epochs=position.epochs,
            finished_batches=position.batches,
        )

    def interrupted(self) -> None:
        """Record that the training was ended before the loop could do so."""
        if self.run.record.status == "running":
            self.run.set_status("interrupted")

    def start(self, observer: Observer | None = None, *, report_every: float = 0.1) -> Trained:
        """Train until the last epoch, or until an interrupt.

        Args:
            observer: receives the progress.
            report_every: seconds between two reports within an epoch; each waits for the device.

        Raises:
            CnncliError: the training diverges, or a file cannot be written.
        """
        return train(
            self.network,
            heads_of(self.graph),
            self.dataset,
            self.settings,
            self.run,
            device=self.device,
            observer=observer,
            intervals=Intervals(report=report_every),
        )


def _learns(name: str, head: Head, task: Task) -> str:
    """Return what a head learns, as ``image: mse of the input, weight 0.5``."""
    loss = task.loss if task.loss is not None else CRITERIA[head.criterion].loss()
    usual = {key: each.default for key, each in loss.arguments.items()}
    own = [f"{key} {value}" for key, value in loss.plain().items() if getattr(loss, key) != usual[key]]
    given = f" ({', '.join(own)})" if own else ""
    of_input = " of the input" if task.is_of_input else ""
    weight = f", weight {task.weight:g}" if task.weight != 1 else ""
    return f"{name}: {loss.keyword}{given}{of_input}{weight}"


def begin(
    opened: Opened, settings: Recipe, device: str, folder: Path | None, reading: Reading = None
) -> Launch:
    """Check that spec, data and settings match, and create the folder of a new run.

    Args:
        opened: the spec.
        settings: how to train.
        device: a text that :func:`~cnncli.training.device.choose_device` takes.
        folder: its path; None for ``runs/NAME-N``.
        reading: called while images are read.

    Raises:
        CnncliError: spec, data and settings do not match, or the folder is not empty.
    """
    where = choose_device(device)
    check_vectors(heads_of(_trained(opened.graph)), settings)
    dataset = load(settings.data, whole_shape(opened.graph.input), reading)
    opened, dataset = _with_classes(opened, dataset)
    graph = _trained(opened.graph)
    heads = heads_of(graph)
    seed_weights(settings.seed)
    network = build_network(graph)
    check_trainable(network, heads, dataset, settings)
    run = create_run(
        folder,
        name=graph.name,
        spec=to_yaml(opened.document),
        settings=settings,
        dataset=dataset,
        device=where,
    )
    return Launch(graph, network, dataset, settings, run, where, Position())


def _with_classes(opened: Opened, dataset: Dataset) -> tuple[Opened, Dataset]:
    """Return the spec with as many classes as the data has, and a note, if it has a variable for them.

    The variable is called :data:`CLASSES`, and nobody has set it. In all other cases nothing changes, and
    :func:`check_trainable` reports outputs that do not match.
    """
    document, count = opened.document, len(dataset.classes)
    variables = document.section("vars")
    free = isinstance(variables, Entries) and CLASSES in variables and CLASSES not in document.overridden
    if not free or _outputs(opened.graph) == (count,):
        return opened, dataset
    try:
        changed = open_again(document, overrides=[f"{CLASSES}={count}"])
    except SpecError:
        return opened, dataset
    if _outputs(changed.graph) != (count,):
        return opened, dataset
    note = f"{CLASSES}={count}: the spec has another number, and follows the data"
    return changed, replace(dataset, notes=(*dataset.notes, note))


def _outputs(graph: Graph) -> tuple[int, ...]:
    heads = heads_of(graph)
    return heads[main_head(heads)].shape


def resume(
    folder: Path, overrides: Sequence[str], data: str | None, device: str, reading: Reading = None
) -> Launch:
    """Open a run to continue it from its last checkpoint.

    ``overrides`` are ``train.NAME=VALUE`` texts; only the number of epochs may differ from the run's.

    Raises:
        CnncliError: there is no such run, or it was started with another spec, other settings or other data.
    """
    run = open_run(folder)
    settings = with_overrides(run.record.settings, overrides)
    if data is not None:
        settings = settings.replaced({"data": settings.data.of(data)})
    position = run.position
    check_position(position, settings.epochs)
    graph = _recorded_graph(run)
    where = choose_device(device)
    dataset = load(settings.data, whole_shape(graph.input), reading)
    check_resumable(run, spec=run.record.spec, settings=settings, dataset=dataset)
    seed_weights(settings.seed)
    return Launch(graph, build_network(graph), dataset, settings, run, where, position)


def evaluate_run(folder: Path, data: str | None, device: str, reading: Reading = None) -> Evaluated:
    """Measure the weights of a run on the held-out part of its data, or on other data.

    Of other data all images are measured, or its test part if it has parts; its classes are matched by name.

    Raises:
        CnncliError: there is no such run, it has no weights yet, or the data has other classes.
    """
    run = open_run(folder)
    if not run.weights.exists():
        raise usage_error(
            f"{folder} has no weights to measure",
            expected="a run with at least one finished epoch",
            received=f"no {run.weights.name} (status: {run.record.status})",
            hint="start a new run with a smaller learning rate"
            if run.record.status == "diverged"
            else "resume the run, which continues until an epoch is finished",
        )
    graph = _recorded_graph(run)
    where = choose_device(device)
    record = run.record
    learned = Learned(len(record.data.classes), record.data.input, record.normalization, device=where)
    objective = measuring_objective(heads_of(graph), record.settings, learned)
    found = _to_measure(run, data, whole_shape(graph.input), reading)
    split = found.labeled_as(run.record.data.classes)
    network = build_network(graph)
    load_weights(network, run.weights)
    network.to(where)
    measured = evaluate(network, split, run.record.normalization, where, objective)
    return _evaluated(run.record.name, found, run.record.data.classes, measured)


def _to_measure(run: Run, data: str | None, shape: tuple[int, ...], reading: Reading) -> Measured:
    """Return the images to measure a run on: never those that it was trained on, if the data is its own.

    Raises:
        UsageError: the data cannot be read or has other classes.
    """
    recorded, how = run.record.data, run.record.settings.data
    levels = recorded.levels or WHOLE_RANGE
    if data is None or resolved(data) == recorded.source:
        found = load_held_out(how.of(recorded.source), shape, reading, levels)
        return _still_held_out(found, recorded)
    if identity(data) == recorded.fingerprint:
        return load_held_out(how.of(data), shape, reading, levels)
    return load_measured(how.of(data), shape, recorded.classes, reading, levels)


def _still_held_out(found: Measured, recorded: DataRecord) -> Measured:
    """Return the held-out part of a run's data, with a note if others may have been held out in training."""
    now = identity(found.name)
    if now in (None, recorded.fingerprint):
        return found
    note = (
        f"{found.name} is not as it was when the run was started: the run may have been trained on some "
        "of these images"
    )
    return replace(found, notes=(note, *found.notes))


def _evaluated(name: str, found: Measured, classes: tuple[str, ...], measured: Evaluation) -> Evaluated:
    """Return the evaluation with what was measured.

    Raises:
        UsageError: they are not finite.
    """
    of_classes = zip(classes, measured.classes, strict=True) if measured.classes else ()
    absent = [each for each, of_class in of_classes if not of_class.count]
    notes = [f"measured {found.what} of {found.name}"]
    if absent:
        has = "has" if len(absent) == 1 else "have"
        notes.append(f"{len(absent)} of {counted(len(classes), 'class')} {has} no images: {listing(absent)}")
    return Evaluated(name, found.name, classes, _sound(measured), (*notes, *found.notes))


def _recorded_graph(run: Run) -> Graph:
    """Return the graph of the spec in the record of a run, as it is trained.

    Raises:
        CnncliError: it is not a spec, or one for other data than the record says.
    """
    graph = open_text(run.record.spec, name=str(run.spec)).graph
    if graph.input != run.record.data.input:
        raise usage_error(
            f"{run.folder} is damaged: its spec and its data disagree",
            expected=f"images of {shape_text(graph.input)}",
            received=shape_text(run.record.data.input),
        )
    return _trained(graph)


def _trained(graph: Graph) -> Graph:
    """Return a graph as it is trained and evaluated: with logits in place of probabilities.

    Raises:
        CnncliError: an output has probabilities that no loss can be computed from.
    """
    faults = [each for each in remarks(graph) if each.code == NOT_PROBABILITIES]
    if faults:
        raise CnncliError(each._replace(level="error") for each in faults)
    return with_logits(graph)


def evaluate_module(
    graph: Graph, module: object, settings: Recipe, data: str | None, reading: Reading = None
) -> Evaluated:
    """Measure a module on the held-out part of data, on the device of its parameters.

    Images are normalized as in training, with the mean and deviation of the training part.

    Raises:
        UsageError: it is not a module of this network, or the data does not match the network.
    """
    network = _checked_network(graph, module)
    chosen = settings.data if data is None else settings.data.of(data)
    dataset = load(chosen, whole_shape(graph.input), reading)
    device = next((each.device for each in network.parameters()), torch.device("cpu"))
    measured_on = normalization.measure(dataset.train.images)
    learned = Learned(len(dataset.classes), dataset.input_shape, measured_on, device=device)
    objective = measuring_objective(heads_of(graph), settings, learned)
    measured = evaluate(network, dataset.test, measured_on, device, objective)
    return _evaluated(graph.name, held_out_part(dataset), dataset.classes, measured)


def _sound(measured: Evaluation) -> Evaluation:
    """Return an evaluation whose figures are finite numbers.

    Raises:
        UsageError: some output is not a number, or so large that its loss is infinite.
    """
    losses = [value for name, value in measured.figures.items() if metric_of(name).name == LOSS]
    if any(map(math.isinf, losses)):
        message = "outputs of the network are so large that the loss is infinite"
        raise usage_error(message, expected="a finite loss", hint="did the training diverge?")
    if any(map(math.isnan, losses)):
        message = "outputs of the network are not numbers, so they predict nothing"
        raise usage_error(message, expected="finite weights", hint="did the training diverge?")
    return measured


def _checked_network(graph: Graph, module: object) -> nn.Module:
    """Return a module that is, or wraps, a network with the tensors of this graph.

    Raises:
        UsageError: it is another module.
    """
    modules = module.modules() if isinstance(module, nn.Module) else ()
    found = next((each for each in modules if isinstance(each, Network)), None)
    received = type(module).__name__ if found is None else _difference(graph, found)
    if isinstance(module, nn.Module) and not received:
        return module
    expected = f"what module() of {graph.name} returns, possibly wrapped"
    raise usage_error("not a module of this network", expected=expected, received=received)


def _difference(graph: Graph, network: nn.Module) -> str:
    """Return in what the tensors of a network are not those of the graph's; nothing if they agree."""
    if _shapes(network) != _shapes(build_network(graph, "meta")):
        return "a network with other weights"
    others = {each.dtype for each in network.parameters()} - {torch.float32}
    if others:
        return f"weights of type {listing(sorted(str(each).removeprefix('torch.') for each in others))}"
    return "weights without values" if any(each.is_meta for each in network.parameters()) else ""


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}
