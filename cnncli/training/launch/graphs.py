"""The graph that is trained and evaluated."""

from __future__ import annotations

from cnncli.algebra import whole_shape
from cnncli.analysis.course import Reopen
from cnncli.diagnostics import CnncliError, usage_error
from cnncli.graph import Graph, open_text
from cnncli.graph.heads import NOT_PROBABILITIES, remarks, with_logits
from cnncli.layers import shape_text
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


def as_trained(graph: Graph) -> Graph:
    """Return a graph as it is trained and evaluated: with logits in place of probabilities.

    Raises:
        CnncliError: an output has probabilities that no loss can be computed from.
    """
    faults = [each for each in remarks(graph) if each.code == NOT_PROBABILITIES]
    if faults:
        raise CnncliError(each._replace(level="error") for each in faults)
    return with_logits(graph)
