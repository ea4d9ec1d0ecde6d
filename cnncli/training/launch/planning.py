"""What follows from graph and data before a training: its length, its sizes, how batches are computed."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from cnncli.algebra import whole
from cnncli.analysis.course import Course, Length, Reopen, course, length
from cnncli.diagnostics import CnncliError, counted, readable_bytes, usage_error
from cnncli.graph import Graph
from cnncli.graph.segments import segment_names
from cnncli.limits import MAX_SIZE
from cnncli.recipe.computing import FLOAT32
from cnncli.recipe.dtypes import DEFAULT_DTYPE, itemsize
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.recompute import AUTO
from cnncli.results.training import Stage, Within
from cnncli.training.data.batches import batch_bounds

if TYPE_CHECKING:
    from cnncli.analysis.memory.slices import Manner


class Planned(NamedTuple):
    """A recipe in which everything is decided, and its course; None if all epochs are whole and alike."""

    settings: Recipe
    course: Course | None = None
    within: Within | None = None


class Room(NamedTuple):
    """The ``memory`` in bytes that a step of each of the ``processes`` may need.

    ``precision`` is that of the computation (:data:`~cnncli.recipe.computing.PRECISIONS`), decided.
    """

    memory: int
    processes: int
    precision: str


def planned(graph: Graph, settings: Recipe, count: int, reopen: Reopen, room: Room | None = None) -> Planned:
    """Return the recipe of a training of ``count`` images with its epochs, slices and recomputed segments.

    Args:
        graph: as it is trained.
        settings: how to train.
        count: the training images.
        reopen: opens its spec with another input size.
        room: what a step may need; None for any amount.

    Raises:
        CnncliError: nothing fits, or the network cannot be trained on these sizes.
    """
    settings, found = _lengthened(graph, settings, count, reopen)
    if room is not None:
        settings, within = _within(graph, settings, count, room)
        return Planned(settings, found, within)
    if settings.recompute == (AUTO,):
        raise usage_error(
            f"train.recompute={AUTO} needs a limit of memory",
            expected="such a limit, or names of nodes to recompute",
        )
    return Planned(settings, found)


def _lengthened(graph: Graph, settings: Recipe, count: int, reopen: Reopen) -> tuple[Recipe, Course | None]:
    """Return a recipe with the epochs that its FLOPs take, and the course of its training."""
    if settings.flops is None and settings.resolution is None:
        return settings, None
    found = course(graph, settings.resolution, reopen)
    if settings.flops is None:
        return settings, found
    epochs = length_of(settings, count, found).epochs
    if epochs > MAX_SIZE:
        raise usage_error("train.flops is too much for this network", received=f"{epochs:,} epochs")
    lengthened = settings.replaced({"epochs": epochs})
    faults = [
        fault._replace(message=f"train.schedule.{settings.schedule.keyword}.{name}: {fault.message}")
        for name, fault in settings.schedule.wrong(epochs, settings.optimizer.inertia)
    ]
    faults += settings.never_unfrozen(epochs)
    if faults:
        raise CnncliError(
            each._replace(hint=f"train.flops is enough for {counted(epochs, 'epoch')}") for each in faults
        )
    return lengthened, found


def length_of(settings: Recipe, count: int, found: Course) -> Length:
    """Return how long a training of ``count`` images is."""
    bounds = batch_bounds(count, settings.batch)
    if settings.flops is None:
        return Length(settings.epochs, len(bounds))
    return length(found, bounds, settings.flops)


def ends_of(settings: Recipe, count: int, found: Course) -> int:
    """Return the batch after which the last epoch ends; 0 if it is whole."""
    batches = length_of(settings, count, found).batches
    return 0 if batches == len(batch_bounds(count, settings.batch)) else batches


def stages_of(settings: Recipe, count: int, found: Course) -> tuple[Stage, ...]:
    """Return the epochs of each size, counted from 1, with the FLOPs of training in them.

    Stages of the same size are one, and so are all epochs if the size does not change.
    """
    epochs, batches = length_of(settings, count, found)
    images = batch_bounds(count, settings.batch)[batches - 1][1]
    stages: list[Stage] = []
    done = 0
    for size, alike in groupby(range(len(found.flops)), key=found.size_of):
        last = done + sum(found.epochs(stage, epochs) for stage in alike)
        if last > done:
            trained = count * (last - done) - (count - images) * (last == epochs)
            stages.append(Stage(size, done + 1, last, trained * found.sample(done, epochs)))
            done = last
    return tuple(stages)


def check_room(graph: Graph, settings: Recipe, count: int, room: Room) -> None:
    """Check that a run that was begun with a limit of memory is within one when it continues.

    Raises:
        CnncliError: it is not: there were more processes, for example, or the limit was another one.
    """
    # Imported here because most trainings have no limit.
    from cnncli.analysis.memory.slices import step_peak  # noqa: PLC0415

    peak = step_peak(graph, itemsize(DEFAULT_DTYPE), settings, *_batch(settings, count, room))
    if peak > room.memory:
        raise usage_error(
            f"a step of this run needs more memory in {counted(room.processes, 'process')}",
            expected=f"at least {readable_bytes(peak, up=True)}, since its slices cannot change",
            received=readable_bytes(room.memory),
        )


def _batch(settings: Recipe, count: int, room: Room) -> tuple[int, Manner]:
    """Return the images of the largest batch, and how batches are computed.

    Raises:
        CnncliError: what a step needs is not known.
    """
    from cnncli.analysis.memory.slices import Manner  # noqa: PLC0415

    if settings.sync_batchnorm and room.processes > 1:
        raise usage_error(
            "what train.sync_batchnorm needs in several processes is not known, so no limit can be kept",
            expected="train.sync_batchnorm=false, or no limit of memory",
        )
    *others, batch = sorted({end - start for start, end in batch_bounds(count, settings.batch)})
    return batch, Manner(room.processes, room.precision != FLOAT32, tuple(others))


def _within(graph: Graph, settings: Recipe, count: int, room: Room) -> tuple[Recipe, Within]:
    """Return a recipe whose steps stay within a limit, and what they need.

    Raises:
        CnncliError: there is none.
    """
    # Imported here because most trainings have no limit.
    from cnncli.analysis.costs.figures import STEP_PASSES, costs  # noqa: PLC0415
    from cnncli.analysis.memory.slices import choose  # noqa: PLC0415

    if settings.accumulate > 1:
        raise usage_error(
            "a limit of memory decides in how many slices a batch is computed",
            expected="train.accumulate=1",
            received=f"train.accumulate={settings.accumulate}",
        )
    batch, manner = _batch(settings, count, room)
    way = choose(graph, itemsize(DEFAULT_DTYPE), settings, batch, room.memory, manner)
    names = segment_names(graph, way.segments)
    share = way.flops / (STEP_PASSES * whole(costs(graph).training_totals.flops))
    chosen = settings.replaced({"accumulate": way.slices, "recompute": names})
    return chosen, Within(*room, way.peak, way.slices, way.size, names, share)
