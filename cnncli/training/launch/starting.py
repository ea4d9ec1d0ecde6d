"""Starting a new run: everything is checked before its folder is created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import torch

from cnncli.algebra import whole_shape
from cnncli.analysis.course import Course, Reopen, course
from cnncli.diagnostics import SpecError
from cnncli.graph import Graph, Opened, open_again
from cnncli.graph.heads import heads_of, main_head
from cnncli.graph.segments import segments_of
from cnncli.language import shipped
from cnncli.language.tree import Entries
from cnncli.language.writer import to_yaml
from cnncli.network import Network, build_network
from cnncli.recipe.computing import BLOCKS
from cnncli.recipe.data import Data
from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Reading, Within
from cnncli.results.transfer import Started
from cnncli.training.computing import precision_of
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.load import load
from cnncli.training.data.space import MEMORY, Space
from cnncli.training.device import choose_device
from cnncli.training.launch.graphs import as_trained, recorded_graph, subject_of
from cnncli.training.launch.launch import Launch
from cnncli.training.launch.planning import Room, check_room, planned
from cnncli.training.launch.several import check_alike
from cnncli.training.loop import seed_weights
from cnncli.training.plan import check_trainable
from cnncli.training.runs.checkpoint import Position
from cnncli.training.runs.followed import followed
from cnncli.training.runs.resuming import check_data, check_network
from cnncli.training.runs.revision import revision_of
from cnncli.training.runs.run import Run, create_run, open_run
from cnncli.training.tasks.building import check_tasks, whole_stored
from cnncli.training.tasks.targets import check_columns, main_classes, wanted_shapes
from cnncli.training.warm.starting import fill, opened_start, started_again
from cnncli.training.world import ALONE, World, joined

CLASSES: Final = "classes"
"""The variable of a spec that follows the number of classes of the data."""


@dataclass(frozen=True, eq=False, slots=True)
class Prepared:
    """A training that is checked and not begun: nothing is written yet.

    ``spec`` is the text of its spec, and ``files`` are those that it was read from, without the shipped ones;
    ``origins`` are the names of the settings that are not defaults, by the file or the option that they come
    from. ``started`` says where its first weights came from. ``course`` and ``within`` are those of a
    :class:`~cnncli.training.launch.planning.Planned`.
    """

    graph: Graph
    network: Network
    dataset: Dataset
    settings: Recipe
    spec: str
    files: tuple[Path, ...]
    device: torch.device
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    course: Course | None = None
    within: Within | None = None
    started: Started | None = None
    world: World = ALONE

    def resumed(self, run: Run, memory: int | None = None) -> Launch:
        """Continue a run that the same command has started.

        ``memory`` are the bytes that a step may need; None for any number.

        Raises:
            CnncliError: it was started with another network or other data, or a step needs more.
        """
        check_network(run, recorded_graph(run), self.graph)
        check_data(run, self.dataset)
        check_alike(self.world, self.settings, self.dataset)
        if memory is not None:
            room = Room(memory, self.world.size, precision_of(self.settings, self.device))
            check_room(self.graph, self.settings, self.dataset.train.count, room)
        started = started_again(self.network, self.graph, run)
        return replace(self, started=started)._launch(run, run.position, resumed=True)

    def create(self, folder: Path | None) -> Launch:
        """Create the folder of the run; ``runs/NAME-N`` for None.

        Raises:
            CnncliError: the folder is not empty, or cannot be written.
        """
        check_alike(self.world, self.settings, self.dataset)
        run = self._created(folder) if self.world.leads else None
        made = self.world.told("" if run is None else str(run.folder.absolute()))
        run = run or followed(open_run(Path(made)), self.world)
        return self._launch(run, Position(), resumed=False)

    def _created(self, folder: Path | None) -> Run:
        return create_run(
            folder,
            name=self.graph.name,
            spec=self.spec,
            settings=self.settings,
            dataset=self.dataset,
            device=self.device,
            revision=revision_of(self.files),
            start=None if self.started is None else self.started.origin,
        )

    def _launch(self, run: Run, position: Position, *, resumed: bool) -> Launch:
        return Launch(
            self.graph,
            self.network,
            self.dataset,
            self.settings,
            run,
            self.device,
            position,
            self.origins,
            resumed,
            self.course,
            self.within,
            self.started,
            self.world,
        )


def prepare(
    opened: Opened,
    settings: Recipe,
    device: str,
    reading: Reading = None,
    memory: int | None = None,
    *,
    starts: bool = True,
) -> Prepared:
    """Read the data, and check that spec, data and settings match.

    Args:
        opened: the spec.
        settings: how to train.
        device: a text that :func:`~cnncli.training.device.choose_device` takes.
        reading: called while images are read.
        memory: bytes that a step may need at most; None for any number.
        starts: whether the first weights are read; a run that is continued has weights of its own.

    Raises:
        CnncliError: they do not match.
    """
    world = joined()
    where = choose_device(device, world)
    if settings.resolution is not None:
        course(opened.graph, settings.resolution, reopening(opened))  # before data is read
    weights = opened_start(settings.start) if starts else None  # before data is read, too
    dataset = read(opened.graph, settings, settings.data, reading, settings.holdout)
    opened, dataset = _with_classes(opened, settings, dataset)
    graph = as_trained(opened.graph)
    room = None if memory is None else Room(memory, world.size, precision_of(settings, where))
    chosen = planned(graph, settings, dataset.train.count, reopening(opened), room)
    settings = chosen.settings
    seed_weights(settings.seed)
    again = segments_of(graph, settings.recompute)
    network = build_network(graph, again=again, in_blocks=settings.compile == BLOCKS)
    started = None if weights is None else fill(network, graph, *weights)
    subject = subject_of(graph, network, settings)
    notes = check_trainable(subject, whole_shape(graph.input), dataset, settings, world)
    dataset = replace(dataset, notes=(*dataset.notes, *notes))
    return Prepared(
        graph,
        network,
        dataset,
        settings,
        to_yaml(opened.document),
        shipped.others(opened.document.files),
        where,
        course=chosen.course,
        within=chosen.within,
        started=started,
        world=world,
    )


def reopening(opened: Opened) -> Reopen:
    """Return what opens a spec again with another input size, as it is trained."""
    return lambda size: as_trained(open_again(opened.document, size=size).graph)


def read(
    graph: Graph,
    settings: Recipe,
    data: Data,
    reading: Reading = None,
    holdout: float = 0.0,
    space: Space = MEMORY,
) -> Dataset:
    """Read the ``data`` of a training, after checking what can be checked without it.

    See :func:`~cnncli.training.data.load.load` for ``holdout`` and ``space``.

    Raises:
        CnncliError: it cannot be read, or does not match the spec.
    """
    heads, shape = heads_of(as_trained(graph)), whole_shape(graph.input)
    check_tasks(heads, settings, shape)
    check_columns(heads, settings)
    stored, outputs = whole_stored(settings, shape), wanted_shapes(heads, settings)
    return load(data, stored, reading, outputs, holdout, space)


def _with_classes(opened: Opened, settings: Recipe, dataset: Dataset) -> tuple[Opened, Dataset]:
    """Return the spec with as many classes as the data has, and a note, if it has a variable for them.

    The variable is called :data:`CLASSES`, and nobody has set it. In all other cases nothing changes, and
    :func:`check_trainable` reports outputs that do not match.
    """
    graph, document = opened.graph, opened.document
    count = main_classes(heads_of(graph), settings, dataset.columns)
    variables = document.section("vars")
    free = isinstance(variables, Entries) and CLASSES in variables and CLASSES not in document.overridden
    if not free or not count or _outputs(graph) == count:
        return opened, dataset
    try:
        changed = open_again(document, overrides=[f"{CLASSES}={count}"])
    except SpecError:
        return opened, dataset
    if _outputs(changed.graph) != count:
        return opened, dataset
    note = f"{CLASSES}={count}: the spec has another number, and follows the data"
    return changed, replace(dataset, notes=(*dataset.notes, note))


def _outputs(graph: Graph) -> int:
    """Return the number of outputs, or of channels, of the main head."""
    heads = heads_of(graph)
    return heads[main_head(heads)].shape[0]
