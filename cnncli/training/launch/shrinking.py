"""The network of a run with fewer channels, as a spec and a file of weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import torch
from safetensors.numpy import save

from cnncli.algebra import whole
from cnncli.analysis.check import check, read
from cnncli.diagnostics import counted, usage_error
from cnncli.exporting.subject import Array, Subject
from cnncli.graph import Graph, open_text
from cnncli.language.sections import Budget
from cnncli.network import build_network
from cnncli.recipe.metrics import telling
from cnncli.recipe.recipe import Recipe
from cnncli.results.shrinking import Shrunk, ShrunkFigure, ShrunkLayer
from cnncli.training.launch.evaluating import evaluate_module
from cnncli.training.launch.exporting import of_run
from cnncli.training.launch.graphs import as_trained
from cnncli.training.new_files import check_new, write_new
from cnncli.training.runs.run import open_run
from cnncli.training.shrinking import importance_of, without
from cnncli.transfer.channels import Channels, channels_of
from cnncli.transfer.shrinking import NothingFitsError, spec_without, to_remove

KEY: Final = "cnncli.shrink"
"""The key in the header of the weights, with a JSON text."""


class Smaller(NamedTuple):
    """A network with fewer channels: its layers and figures, the text of its spec, and its weights."""

    layers: tuple[ShrunkLayer, ...]
    figures: tuple[ShrunkFigure, ...]
    removed: int
    of: int
    graph: Graph
    text: str
    tensors: Mapping[str, Array]
    recipe: Recipe

    def written(self, output: Path, source: Path, before: Mapping[str, float]) -> Shrunk:
        """Measure the network, write spec and weights into new files, and return what became of it.

        Args:
            output: the file for the spec.
            source: the folder of the run that it is from.
            before: what was measured of that.

        Raises:
            CnncliError: a file exists, or cannot be written.
        """
        metric = telling(before)
        after = self._measured()[metric]
        spec, weights = files_of(output)
        note = f"# {source} without {counted(self.removed, 'channel')} of {self.of:,} that can be removed.\n"
        told = json.dumps({"run": str(source), "removed": self.removed}, sort_keys=True, allow_nan=False)
        write_new(weights, save(dict(self.tensors), {KEY: told}))
        write_new(spec, (note + self.text).encode())
        return Shrunk(
            self.graph.name,
            self.layers,
            self.figures,
            self.removed,
            self.of,
            metric,
            before[metric],
            after,
            spec,
            weights,
            source,
        )

    def _measured(self) -> Mapping[str, float]:
        """Return what is measured with its weights on the held-out data of its recipe."""
        graph = as_trained(self.graph)
        network = build_network(graph, "meta").eval()
        state = {name: torch.from_numpy(each) for name, each in self.tensors.items()}
        # Counters of batches are not read, but a network without values for them is not one to be measured.
        counters = {name: torch.tensor(0) for name in network.state_dict() if name not in state}
        network.load_state_dict(state | counters, assign=True)
        return evaluate_module(graph, network, self.recipe, None).figures


def files_of(output: Path) -> tuple[Path, Path]:
    """Return the new files for a spec and its weights.

    Raises:
        UsageError: one of them exists, or the name is not that of a spec.
    """
    weights = output.with_suffix(".safetensors")
    check_new(output, (".yaml", ".yml"))
    check_new(weights, (".safetensors",))
    return output, weights


def smaller(run: Path, limits: Mapping[str, int | str], weights: str | None) -> Smaller:
    """Return the network of a run without its least important channels, within limits.

    Raises:
        CnncliError: there is no such run, or a limit is unknown, already met, or cannot be met.
    """
    budget = read(limits)
    record, subject = open_run(run).record, of_run(run, weights)
    recipe = record.settings.replaced({"data": record.settings.data.of(record.data.source)})
    graph = open_text(subject.spec, name=str(run)).graph
    before = _figures(graph, budget, recipe)
    if all(actual <= limit for actual, limit in before.values()):
        texts = ", ".join(f"{name} is {actual:,}" for name, (actual, _) in before.items())
        raise usage_error(
            f"{graph.name} is within its budget already", expected="a lower limit", received=texts
        )
    channels = channels_of(graph)
    removed = _removed(graph, channels, subject, budget, recipe)
    text = spec_without(graph, channels, removed, recipe)
    small = open_text(text).graph
    figures = (
        ShrunkFigure(name, before[name][0], actual, limit)
        for name, (actual, limit) in _figures(small, budget, recipe).items()
    )
    return Smaller(
        _layers(graph, channels, removed),
        tuple(figures),
        len(removed),
        len(channels.removable),
        small,
        text,
        without(channels, subject.tensors, removed),
        recipe,
    )


def _removed(
    graph: Graph, channels: Channels, subject: Subject, budget: Budget, recipe: Recipe
) -> frozenset[int]:
    """Return the units to remove.

    Raises:
        UsageError: the network is too large with one channel in each layer, too.
    """
    fits = _fits(graph, channels, budget, recipe)
    try:
        return to_remove(channels, importance_of(channels, subject.tensors), fits)
    except NothingFitsError as error:
        raise usage_error(
            f"{graph.name} cannot be shrunk to this budget by removing channels",
            expected="a limit that holds with one channel in each layer",
            hint=f"{counted(len(channels.removable), 'channel')} can be removed; those of input and "
            "outputs stay, and those of layers that need a fixed number",
        ) from error


def _fits(
    graph: Graph, channels: Channels, budget: Budget, recipe: Recipe
) -> Callable[[frozenset[int]], bool]:
    def fits(removed: frozenset[int]) -> bool:
        small = open_text(spec_without(graph, channels, removed, recipe)).graph
        return all(verdict.within for verdict in check(small, budget, recipe))

    return fits


def _figures(graph: Graph, budget: Budget, recipe: Recipe) -> dict[str, tuple[int, int]]:
    return {each.figure: (each.actual, each.limit) for each in check(graph, budget, recipe)}


def _layers(graph: Graph, channels: Channels, removed: frozenset[int]) -> tuple[ShrunkLayer, ...]:
    making = {name.rpartition(".")[0] for name in channels.makers}
    return tuple(
        ShrunkLayer(node.name, node.kind, whole(node.output_shape[0]), channels.left(node.name, removed))
        for node in graph.nodes
        if node.name in making or f"{node.name}.0" in making
    )
