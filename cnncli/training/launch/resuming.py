"""Resuming a run from its last checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from cnncli.algebra import whole_shape
from cnncli.diagnostics import usage_error
from cnncli.graph import Graph
from cnncli.graph.heads import heads_of
from cnncli.graph.segments import segments_of
from cnncli.network import build_network
from cnncli.recipe.computing import BLOCKS
from cnncli.recipe.recipe import Recipe, with_overrides
from cnncli.results.training import Reading
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.load import load
from cnncli.training.device import choose_device
from cnncli.training.launch.graphs import recorded_graph, recorded_sizes
from cnncli.training.launch.launch import Launch
from cnncli.training.launch.planning import planned
from cnncli.training.launch.several import check_alike
from cnncli.training.loop import seed_weights
from cnncli.training.plan import check_batch
from cnncli.training.runs.followed import followed
from cnncli.training.runs.resuming import check_data, check_settings
from cnncli.training.runs.run import Run, open_run
from cnncli.training.tasks.building import whole_stored
from cnncli.training.tasks.targets import wanted_shapes
from cnncli.training.warm.starting import started_again
from cnncli.training.world import joined


def resume(
    folder: Path, overrides: Sequence[str], data: str | None, device: str, reading: Reading = None
) -> Launch:
    """Open a run to continue it from its last checkpoint.

    ``overrides`` are ``train.NAME=VALUE`` texts; only what does not change results may differ from the run's.

    Raises:
        CnncliError: there is no such run, it diverged, or it was started with other settings or other data.
    """
    world = joined()
    run = followed(open_run(folder), world)
    settings = with_overrides(run.record.settings, overrides)
    _check_length(run.record.settings, settings)
    if data is not None:
        _check_one_source(run.record.settings, settings, data)
        settings = settings.replaced({"data": settings.data.of(data)})
    check_settings(run, settings)
    graph = recorded_graph(run)
    where = choose_device(device, world)
    stored = whole_stored(settings, whole_shape(graph.input))
    outputs = wanted_shapes(heads_of(graph), settings)
    dataset = load(settings.data, stored, reading, outputs, settings.holdout)
    check_batch(settings, world)
    check_alike(world, settings, dataset)
    return replace(continued(run, graph, dataset, settings, where), world=world)


def _check_length(before: Recipe, settings: Recipe) -> None:
    """Check that the epochs of a run whose length is given in FLOPs are not changed.

    Raises:
        UsageError: they are, which would have no effect.
    """
    if settings.flops is not None and settings.epochs != before.epochs:
        raise usage_error(
            "train.epochs has no effect, since the length of the run is train.flops",
            expected=f"train.epochs={before.epochs}",
            received=f"train.epochs={settings.epochs}",
        )


def _check_one_source(before: Recipe, settings: Recipe, data: str) -> None:
    """Check that the place of the data is not given apart and among the settings.

    Raises:
        UsageError: it is, so one of the two would have no effect.
    """
    if settings.data.source != before.data.source:
        raise usage_error(
            "train.data.source is given twice",
            expected="one place of the data",
            received=f"{data} and train.data.source={settings.data.source}",
        )


def continued(run: Run, graph: Graph, dataset: Dataset, settings: Recipe, device: torch.device) -> Launch:
    """Return the continuation of an opened run with data that was read.

    Raises:
        CnncliError: the data is not what the run was started with.
    """
    check_data(run, dataset)
    chosen = planned(graph, settings, dataset.train.count, recorded_sizes(run))
    settings = chosen.settings
    seed_weights(settings.seed)
    again = segments_of(graph, settings.recompute)
    network = build_network(graph, again=again, in_blocks=settings.compile == BLOCKS)
    started = started_again(network, graph, run)
    return Launch(
        graph,
        network,
        dataset,
        settings,
        run,
        device,
        run.position,
        resumed=True,
        course=chosen.course,
        started=started,
    )
