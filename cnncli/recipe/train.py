"""The settings of the ``train:`` section, read and changed without torch.

So a misspelled setting is an error of ``cnncli inspect`` already, with its place in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Self

from cnncli.diagnostics import Diagnostic, Faults, Location, Source, SpecError, listing, usage_error
from cnncli.language.fields import Record, arg
from cnncli.language.overrides import literal, overridden, section_of
from cnncli.language.parsing import parse
from cnncli.language.readers import Choice, Flag, Number, Weights, Whole
from cnncli.language.scope import Argument, Scope
from cnncli.language.tree import Entries, Scalar
from cnncli.limits import MAX_RATE
from cnncli.recipe.data import RESIZE_RULES, SourceText
from cnncli.recipe.optimizers import DEFAULT_OPTIMIZER, OF_OPTIMIZER, OPTIMIZERS
from cnncli.recipe.schedules import SCHEDULES

_ITS_OWN: Final[Any] = None
"""Stands for a default that depends on the optimizer, until the settings exist."""


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
    optimizer: str = arg(Choice(*OPTIMIZERS), "the optimizer", default=DEFAULT_OPTIMIZER)
    lr: float = arg(Number(0, MAX_RATE, above=True), "peak learning rate", default=_ITS_OWN)
    momentum: float | None = arg(
        Number(0, 1), "share of the last step that is added to the next", default=None
    )
    nesterov: bool | None = arg(Flag(), "whether the gradient is taken after the momentum", default=None)
    weight_decay: float = arg(
        Number(0, MAX_RATE),
        "weight decay of tensors with more than one axis: not of biases and scales",
        default=_ITS_OWN,
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

    def __init__(self, **values: Any) -> None:
        """Complete settings with the defaults of their optimizer; one that it lacks is None."""
        optimizer = OPTIMIZERS[values.get("optimizer", DEFAULT_OPTIMIZER)]
        given = {name: value for name, value in values.items() if value is not None}
        foreign = [name for name in OF_OPTIMIZER if name in given and name not in optimizer.defaults]
        assert not foreign, f"{optimizer.name} has no {foreign}"
        super().__init__(**{**optimizer.defaults, **given})

    def replaced(self, changes: Mapping[str, Any]) -> Self:
        """Return settings with new values for some; another optimizer takes none of the former one's."""
        if changes.get("optimizer", self.optimizer) == self.optimizer:
            return super().replaced(changes)
        return super().replaced({**dict.fromkeys(OF_OPTIMIZER), **changes})

    @classmethod
    def read(cls, written: Mapping[str, Argument], where: Location) -> Self:
        """Read settings, and check that they do not contradict each other.

        A setting of the optimizer that is null is not given, so that a value can be taken back.

        Raises:
            SpecError: with all errors: unknown settings, wrong values, settings that the optimizer does not
                have, or a contradiction.
        """
        given = {name: each for name, each in written.items() if not _is_taken_back(name, each)}
        foreign = dict(cls._foreign(given))
        faults = [*foreign.values()]
        try:
            settings = super().read({name: given[name] for name in given if name not in foreign}, where)
        except SpecError as error:
            raise SpecError((*faults, *error.diagnostics)) from None
        if settings.nesterov and settings.momentum == 0:
            place = written["nesterov"].location
            expected = "momentum above 0, or nesterov: false"
            faults.append(Diagnostic("value", "'nesterov' needs momentum", place, expected, "momentum: 0"))
        if faults:
            raise SpecError(faults)
        return settings

    @classmethod
    def _foreign(cls, written: Mapping[str, Argument]) -> Iterator[tuple[str, Diagnostic]]:
        """Yield the settings that the optimizer does not have, each with its error."""
        chosen = DEFAULT_OPTIMIZER
        if "optimizer" in written:
            try:
                chosen = cls.arguments["optimizer"].reader.read(written["optimizer"])
            except SpecError:
                return  # which settings it has is unknown
        own = OPTIMIZERS[chosen].defaults
        for name in OF_OPTIMIZER:
            if name in written and name not in own:
                key = written[name].key
                place = key.location if key is not None else written[name].location
                expected = f"settings of {chosen}: {listing([*own])}"
                hint = f"remove '{name}', or write {name}: null where it comes from another file"
                yield (
                    name,
                    Diagnostic(
                        "unknown-argument", f"{chosen} has no setting '{name}'", place, expected, hint=hint
                    ),
                )


def _is_taken_back(name: str, argument: Argument) -> bool:
    return name in OF_OPTIMIZER and isinstance(argument.value, Scalar) and argument.value.is_null


def default_texts(name: str) -> list[tuple[str, object]]:
    """Return the default of a setting as (optimizer, value), with an empty name if it is that of all."""
    if name not in OF_OPTIMIZER:
        return [("", Train.arguments[name].default)]
    return [(each.name, each.defaults[name]) for each in OPTIMIZERS.values() if name in each.defaults]


def settings_json(settings: Train) -> dict[str, Any]:
    """Return settings as JSON values, in the order of their declaration, without those it does not have."""
    values = {
        name: getattr(settings, name) for name in Train.arguments if getattr(settings, name) is not None
    }
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def settings_from_json(recorded: Mapping[str, Any], overrides: Iterable[str] = ()) -> Train:
    """Return the settings that :func:`settings_json` wrote; missing ones get their defaults.

    Raises:
        CnncliError: a setting is unknown, or cannot have its value.
    """
    import json  # noqa: PLC0415 - analysis commands do not need it

    # JSON is YAML, so it is read as a spec is; but unlike a text in a spec, a path may contain a $.
    faults = Faults()
    root = literal(
        parse(Source("settings", json.dumps({Train.keyword: dict(recorded)}, allow_nan=False)), faults)
    )
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
