"""Measuring the weights of a run, or a module, on held-out data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from cnncli.algebra import whole_shape
from cnncli.diagnostics import counted, listing, usage_error
from cnncli.graph import Graph
from cnncli.graph.heads import heads_of
from cnncli.layers import shape_text
from cnncli.network import Network, build_network
from cnncli.recipe.columns import Column
from cnncli.recipe.computing import UNCOMPILED
from cnncli.recipe.data import Data, are_alike
from cnncli.recipe.metrics import FLIP, LOSS, TEST, VAL, metric_of
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.transforms import Flip
from cnncli.results.training import Evaluated, Evaluation, Reading
from cnncli.training.computing import choose_computing
from cnncli.training.data.dataset import Measured
from cnncli.training.data.load import (
    held_out_part,
    identity,
    load,
    load_held_out,
    load_measured,
    resolved,
)
from cnncli.training.data.recorded import WHOLE_RANGE
from cnncli.training.data.request import Outputs
from cnncli.training.device import choose_device
from cnncli.training.evaluate import Manner, evaluate
from cnncli.training.launch.graphs import recorded_graph
from cnncli.training.predicting.table import Predictions, check_table
from cnncli.training.runs.record import DataRecord
from cnncli.training.runs.run import Run, open_run
from cnncli.training.tasks.building import Learned, clean_of, measuring_objective, whole_stored
from cnncli.training.tasks.presence import absent_tags, check_targets, missing_notes
from cnncli.training.tasks.targets import wanted_shapes
from cnncli.training.transforms import held_out_alters, margin_notes


class Wanted(NamedTuple):
    """What is measured of a run, and how.

    ``data`` is another source than its own; ``part`` is that of its own. ``weights`` are "best" or "last";
    None for those that the result of the run was measured with. ``flip`` is whether each image is
    measured together with its mirror image; ``predictions`` is a new file for a table of what is predicted.
    """

    data: str | None = None
    part: str = TEST
    weights: str | None = None
    flip: bool = False
    predictions: Path | None = None


def evaluate_run(folder: Path, wanted: Wanted, device: str, reading: Reading = None) -> Evaluated:
    """Measure the weights of a run on a held-out part of its data, or on other data.

    Of other data all images are measured, or its test part if it has parts; its classes are matched by name.

    Raises:
        CnncliError: there is no such run, it has no weights yet, the data has other classes, its images have
            no mirror images, or the table of predictions cannot be written.
    """
    if wanted.predictions is not None:
        check_table(wanted.predictions)
    run, part = open_run(folder), wanted.part
    if part == VAL and not run.record.data.val_images:
        raise usage_error(
            f"{folder} has no validation part to measure",
            expected=f"the part {TEST}",
            received=f"the part {VAL}",
            hint="train.data.holdout of a new run splits one off",
        )
    kept = run.kept(wanted.weights)
    graph = recorded_graph(run)
    if wanted.flip:
        _check_flip(whole_shape(graph.input))
    where = choose_device(device)
    record = run.record
    clean = clean_of(record.settings, record.data.input)
    learned = Learned(record.data.columns, clean, device=where)
    objective = measuring_objective(heads_of(graph), record.settings, learned)
    predictions = None if wanted.predictions is None else Predictions(objective, wanted.predictions)
    compared = {name: each for name, each in record.data.columns.items() if name in objective.columns}
    outputs = wanted_shapes(heads_of(graph), record.settings)
    found = _to_measure(run, wanted.data, outputs, compared, reading, part)
    split = found.as_known(compared)
    missing = check_targets(found.name, split, objective)
    missed = missing_notes([split], [missing], ["image"])
    which = [f"with the weights in {kept.name}"] if run.best.exists() else []
    said = (*which, *margin_notes(record.settings), *missed, *absent_tags(compared, found.columns))
    found = replace(found, notes=(*found.notes, *said, *_flip_notes(wanted.flip, record.settings)))
    network = build_network(graph)
    run.load(network, kept)
    computing = choose_computing(record.settings, where, network)
    computing.place(network)
    alters = held_out_alters(record.settings, split.count)
    listeners = () if predictions is None else (predictions,)
    forward = computing._replace(compiled=UNCOMPILED).forward(network)  # compiling takes longer than one pass
    manner = Manner(detailed=True, flip=wanted.flip, listeners=listeners, forward=forward)
    measured = evaluate(network, split, record.normalization, where, objective, alters, manner=manner)
    result = _evaluated(record.name, found, measured)
    if predictions is not None:
        predictions.finish(found.images)
        notes = (*result.notes, *predictions.notes)
        result = result._replace(predictions=wanted.predictions, notes=notes)
    return result._replace(part=part, tta=FLIP if wanted.flip else "")


def _check_flip(shape: tuple[int, ...]) -> None:
    """Check that images have a mirror image.

    Raises:
        UsageError: they have none.
    """
    expected = Flip().lacks(shape)
    if expected:
        message = "the input of this network has no mirror image"
        raise usage_error(message, expected=expected, received=shape_text(shape))


def _flip_notes(flip: bool, settings: Recipe) -> Iterator[str]:
    if not flip:
        return
    yield "what is said of an image is the mean of that of the image and of its mirror image, left to right"
    if not any(isinstance(each, Flip) and each.direction == Flip().direction for each in settings.transforms):
        yield "it was not trained on mirror images: there is no 'flip' among its transforms"


def _to_measure(
    run: Run,
    data: str | None,
    outputs: Outputs,
    compared: Mapping[str, Column],
    reading: Reading,
    part: str,
) -> Measured:
    """Return the images to measure a run on: never those that it was trained on, if the data is its own.

    ``compared`` are the columns that it was trained on, but only those that a head is compared with.

    Raises:
        UsageError: the data cannot be read or has other classes.
    """
    recorded, how, holdout = run.record.data, run.record.settings.data, run.record.settings.holdout
    shape = recorded.input
    levels = recorded.levels or WHOLE_RANGE
    if data is None or resolved(data) == recorded.source:
        own = how.of(recorded.source)
        found = load_held_out(own, shape, reading, levels, outputs, compared, part, holdout)
        return _still_held_out(found, own, recorded)
    other = how.measuring(data)
    if identity(other) == recorded.fingerprint and (part == TEST or are_alike(data, recorded.source)):
        return load_held_out(other, shape, reading, levels, outputs, compared, part, holdout)
    if part != TEST:
        raise usage_error(
            f"only the data that the run was started with has a part {part}",
            expected=f"{recorded.source}, or the part {TEST}",
            received=data,
        )
    return load_measured(other, shape, compared, reading, levels, outputs)


def _still_held_out(found: Measured, data: Data, recorded: DataRecord) -> Measured:
    """Return the held-out part of a run's data, with a note if others may have been held out in training."""
    now = identity(data)
    if now in (None, recorded.fingerprint):
        return found
    note = (
        f"{found.name} is not as it was when the run was started: the run may have been trained on some "
        "of these images"
    )
    return replace(found, notes=(note, *found.notes))


def _evaluated(graph_name: str, found: Measured, measured: Evaluation) -> Evaluated:
    """Return the evaluation with what was measured.

    Raises:
        UsageError: they are not finite.
    """
    notes = [f"measured {found.what} of {found.name}"]
    for name, head in measured.heads.items():
        if head.absent:
            has = "has" if len(head.absent) == 1 else "have"
            of_head = f" of {name}" if len(measured.heads) > 1 else ""
            count = f"{len(head.absent)} of {counted(len(head.names), 'class')}{of_head}"
            notes.append(f"{count} {has} no {head.unit}: {listing(head.absent)}")
    return Evaluated(graph_name, found.name, _sound(measured), (*notes, *found.notes))


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
    heads = heads_of(graph)
    stored = whole_stored(settings, whole_shape(graph.input))
    dataset = load(chosen, stored, reading, wanted_shapes(heads, settings), settings.holdout)
    device = next((each.device for each in network.parameters()), torch.device("cpu"))
    measured_on = dataset.normalized()
    learned = Learned(dataset.columns, clean_of(settings, dataset.input_shape), device=device)
    objective = measuring_objective(heads, settings, learned)
    check_targets(dataset.name, dataset.test, objective)
    alters = held_out_alters(settings, dataset.test.count)
    manner = Manner(detailed=True)
    measured = evaluate(network, dataset.test, measured_on, device, objective, alters, manner=manner)
    return _evaluated(graph.name, held_out_part(dataset), measured)


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
