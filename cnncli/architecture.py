"""A network as its spec describes it, with all that can be done: analyses, the torch module, training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cnncli import arguments
from cnncli.algebra import whole
from cnncli.built import Built
from cnncli.diagnostics import CnncliError
from cnncli.graph import Chosen, read_recipe
from cnncli.language.overrides import section_of
from cnncli.recipe.devices import AUTO
from cnncli.recipe.dtypes import DEFAULT_DTYPE, itemsize
from cnncli.recipe.origins import DATA_OPTION, SOURCE, Setting, by_origin, check_length, settings_of
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.recompute import CHOSEN
from cnncli.work import metered

if TYPE_CHECKING:
    from torch import nn

    from cnncli.analysis.rates import LayerRate
    from cnncli.results.dry_run import DryRun, Tried
    from cnncli.results.find_lr import RangeTest
    from cnncli.results.pretraining import LayerEpoch, Pretrained, PretrainingBegun
    from cnncli.results.training import Evaluated, Packed, Previewed, Reading, Trained
    from cnncli.training.launch.launch import Launch
    from cnncli.training.launch.starting import Prepared
    from cnncli.training.observer import Observer


class Architecture(Built):
    """A network as its spec describes it: frozen and checked. Made by :func:`cnncli.load`.

    Torch is imported by the first method that needs it.
    """

    __slots__ = ()

    def begin(
        self,
        data: str | Mapping[str, Any] | None = None,
        *,
        run: str | Path | None = None,
        device: Any = AUTO,
        recipe_file: str | Path | None = None,
        memory: int | str | None = None,
        reading: Reading = None,
        **settings: Any,
    ) -> Launch:
        """Check everything and create the folder of a run; ``start()`` of the result trains.

        If the folder has a run already, it is continued from its checkpoint; a finished one stays as it is.

        Args:
            data: a source such as "idx:DIR" (:mod:`cnncli.recipe.data`), or a mapping such as
                ``{"resize": "pad"}``; the spec's own by default.
            run: the folder; ``runs/NAME-N`` by default.
            device: "auto", a device such as "cpu" (:mod:`cnncli.recipe.devices`), or a ``torch.device``.
            recipe_file: a YAML file of settings, over those of the spec's ``train`` section.
            memory: bytes, or a size such as "8GiB": in how many slices a batch is computed, and what the
                backward pass computes again, is chosen so that a step needs no more.
            reading: called with (images read, of how many).
            settings: training settings, such as ``epochs=5, optimizer={"sgd": {"lr": 0.1}}``.

        Raises:
            CnncliError: spec, data and settings do not match, nothing fits, or the folder has other files,
                or the run of another network, with other settings or other data.
        """
        need_training()
        from cnncli.training.launch.several import check_named  # noqa: PLC0415
        from cnncli.training.runs.followed import begun_run  # noqa: PLC0415
        from cnncli.training.runs.resuming import check_settings  # noqa: PLC0415
        from cnncli.training.world import joined  # noqa: PLC0415

        folder = None if run is None else arguments.path("run", run)
        world, limit = joined(), _bytes(memory)
        check_named(world, is_named=folder is not None)
        begun = begun_run(folder, world)
        if begun is not None:
            recorded, own = begun.record.settings, self._chosen(data, recipe_file, settings)[1].recipe
            if limit is not None:  # what was chosen for it then is in the record
                settings = {**settings, **{name: recorded.plain()[name] for name in CHOSEN}}
                own = own.replaced({name: getattr(recorded, name) for name in CHOSEN})
            check_settings(begun, own)
        room = limit if begun is None else None
        prepared = self._prepared(data, device, recipe_file, reading, settings, room, starts=begun is None)
        return prepared.create(folder) if begun is None else prepared.resumed(begun, limit)

    def dry_run(
        self,
        data: str | Mapping[str, Any] | None = None,
        *,
        run: str | Path | None = None,
        device: Any = AUTO,
        recipe_file: str | Path | None = None,
        memory: int | str | None = None,
        reading: Reading = None,
        trying: Reading = None,
        **settings: Any,
    ) -> DryRun:
        """Carry out a few steps of everything that a training does, and leave nothing on the disk.

        The arguments are those of :meth:`begin`; ``run`` is where the run would be, and ``trying`` is called
        with (steps begun, of how many).

        Raises:
            CnncliError: what the training would raise.
        """
        folder = None if run is None else arguments.path("run", run)
        prepared = self._prepared(data, device, recipe_file, reading, settings, _bytes(memory))
        from cnncli.training.launch.dry_run import dry_run  # noqa: PLC0415

        return _with_predictions(prepared, dry_run(prepared, folder, trying))

    def find_lr(
        self,
        data: str | Mapping[str, Any] | None = None,
        *,
        picture: str | Path | None = None,
        device: Any = AUTO,
        recipe_file: str | Path | None = None,
        reading: Reading = None,
        trying: Reading = None,
        **settings: Any,
    ) -> RangeTest:
        """Carry out a learning-rate range test: steps whose rate rises from tiny to large.

        Nothing is kept but the result. ``picture`` is a file that does not exist yet, for the curve, with the
        suffix ``.svg`` or ``.png``. ``trying`` is called with (steps begun, of how many); the others are
        arguments of :meth:`begin`.

        Raises:
            CnncliError: spec, data and settings do not match, the loss explodes at the smallest rates
                already, or the picture cannot be written.
        """
        need_training()
        from cnncli.training.launch.find_lr import check_picture, draw, find_lr  # noqa: PLC0415

        path = None if picture is None else arguments.path("picture", picture)
        if path is not None:
            check_picture(path)
        found = find_lr(self._prepared(data, device, recipe_file, reading, settings), trying)
        return found if path is None else draw(found, path)

    def _prepared(
        self,
        data: str | Mapping[str, Any] | None,
        device: Any,
        recipe_file: str | Path | None,
        reading: Reading,
        settings: Mapping[str, Any],
        memory: int | None = None,
        *,
        starts: bool = True,
    ) -> Prepared:
        """Read the data, and check that everything matches."""
        need_training()
        self._numeric("training")
        from cnncli.training.launch.starting import prepare  # noqa: PLC0415

        changed, chosen = self._chosen(data, recipe_file, settings)
        origins = [*_with_origins(chosen, data)]
        check_length(origins)
        where = arguments.device(device, AUTO)
        prepared = prepare(changed._opened, chosen.recipe, where, reading, memory, starts=starts)
        return replace(prepared, origins=by_origin(origins))

    def preview(
        self,
        path: str | Path,
        data: str | Mapping[str, Any] | None = None,
        *,
        recipe_file: str | Path | None = None,
        reading: Reading = None,
        **settings: Any,
    ) -> Previewed:
        """Write a picture of training images before and after the transforms; nothing is trained.

        ``path`` is that of a PNG file that does not exist yet; the others are arguments of :meth:`begin`.

        Raises:
            CnncliError: the file exists or cannot be written, the input is not a picture, or spec and data do
                not match.
        """
        need_training()
        self._numeric("a preview")
        from cnncli.training.preview import preview  # noqa: PLC0415

        changed, chosen = self._chosen(data, recipe_file, settings)
        return preview(changed.graph, chosen.recipe, arguments.path("path", path), reading)

    def pack(
        self,
        folder: str | Path,
        data: str | Mapping[str, Any] | None = None,
        *,
        recipe_file: str | Path | None = None,
        reading: Reading = None,
        **settings: Any,
    ) -> Packed:
        """Decode the data of a training once, into files that are mapped: their source is ``packed:FOLDER``.

        ``folder`` is created whole or not at all; the others are arguments of :meth:`begin`.

        Raises:
            CnncliError: the data cannot be read or does not match the network, or the folder is not empty or
                cannot be written.
        """
        need_training()
        self._numeric("packing")
        from cnncli.training.launch.packing import pack_for  # noqa: PLC0415

        changed, chosen = self._chosen(data, recipe_file, settings)
        return pack_for(changed.graph, chosen.recipe, arguments.path("folder", folder), reading)

    def pretrain(
        self,
        run: str | Path | None = None,
        *,
        data: str | None = None,
        device: Any = AUTO,
        begun: Callable[[PretrainingBegun], None] = lambda _: None,
        ended: Callable[[LayerEpoch], None] = lambda _: None,
        reading: Reading = None,
        **settings: Any,
    ) -> Pretrained:
        """Learn the first layers one by one without labels, as restricted Boltzmann machines.

        In the folder of one that was begun with the same arguments, it continues.

        Args:
            run: its folder; ``runs/NAME-pretrained-N`` by default.
            data: a source such as "idx:DIR" (:mod:`cnncli.recipe.data`); the spec's own by default.
            device: "auto", a device such as "cpu" (:mod:`cnncli.recipe.devices`), or a ``torch.device``.
            begun: called before the first epoch.
            ended: called after each epoch.
            reading: called with (images read, of how many).
            settings: of ``pretrain:``, such as ``epochs=20``.

        Raises:
            CnncliError: the first layers are not ``linear`` with ``sigmoid``, data and network do not match,
                the folder has something else, or the weights grow out of bounds.
        """
        need_training()
        self._numeric("a pretraining")
        from cnncli.training.launch.pretraining import prepare_pretraining  # noqa: PLC0415

        overrides = (*self._overrides, *arguments.keywords(settings, "pretrain."))
        opened = type(self)(self._origin, self._input, overrides, self.graph.variables)._opened
        if data is not None:
            own = opened.train.data.of(arguments.text("data", data))
            opened = opened._replace(train=opened.train.replaced({"data": own}))
        prepared = prepare_pretraining(opened, arguments.device(device, AUTO), reading)
        return prepared.run(None if run is None else arguments.path("run", run), begun, ended)

    def recipe(
        self,
        data: str | Mapping[str, Any] | None = None,
        *,
        recipe_file: str | Path | None = None,
        **settings: Any,
    ) -> tuple[Setting, ...]:
        """Return every setting that a training with these arguments has, and where it comes from.

        The arguments are those of :meth:`begin`; nothing is read but the recipe, and torch is not needed.

        Raises:
            CnncliError: a setting is unknown or wrong.
        """
        _, chosen = self._chosen(data, recipe_file, settings)
        return tuple(_with_origins(chosen, data))

    def rates(self, *, recipe_file: str | Path | None = None, **settings: Any) -> tuple[LayerRate, ...]:
        """Return depth and learning rates of each layer, if ``train.layer_decay`` is not 1; needs no torch.

        The arguments are those of :meth:`begin`.

        Raises:
            CnncliError: a setting is unknown or wrong.
        """
        from cnncli.analysis.rates import rates  # noqa: PLC0415

        changed, chosen = self._chosen(None, recipe_file, settings)
        return rates(changed.graph, chosen.recipe)

    def _chosen(
        self,
        data: str | Mapping[str, Any] | None,
        recipe_file: str | Path | None,
        settings: Mapping[str, Any],
    ) -> tuple[Self, Chosen]:
        """Return this network with the settings, and its recipe with the file and the data."""
        changed = self._with_settings({**settings, "data": data} if isinstance(data, Mapping) else settings)
        texts = [text for text in changed._overrides if section_of(text) == Recipe.keyword]
        chosen = read_recipe(changed._opened, recipe_file, texts)
        if data is None or isinstance(data, Mapping):
            return changed, chosen
        own = chosen.recipe.data.of(arguments.text("data", data))
        return changed, chosen._replace(recipe=chosen.recipe.replaced({"data": own}))

    def train(
        self,
        data: str | Mapping[str, Any] | None = None,
        *,
        observers: Iterable[Observer] = (),
        tensorboard: bool = False,
        **how: Any,
    ) -> Trained:
        """Train the network in a run folder.

        Torch's generators are seeded by the settings, and continue from there afterwards.

        Args:
            data: what to train on.
            observers: receive the progress.
            tensorboard: whether to write events for TensorBoard.
            how: arguments of :meth:`begin`.

        Raises:
            CnncliError: spec, data and settings do not match, or the training diverges.
        """
        return self.begin(data, **how).start(*observers, tensorboard=tensorboard)

    def evaluate(self, module: nn.Module, data: str | None = None, *, reading: Reading = None) -> Evaluated:
        """Evaluate a torch module of this network on held-out data, on the device of its parameters.

        Images are normalized as in training. :func:`cnncli.evaluate` evaluates the weights of a run.

        Args:
            module: a result of :meth:`module`; it is not changed.
            data: a source such as "idx:DIR" (:mod:`cnncli.recipe.data`); the spec's own by default.
            reading: called with (images read, of how many).

        Raises:
            CnncliError: it is not a module of this network, or the data does not match the network.
        """
        need_training()
        from cnncli.training.launch.evaluating import evaluate_module  # noqa: PLC0415

        source = None if data is None else arguments.text("data", data)
        return evaluate_module(self.graph, module, self.settings, source, reading)


def _with_predictions(prepared: Prepared, tried: Tried) -> DryRun:
    """Return a dry run with what the graph says about the same training."""
    from cnncli.analysis.costs.figures import costs  # noqa: PLC0415
    from cnncli.analysis.memory.slices import step_peak  # noqa: PLC0415
    from cnncli.results.dry_run import DryRun  # noqa: PLC0415

    graph, settings = prepared.graph, prepared.settings
    with metered():
        flops = whole(costs(graph).training_totals.flops)
        try:
            peak = step_peak(graph, itemsize(DEFAULT_DTYPE), settings, tried.batch)
        except CnncliError as error:
            return DryRun(tried, flops, None, error.diagnostics[0].message)
        return DryRun(tried, flops, peak)


def _bytes(memory: int | str | None) -> int | None:
    """Return an amount of memory in bytes.

    Raises:
        UsageError: it is not one.
    """
    from cnncli.analysis.memory.report import room_of  # noqa: PLC0415

    return None if memory is None else room_of(memory)


def need_training() -> None:
    """Check that everything that training needs is installed.

    Raises:
        UsageError: naming the missing packages and the command that installs them.
    """
    from cnncli.training import extras  # noqa: PLC0415

    extras.need_training()


def _with_origins(chosen: Chosen, data: str | Mapping[str, Any] | None) -> Iterator[Setting]:
    """Yield every setting of a recipe and where it comes from; a source may have been given apart."""
    for each in settings_of(chosen.recipe, chosen.section):
        given = each.path == SOURCE and isinstance(data, str)
        yield each._replace(origin=DATA_OPTION) if given else each
