"""The network of a run, to be looked at: its graph, its weights, and how its images are prepared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cnncli.algebra import whole_shape
from cnncli.diagnostics import did_you_mean, listing, usage_error
from cnncli.graph import Graph, open_text
from cnncli.graph.heads import heads_of, main_head
from cnncli.network import Network, build_network
from cnncli.network.values import Values, values_of
from cnncli.recipe.recipe import Recipe
from cnncli.training.computing import choose_computing
from cnncli.training.data.recorded import WHOLE_RANGE, Levels
from cnncli.training.device import choose_device
from cnncli.training.launch.graphs import recorded_graph
from cnncli.training.runs.run import Run, open_run
from cnncli.training.tasks.building import Learned, clean_of, measuring_objective
from cnncli.training.tasks.objective import Objective


@dataclass(frozen=True, eq=False, slots=True)
class Opened:
    """A network in evaluation mode, with weights of a run, on a device.

    ``graph`` is that of the spec, and computes what the spec says; ``trained`` has logits in place of
    probabilities at its ends (:func:`~cnncli.graph.heads.with_logits`). Both have the same nodes and weights.
    ``network`` is that of ``graph``, and ``with_logits`` that of ``trained``. ``settings`` are those of the
    run, without a corruption: images are what the network sees.
    """

    run: Run
    weights: Path
    graph: Graph
    trained: Graph
    network: Network
    with_logits: Network
    settings: Recipe
    objective: Objective
    device: torch.device

    @property
    def name(self) -> str:
        """The name of the network."""
        return self.run.record.name

    @property
    def input(self) -> tuple[int, ...]:
        """The shape of what the network sees."""
        return whole_shape(self.graph.input)

    @property
    def stored(self) -> tuple[int, ...]:
        """The shape of images as they are read: with the margin of the recipe, if it has one."""
        margin = self.settings.data.margin
        return (*self.input[:1], *(side + 2 * margin for side in self.input[1:]))

    @property
    def levels(self) -> Levels:
        """The levels of 16-bit images."""
        return self.run.record.data.levels or WHOLE_RANGE

    def sha256(self) -> str:
        """Return the digest of the file of the weights."""
        with self.weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def head(self, name: str | None) -> str:
        """Return a head by its name; for None the first one in inference.

        Raises:
            UsageError: there is no such head in inference.
        """
        if name is None:
            return main_head(heads_of(self.graph))
        heads = self.objective.inference
        if name not in heads:
            message = f"{self.name} has no head '{name}' in inference"
            hint = did_you_mean(name, heads, "heads")
            raise usage_error(message, expected=listing(heads, last=" or "), received=name, hint=hint)
        return name

    def values(self, names: Sequence[str]) -> Values:
        """Return what computes the values of nodes, as the spec says."""
        return values_of(self.network, self.graph, names)

    def values_with_logits(self, names: Sequence[str]) -> Values:
        """Return what computes the values of nodes, logits at the ends."""
        return values_of(self.with_logits, self.trained, names)


def open_trained(folder: Path, weights: str | None, device: str) -> Opened:
    """Open the network of a run with its weights: "best" or "last", None for those of its result.

    It computes in float32, whatever it was trained in.

    Raises:
        CnncliError: there is no such run, or it has no such weights.
    """
    run, where = open_run(folder), choose_device(device)
    kept, trained = run.kept(weights), recorded_graph(run)
    graph = open_text(run.record.spec, name=str(run.spec)).graph
    settings = run.record.settings.replaced({"corrupt": []})
    networks = []
    for each in (graph, trained):
        network = build_network(each)
        run.load(network.eval().requires_grad_(requires_grad=False), kept)
        choose_computing(settings, where, network).place(network)
        networks.append(network)
    learned = Learned(run.record.data.columns, clean_of(settings, run.record.data.input), device=where)
    return Opened(
        run=run,
        weights=kept,
        graph=graph,
        trained=trained,
        network=networks[0],
        with_logits=networks[1],
        settings=settings,
        objective=measuring_objective(heads_of(trained), run.record.settings, learned),
        device=where,
    )
