"""The recipe of a training, the section ``train:``, read and changed without torch.

So a misspelled setting is an error of ``cnncli inspect`` already, with its place in the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Self

from cnncli.diagnostics import Diagnostic, Faults, Source, SpecError, counted, usage_error
from cnncli.language.description import OUTPUT
from cnncli.language.fields import Record, arg
from cnncli.language.merging import declare
from cnncli.language.nested import ByName, ListOf, Nested, OneOf, Unset
from cnncli.language.overrides import literal, overridden, section_of
from cnncli.language.parsing import parse
from cnncli.language.readers import Choice, Flag, Number, Whole
from cnncli.language.scope import Scope
from cnncli.language.sections import Quantity
from cnncli.language.tree import Entries, location_of
from cnncli.limits import MAX_GROUPS, MAX_TRANSFORMS
from cnncli.recipe.averaging import AVERAGES, Average
from cnncli.recipe.clipping import CLIPS, Clip
from cnncli.recipe.computing import COMPILATIONS, MEMORY_FORMATS, PRECISIONS, UNCOMPILED
from cnncli.recipe.data import DEFAULT_HOLDOUT, Data
from cnncli.recipe.devices import AUTO
from cnncli.recipe.groups import Group
from cnncli.recipe.optimizers import OPTIMIZERS, SGD, Optimizer
from cnncli.recipe.penalty import Penalty
from cnncli.recipe.recompute import RecomputeReader
from cnncli.recipe.resolution import Resolution
from cnncli.recipe.saving import Save
from cnncli.recipe.schedules import SCHEDULES, Cosine, Plateau, Schedule
from cnncli.recipe.start import Start
from cnncli.recipe.stopping import Stop
from cnncli.recipe.tasks import Task, TaskReader
from cnncli.recipe.transforms import CORRUPTIONS, TRANSFORMS, Shrink, Transform

CENTERCROP: Final = "centercrop"
RESIZE: Final = "resize"


class Recipe(Record):
    """How ``cnncli train`` trains a network."""

    keyword = "train"
    member = "setting"

    data: Data = arg(Nested(Data), "where the images come from, and how they are read", default=Data())
    epochs: int = arg(Whole(1), "passes over the training images", default=10)
    flops: int | None = arg(
        Unset(Quantity()),
        "FLOPs of the whole training, such as 3P, from which the epochs follow; unset: as many as they take",
        default=None,
    )
    batch: int = arg(Whole(1), "images in each step", default=128)
    seed: int = arg(Whole(0), "seed of initial weights, shuffling, transforms and dropout", default=0)
    start: Start | None = arg(
        Unset(Nested(Start)),
        "weights that are already learned, to begin with; unset: random ones",
        default=None,
    )
    transforms: tuple[Transform, ...] = arg(
        ListOf(OneOf("transform", TRANSFORMS), MAX_TRANSFORMS, "[crop, {flip: vertical}]"),
        "what happens to training images, in this order",
        default=(),
    )
    evaluation: str = arg(
        Choice(CENTERCROP, RESIZE),
        "how images with a margin are measured: without it, or resized as a whole",
        default=CENTERCROP,
    )
    corrupt: tuple[Transform, ...] = arg(
        ListOf(OneOf("corruption", CORRUPTIONS), MAX_TRANSFORMS, "[noise: 0.3]"),
        "what happens after them to what the network sees, but not to its targets; in evaluation too",
        default=(),
    )
    resolution: Resolution | None = arg(
        Unset(Nested(Resolution)),
        "smaller sizes of training images in the first epochs; unset: always that of the input",
        default=None,
    )
    tasks: Mapping[str, Task] = arg(
        ByName(TaskReader(), "heads", OUTPUT),
        "what each head learns; a network without heads has the head output",
        default={},
    )
    optimizer: Optimizer = arg(OneOf("optimizer", OPTIMIZERS), "the optimizer", default=SGD())
    groups: tuple[Group, ...] = arg(
        ListOf(Nested(Group), MAX_GROUPS, "[{match: 'features.*', freeze: true}]"),
        "layers that learn in another way than the rest, by their names",
        default=(),
    )
    layer_decay: float = arg(
        Number(0, 1, above=True),
        "factor of the learning rate from each layer to the one before it; 1: all learn at the same rate",
        default=1.0,
    )
    schedule: Schedule = arg(OneOf("schedule", SCHEDULES), "how the learning rate changes", default=Cosine())
    stop: Stop | None = arg(
        Unset(Nested(Stop)), "when the training ends before its last epoch; unset: never", default=None
    )
    penalty: Penalty = arg(
        Nested(Penalty), "what large weights add to the objective, but not to the loss", default=Penalty()
    )
    clip: Clip | None = arg(
        Unset(OneOf("limit", CLIPS)), "the largest gradient of a step; unset: any", default=None
    )
    accumulate: int = arg(
        Whole(1),
        "slices that a batch is computed in, one after another, to need less memory; the step is the same",
        default=1,
    )
    recompute: tuple[str, ...] = arg(
        RecomputeReader(),
        "what the backward pass computes again, to need less memory; the result is the same",
        default=(),
    )
    average: Average | None = arg(
        Unset(OneOf("average", AVERAGES)),
        "the average of the weights that is measured and kept; unset: the weights themselves",
        default=None,
    )
    sync_batchnorm: bool = arg(
        Flag(),
        "whether batch normalization takes the mean and the variance of a batch over all processes",
        default=False,
    )
    precision: str = arg(
        Choice(*PRECISIONS),
        "numbers of the forward pass; auto is bf16 on a GPU that computes with it, otherwise float32",
        default=AUTO,
    )
    memory_format: str = arg(
        Choice(*MEMORY_FORMATS),
        "the order of the numbers of a map in memory; auto is the faster one for network and device",
        default=AUTO,
    )
    compile: str = arg(
        Choice(*COMPILATIONS),
        "whether torch.compile compiles the network first: equal blocks once, or all of it as one",
        default=UNCOMPILED,
    )
    autotune: bool = arg(
        Flag(), "whether cuDNN tries its algorithms for each size, on a GPU of NVIDIA", default=True
    )
    save: Save = arg(
        Nested(Save),
        "how often checkpoints are written, which does not change the result",
        default=Save(),
    )

    def __repr__(self) -> str:
        """Return the settings that are not defaults."""
        usual = {name: each.default for name, each in self.arguments.items()}
        own = [f"{name}={value!r}" for name, value in self.__dict__.items() if value != usual[name]]
        return f"{type(self).__name__}({', '.join(own)})"

    @classmethod
    def read_entries(cls, entries: Entries, scope: Scope) -> Self:
        """Read a recipe from a mapping in a file, and check that its settings do not contradict each other.

        Raises:
            SpecError: with all errors.
        """
        found = super().read_entries(entries, scope)
        faults = [fault._replace(location=location_of(entries, path)) for path, fault in found.contradictions]
        if faults:
            raise SpecError(faults)
        return found

    @property
    def contradictions(self) -> Iterator[tuple[tuple[str, ...], Diagnostic]]:
        """The errors of settings that depend on each other, with the keys that lead to them."""
        if self.flops is None:
            for name, fault in self.schedule.wrong(self.epochs, self.optimizer.inertia):
                yield ("schedule", self.schedule.keyword, name), fault
            for fault in self.never_unfrozen(self.epochs):
                yield ("groups",), fault
        elif self.flops == 0:
            yield ("flops",), Diagnostic("value", "a training cannot take 0 FLOPs", expected="1 or more")
        if self.compile != UNCOMPILED and self.recompute:
            message = "torch.compile decides by itself what is computed again"
            expected = "either train.compile or train.recompute"
            yield ("recompute",), Diagnostic("value", message, expected=expected)
        most = max(1, self.batch // 2)
        if self.accumulate > most:
            slices = counted(self.accumulate, "slice")
            message = f"a batch of {self.batch} cannot be computed in {slices}"
            expected = f"at most {most}: a slice has two images or more"
            yield ("accumulate",), Diagnostic("value", message, expected=expected, received=slices)

    def never_unfrozen(self, epochs: int) -> Iterator[Diagnostic]:
        """Yield the errors of groups that a training of this length does not unfreeze."""
        for group in self.groups:
            if group.first >= epochs:
                first = group.first + 1
                yield Diagnostic(
                    "groups",
                    f"'{group.match}' is frozen before epoch {first}, but the training ends before",
                    expected=f"an epoch from 2 to {epochs}" if epochs > 1 else "2 epochs or more",
                    received=f"unfreeze_at: {first}",
                )

    @property
    def course(self) -> Schedule:
        """The schedule, with a value for every setting that follows from the length of the training."""
        return self.schedule.settled(self.epochs, self.optimizer.inertia)

    @property
    def learns_alike(self) -> bool:
        """Whether all layers are learned by the same optimizer, at the same rate, and none is frozen."""
        return not self.groups and self.layer_decay == 1 and self.optimizer.others is self.optimizer

    @property
    def watched(self) -> Mapping[tuple[str, ...], str]:
        """The figures of the validation part that decide something, by the keys of their settings."""
        found: dict[tuple[str, ...], str] = {}
        if self.stop is not None:
            found["stop", "metric"] = self.stop.metric
        if isinstance(self.schedule, Plateau):
            found["schedule", self.schedule.keyword, "metric"] = self.schedule.metric
        return found

    @property
    def holdout(self) -> float:
        """The share of the training part that is split off for validation, if the data has no such part."""
        default = DEFAULT_HOLDOUT if self.watched else 0.0
        return default if self.data.holdout is None else self.data.holdout

    def task(self, head: str) -> Task:
        """Return what a head learns."""
        return self.tasks.get(head) or Task()

    @property
    def shrinkage(self) -> int:
        """How many times larger than the input images are before they are corrupted."""
        return math.prod(each.factor for each in self.corrupt if isinstance(each, Shrink))


declare(Recipe.keyword, Nested(Recipe))


def recipe_from_json(recorded: Mapping[str, Any], overrides: Iterable[str] = ()) -> Recipe:
    """Return the recipe whose :meth:`~cnncli.language.fields.Record.plain` values these are.

    Missing settings get their defaults; ``overrides`` are ``train.NAME=VALUE`` texts.

    Raises:
        CnncliError: a setting is unknown, or cannot have its value.
    """
    import json  # noqa: PLC0415 - analysis commands do not need it

    # JSON is YAML, so it is read as a spec is; but unlike a text in a spec, a path may contain a $.
    faults = Faults()
    root = literal(
        parse(Source("settings", json.dumps({Recipe.keyword: dict(recorded)}, allow_nan=False)), faults)
    )
    assert isinstance(root, Entries)
    section = overridden(root, overrides, faults)[Recipe.keyword]
    if faults:
        raise SpecError(faults)
    assert isinstance(section, Entries)
    return Recipe.read_entries(section, Scope())


def with_overrides(recipe: Recipe, overrides: Iterable[str]) -> Recipe:
    """Return a recipe with ``train.NAME=VALUE`` texts applied.

    Raises:
        CnncliError: a text has another form, names no setting, or has a value that the setting cannot have.
    """
    texts = tuple(overrides)
    for text in texts:
        if section_of(text) != Recipe.keyword:
            expected = f"{Recipe.keyword}.NAME=VALUE, such as {Recipe.keyword}.epochs=20"
            raise usage_error(f"{text}: not a setting of '{Recipe.keyword}'", expected=expected)
    return recipe_from_json(recipe.plain(), texts)
