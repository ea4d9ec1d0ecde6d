"""The graph that is trained and evaluated."""

from __future__ import annotations

from torch import nn

from cnncli.algebra import whole_shape
from cnncli.analysis.course import Reopen
from cnncli.diagnostics import CnncliError, usage_error
from cnncli.graph import Graph, open_text
from cnncli.graph.heads import NOT_PROBABILITIES, heads_of, remarks, with_logits
from cnncli.graph.learning import learning_of
from cnncli.layers import shape_text
from cnncli.recipe.recipe import Recipe
from cnncli.training.plan import Subject
from cnncli.training.runs.run import Run
from cnncli.training.tasks.building import whole_stored


def recorded_graph(run: Run) -> Graph:
    """Return the graph of the spec in the record of a run, as it is trained.

    Raises:
        CnncliError: it is not a spec, or one for other data than the record says.
    """
    graph = open_text(run.record.spec, name=str(run.spec)).graph
    if whole_stored(run.record.settings, whole_shape(graph.input)) != run.record.data.input:
        raise usage_error(
            f"{run.folder} is damaged: its spec and its data disagree",
            expected=f"images of {shape_text(graph.input)}",
            received=shape_text(run.record.data.input),
        )
    return as_trained(graph)


def recorded_sizes(run: Run) -> Reopen:
    """Return what opens the spec in the record of a run with another input size, as it is trained."""
    return lambda size: as_trained(open_text(run.record.spec, name=str(run.spec), size=size).graph)


def subject_of(graph: Graph, network: nn.Module, settings: Recipe) -> Subject:
    """Return what is trained: the network that was built of a graph, and what the graph says of it."""
    places = {node.name: node.location for node in graph.nodes}
    return Subject(network, heads_of(graph), learning_of(graph, settings), places)


def as_trained(graph: Graph) -> Graph:
    """Return a graph as it is trained and evaluated: with logits in place of probabilities.

    Raises:
        CnncliError: an output has probabilities that no loss can be computed from.
    """
    faults = [each for each in remarks(graph) if each.code == NOT_PROBABILITIES]
    if faults:
        raise CnncliError(each._replace(level="error") for each in faults)
    return with_logits(graph)
