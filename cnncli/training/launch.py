"""Everything between a spec, or the folder of a run, and the training loop or an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn

from cnncli.algebra import whole_shape
from cnncli.diagnostics import SpecError, usage_error
from cnncli.graph import Graph, Opened, open_text
from cnncli.language.sections import Train
from cnncli.language.writer import to_yaml
from cnncli.network import Network, build_network
from cnncli.results.training import Evaluated, Introduction, Trained
from cnncli.training.data import normalization
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.load import load
from cnncli.training.device import choose_device
from cnncli.training.evaluate import evaluate
from cnncli.training.loop import seed_weights, train
from cnncli.training.observer import Observer
from cnncli.training.runs.run import Run, check_resumable, create_run, open_run
from cnncli.training.runs.settings import settings_from_json, settings_json
from cnncli.training.runs.weights import load_weights
from cnncli.training.session import check_trainable
from cnncli.training.tasks.objective import check_classes, check_vectors

Reading: TypeAlias = "Callable[[int, int], None] | None"
"""Called with (images read, of how many) while a folder of images is read."""


@dataclass(frozen=True, eq=False, slots=True)
class Launch:
    """A training that can start: its folder exists, nothing has been trained yet, or it is to be resumed."""

    graph: Graph
    network: Network
    dataset: Dataset
    settings: Train
    run: Run
    device: torch.device

    @property
    def introduction(self) -> Introduction:
        """What is about to happen."""
        dataset, settings = self.dataset, self.settings
        return Introduction(
            name=self.graph.name,
            device=str(self.device),
            folder=self.run.folder,
            data=settings.data,
            train_count=dataset.train.count,
            test_count=dataset.test.count,
            classes=len(dataset.classes),
            input_shape=dataset.input_shape,
            notes=dataset.notes,
            optimizer=settings.optimizer,
            lr=settings.lr,
            schedule=settings.schedule,
            batch=settings.batch,
            seed=settings.seed,
        )

    def start(self, observer: Observer | None = None) -> Trained:
        """Train to the last epoch, or until an interrupt.

        Raises:
            CnncliError: the loss is no longer a number, or the disk refuses.
        """
        ended = train(
            self.network, self.dataset, self.settings, self.run, device=self.device, observer=observer
        )
        return Trained(self.run.folder, ended.status, ended.history, ended.signal)


def begin(
    opened: Opened, settings: Train, device: str, folder: Path | None, reading: Reading = None
) -> Launch:
    """Check that spec, data and settings go together, and make the folder of a new run.

    Args:
        opened: the spec.
        settings: how to train.
        device: auto, cpu, cuda, cuda:N or mps.
        folder: where; None for ``runs/NAME-N``.
        reading: called while images are read.

    Raises:
        CnncliError: they do not go together, or the folder is not empty.
    """
    graph = opened.graph
    where = choose_device(device)
    check_vectors({name: whole_shape(output.shape) for name, output in graph.outputs.items()})
    dataset = load(settings.data, whole_shape(graph.input), settings.fit, reading)
    seed_weights(settings.seed)
    network = build_network(graph)
    check_trainable(network, dataset, settings)
    run = create_run(
        folder,
        name=graph.name,
        spec=to_yaml(opened.document),
        settings=settings,
        dataset=dataset,
        device=where,
    )
    return Launch(graph, network, dataset, settings, run, where)


def resume(
    folder: Path, overrides: Sequence[str], data: str | None, device: str, reading: Reading = None
) -> Launch:
    """Open a run to continue it from its last checkpoint.

    ``overrides`` are ``train.NAME=VALUE`` texts; only the number of epochs may really change.

    Raises:
        CnncliError: there is no run, or it was begun with another spec, other settings or other data.
    """
    run = open_run(folder)
    changes = {"data": data} if data is not None else {}
    settings = changed(run.record.settings, overrides).replaced(changes)
    graph = open_text(run.record.spec, name=str(run.spec)).graph
    where = choose_device(device)
    dataset = load(settings.data, whole_shape(graph.input), settings.fit, reading)
    check_resumable(run, spec=run.record.spec, settings=settings, dataset=dataset)
    seed_weights(settings.seed)
    return Launch(graph, build_network(graph), dataset, settings, run, where)


def changed(settings: Train, overrides: Sequence[str]) -> Train:
    """Return settings with ``train.NAME=VALUE`` texts applied.

    Raises:
        UsageError: a text is not of this form, names no setting, or has a value that it cannot have.
    """
    for text in overrides:
        path, _, value = text.partition("=")
        section, _, name = path.strip().partition(".")
        if section != Train.keyword or name not in Train.arguments:
            expected = "train.NAME=VALUE, such as train.epochs=20"
            raise usage_error(f"--set {text}: not a setting of a run", expected=expected)
        try:
            settings = settings_from_json(settings_json(settings) | {name: _read(value)})
        except (SpecError, ValueError):
            raise usage_error(f"--set {text}", expected=Train.arguments[name].reader.expected) from None
    return settings


def _read(value: str) -> Any:
    """Return a value as JSON has it: numbers and truth values are not texts there."""
    text = value.strip()
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)


def measure(folder: Path, data: str | None, device: str, reading: Reading = None) -> Evaluated:
    """Measure the weights of a run on the held-out part of its data, or of other data.

    Raises:
        CnncliError: there is no run, it has no weights yet, or the data has other classes.
    """
    run = open_run(folder)
    if not run.weights.exists():
        raise usage_error(
            f"{folder} has no weights to measure",
            expected="a run with at least one finished epoch",
            received=f"no {run.weights.name} (status: {run.record.status})",
            hint=f"cnncli train --resume {folder}",
        )
    graph = open_text(run.record.spec, name=str(run.spec)).graph
    where = choose_device(device)
    settings = run.record.settings
    source = data if data is not None else settings.data
    dataset = load(source, whole_shape(graph.input), settings.fit, reading)
    _check_classes(dataset, run.record.data.classes)
    network = build_network(graph)
    load_weights(network, run.weights)
    network.to(where)
    figures = evaluate(network, dataset.test, run.record.normalization, where)
    return Evaluated(run.record.name, dataset.name, dataset.classes, figures)


def measure_module(
    graph: Graph, module: nn.Module, settings: Train, data: str | None, reading: Reading = None
) -> Evaluated:
    """Evaluate a module on the held-out part of data, on the device of its parameters.

    Images are normalized as in training, with the mean and deviation of the training part.

    Raises:
        UsageError: it is not a module of this network, or the data does not match the network.
    """
    _check_network(graph, module)
    source = data if data is not None else settings.data
    dataset = load(source, whole_shape(graph.input), settings.fit, reading)
    check_classes(module, dataset.input_shape, len(dataset.classes))
    device = next((each.device for each in module.parameters()), torch.device("cpu"))
    figures = evaluate(module, dataset.test, normalization.measure(dataset.train.images), device)
    return Evaluated(graph.name, dataset.name, dataset.classes, figures)


def _check_network(graph: Graph, module: nn.Module) -> None:
    """Check that a module is, or wraps, a network with the tensors of this graph.

    Raises:
        UsageError: it is another module.
    """
    found = next((each for each in module.modules() if isinstance(each, Network)), None)
    if found is not None and _shapes(found) == _shapes(build_network(graph, "meta")):
        return
    expected = f"what module() of {graph.name} returns, possibly wrapped"
    received = type(module).__name__ if found is None else "a network with other weights"
    raise usage_error("not a module of this network", expected=expected, received=received)


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


def _check_classes(dataset: Dataset, expected: Sequence[str]) -> None:
    if dataset.classes != tuple(expected):
        raise usage_error(
            "the data has other classes than the network was trained on",
            expected=f"{len(expected)} classes: {', '.join(expected[:12])}",
            received=f"{len(dataset.classes)} classes: {', '.join(dataset.classes[:12])}",
        )
