"""The network of a run, with all that its record says of inputs and outputs, to be exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cnncli.diagnostics import listing
from cnncli.exporting.subject import Images, Subject, check_finite, origin_of, tensors_in
from cnncli.graph import open_text
from cnncli.graph.heads import heads_of
from cnncli.recipe.recipe import CENTERCROP
from cnncli.training.launch.graphs import recorded_graph
from cnncli.training.runs.record import RunRecord
from cnncli.training.runs.run import open_run
from cnncli.training.runs.weights import check_run, read_tensors
from cnncli.training.tasks.building import Learned, clean_of, measuring_objective


def of_run(folder: Path, weights: str | None) -> Subject:
    """Return the network of a run as its spec says it, with a softmax at its end if it has one.

    Args:
        folder: that of the run.
        weights: those of the "best" epoch or the "last" ones; None for those that ``evaluate`` measures.

    Raises:
        CnncliError: there is no such run, or it has no weights yet, or damaged ones.
    """
    run = open_run(folder)
    kept = run.kept(weights)
    trained = recorded_graph(run)
    graph = open_text(run.record.spec, name=str(run.spec)).graph
    tensors, metadata = read_tensors(kept)
    check_run(kept, metadata, run.record.id)
    arrays = {name: tensors[name].numpy() for name in tensors_in(graph, kept)}
    check_finite(arrays, kept)
    learned = Learned(run.record.data.columns, clean_of(run.record.settings, run.record.data.input))
    objective = measuring_objective(heads_of(trained), run.record.settings, learned)
    names = {head: tuple(objective.heads[head].target.names) for head in objective.inference}
    return Subject(
        graph,
        run.record.spec,
        arrays,
        origin_of(kept),
        images_of(run.record),
        names,
        run.folder,
        (*_notes(run.record),),
    )


def _notes(record: RunRecord) -> Iterator[str]:
    """Yield what else was done to images, and is not done by a file."""
    levels = record.data.levels
    if levels is not None:
        yield f"images of 16 bits become bytes before: {levels.black:,} is 0, and {levels.white:,} is 255"
    if record.settings.corrupt:
        steps = listing([*map(str, record.settings.corrupt)])
        yield f"images are taken for what the network sees, so not corrupted as in training, by {steps}"


def images_of(record: RunRecord) -> Images:
    """Return how a run makes its inputs of images."""
    settings, levels = record.settings, record.data.levels
    return Images(
        stored=record.data.input,
        margin=settings.data.margin,
        shrinks=settings.evaluation != CENTERCROP,
        resize=settings.data.resize,
        mean=record.normalization.mean,
        std=record.normalization.std,
        levels=None if levels is None else (levels.black, levels.white),
    )
