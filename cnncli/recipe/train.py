"""The settings of the ``train:`` section, read and changed without torch.

So a misspelled setting is an error of ``cnncli inspect`` already, with its place in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from cnncli.diagnostics import Diagnostic, Faults, Location, Source, SpecError, usage_error
from cnncli.language.fields import Record, arg
from cnncli.language.overrides import literal, overridden, section_of
from cnncli.language.parsing import parse
from cnncli.language.readers import Choice, Flag, Number, Weights, Whole
from cnncli.language.scope import Argument, Scope
from cnncli.language.tree import Entries
from cnncli.limits import MAX_RATE
from cnncli.recipe.data import RESIZE_RULES, SourceText
from cnncli.recipe.optimizers import OPTIMIZERS
from cnncli.recipe.schedules import SCHEDULES


class Train(Record):
    """How ``cnncli train`` trains a network."""

    keyword = "train"
    member = "setting"

    data: str = arg(SourceText(), "where the images come from", default="digits")
    resize: str = arg(
        Choice(*RESIZE_RULES), "how images of another size get the size of the input", default="stretch"
    )
    epochs: int = arg(Whole(1), "passes over the training images", default=10)
    batch: int = arg(Whole(1), "images in each step", default=128)
    optimizer: str = arg(Choice(*OPTIMIZERS), "the optimizer", default="sgd")
    lr: float = arg(Number(0, MAX_RATE, above=True), "peak learning rate", default=0.05)
    momentum: float = arg(Number(0, 1), "momentum of sgd", default=0.9)
    nesterov: bool = arg(Flag(), "whether sgd uses Nesterov's form of momentum", default=False)
    weight_decay: float = arg(
        Number(0, MAX_RATE),
        "weight decay of tensors with more than one axis: not of biases and scales",
        default=5e-4,
    )
    schedule: str = arg(
        Choice(*SCHEDULES), "how the learning rate changes after the warmup", default="cosine"
    )
    warmup: float = arg(Number(0), "epochs over which the learning rate rises", default=0.0)
    label_smoothing: float = arg(
        Number(0, 1), "share of the target spread over all classes, for cross-entropy", default=0.0
    )
    seed: int = arg(Whole(0), "seed of initial weights, shuffling and dropout", default=0)
    losses: Mapping[str, float] = arg(Weights(), "weight of each head's loss, 1 by default", default={})

    @classmethod
    def read(cls, written: Mapping[str, Argument], where: Location) -> Self:
        """Read settings, and check that they do not contradict each other.

        Raises:
            SpecError: with all errors: unknown settings, wrong values, or a contradiction.
        """
        settings = super().read(written, where)
        if settings.nesterov and settings.momentum == 0:
            place = written["nesterov"].location
            expected = "momentum above 0, or nesterov: false"
            raise SpecError(Diagnostic("value", "'nesterov' needs momentum", place, expected, "momentum: 0"))
        return settings


def settings_json(settings: Train) -> dict[str, Any]:
    """Return settings as JSON values, in the order of their declaration."""
    values = {name: getattr(settings, name) for name in Train.arguments}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def settings_from_json(recorded: Mapping[str, Any], overrides: Iterable[str] = ()) -> Train:
    """Return the settings that :func:`settings_json` wrote; missing ones get their defaults.

    Raises:
        CnncliError: a setting is unknown, or cannot have its value.
    """
    import json  # noqa: PLC0415 - analysis commands do not need it

    # JSON is YAML, so it is read as a spec is; but unlike a text in a spec, a path may contain a $.
    faults = Faults()
    root = literal(parse(Source("settings", json.dumps({Train.keyword: dict(recorded)})), faults))
    assert isinstance(root, Entries)
    section = overridden(root, overrides, faults)[Train.keyword]
    if faults:
        raise SpecError(faults)
    assert isinstance(section, Entries)
    return Train.read_entries(section, Scope())


def with_overrides(settings: Train, overrides: Iterable[str]) -> Train:
    """Return settings with ``train.NAME=VALUE`` texts applied.

    Raises:
        CnncliError: a text has another form, names no setting, or has a value that the setting cannot have.
    """
    texts = tuple(overrides)
    for text in texts:
        if section_of(text) != Train.keyword:
            expected = f"{Train.keyword}.NAME=VALUE, such as {Train.keyword}.epochs=20"
            raise usage_error(f"{text}: not a setting of '{Train.keyword}'", expected=expected)
    return settings_from_json(settings_json(settings), texts)
