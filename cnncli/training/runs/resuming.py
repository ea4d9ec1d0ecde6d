"""Whether a run can be continued: with its own settings and data; only the epochs may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cnncli.diagnostics import listing, usage_error
from cnncli.graph import Graph
from cnncli.layers import shape_text
from cnncli.recipe.data import are_alike
from cnncli.recipe.recipe import Recipe
from cnncli.training.data.dataset import Dataset
from cnncli.training.runs.checkpoint import Position
from cnncli.training.runs.differences import brief, differing
from cnncli.training.runs.run import Run

_MAY_CHANGE: Final = frozenset({"epochs", "save", "data.source"})
"""A run may be continued for longer and saved more often, and its data may have been moved: its content is
compared instead."""


def check_settings(run: Run, settings: Recipe) -> None:
    """Check, before any data is read, that a run can be continued with these settings.

    Raises:
        UsageError: it diverged, was started with other settings, or is past the last epoch already.
    """
    _check_not_diverged(run)
    changed = differences(run.record.settings.plain(), settings.plain())
    if changed:
        raise usage_error(
            f"settings differ from those that {run.folder} was started with: {listing(changed)}",
            expected="the same settings; only train.epochs and train.save may change",
            hint="start a new run for other settings, in another folder",
        )
    if settings.flops is None:
        check_position(run.position, settings.epochs)


def check_network(run: Run, recorded: Graph, graph: Graph) -> None:
    """Check that a network is the one that a run was started with, ``recorded``.

    Raises:
        UsageError: naming the layers that differ.
    """
    changed = [*differences(_plain(recorded), _plain(graph))]
    if not changed and [node.name for node in recorded.nodes] != [node.name for node in graph.nodes]:
        changed = ["the layers have another order"]
    if changed:
        raise usage_error(
            f"the network is not the one that {run.folder} was started with: {listing(changed)}",
            expected=f"the network of {run.spec}",
            hint="start a new run for another network, in another folder",
        )


def _plain(graph: Graph) -> dict[str, Any]:
    """Return what of a graph its results depend on, each layer by its name."""
    layers = {
        node.name: {node.kind: {**node.layer.plain(), "from": listing(node.inputs)}} for node in graph.nodes
    }
    outputs = {
        head: f"{each.node}{' in training only' * each.training_only}" for head, each in graph.outputs.items()
    }
    return {"the input": shape_text(graph.input), **layers, "the outputs": outputs}


def check_data(run: Run, dataset: Dataset) -> None:
    """Check that data is what a run was started with.

    Raises:
        UsageError: its images or targets, or their parts, are others.
    """
    recorded = run.record.data
    before = (
        recorded.fingerprint,
        recorded.train_images,
        recorded.val_images,
        recorded.test_images,
        recorded.levels,
    )
    now = (
        dataset.fingerprint(),
        dataset.train.count,
        dataset.val_count,
        dataset.test.count,
        dataset.levels,
    )
    if now != before or (recorded.val_images and not are_alike(recorded.source, dataset.name)):
        raise usage_error(
            f"the data is not the data that {run.folder} was started with",
            expected=f"the images and labels that {recorded.source} had then",
            received=dataset.name,
            hint="start a new run for other data, in another folder",
        )


def _check_not_diverged(run: Run) -> None:
    """Check that a run did not end with a divergence, which would happen again.

    Raises:
        UsageError: it did.
    """
    if run.record.status == "diverged":
        raise usage_error(
            f"{run.folder} diverged, and would do so again: a resumed run repeats itself to the last bit",
            expected="a run that was interrupted, or has finished",
            received="the status 'diverged'",
            hint=f"start a new run with {gentler(run.record.settings)}",
        )


def gentler(settings: Recipe) -> str:
    """Return the settings that keep a training from diverging."""
    optimizer, schedule = settings.optimizer.keyword, settings.schedule.keyword
    return f"a smaller train.optimizer.{optimizer}.lr or a longer train.schedule.{schedule}.warmup"


def check_position(position: Position, epochs: int) -> None:
    """Check that a training of ``epochs`` epochs reaches the position of a run.

    Raises:
        UsageError: it ends before.
    """
    reached = position.epochs + (position.batches > 0)
    if reached > epochs:
        where = f"already in epoch {reached}" if position.batches else f"already after epoch {reached}"
        expected = f"train.epochs={reached} or more"
        raise usage_error(f"the run is {where}", expected=expected, received=f"train.epochs={epochs}")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the differences that would change the result of a run, as ``optimizer.sgd.lr: 0.1, not 0.2``."""
    return [
        f"{path}: {brief(old)}, not {brief(new)}"
        for path, (old, new) in differing([before, now])
        if not any(path == each or path.startswith(f"{each}.") for each in _MAY_CHANGE)
    ]
