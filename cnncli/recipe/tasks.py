"""What a head learns: a loss, and its weight among those of all heads."""

from __future__ import annotations

from typing import Final

from cnncli.diagnostics import Diagnostic, SpecError, did_you_mean, listing
from cnncli.language.fields import Record, arg, inside
from cnncli.language.nested import OneOf
from cnncli.language.readers import Choice, Number, Reader, ShortForms
from cnncli.language.scope import Argument
from cnncli.language.tree import Entries
from cnncli.recipe.losses import LOSSES, Loss

LABEL: Final = "label"
INPUT: Final = "input"


class Task(Record):
    """What a head learns. Without a loss it has that of its layers: cross-entropy, or one from a paper."""

    keyword = "task"
    member = "setting"

    loss: Loss | None = arg(OneOf("loss", LOSSES), "the loss, as a key of its own", default=None)
    weight: float = arg(Number(0), "factor of the loss in the sum over all heads", default=1.0)
    target: str = arg(
        Choice(LABEL, INPUT), "what the head is compared with: the class, or the input itself", default=LABEL
    )

    @property
    def is_of_input(self) -> bool:
        """Whether the head is compared with the network's input."""
        return self.target == INPUT


class TaskReader(Reader[Task]):
    """A task: a loss, or a mapping of a loss and what is written beside it: ``{mse: {}, weight: 0.5}``."""

    short_forms = ShortForms(names=LOSSES)

    def __init__(self) -> None:
        self._loss = OneOf("loss", LOSSES)
        self.beside = tuple(name for name in Task.arguments if name != "loss")
        self.beneath = {**self._loss.beneath, **dict.fromkeys(self.beside, ())}
        self.within = self._loss.within
        self.expected = f"{self._loss.expected}, alone or beside {listing(self.beside)}"

    def read(self, argument: Argument) -> Task:
        value = argument.value
        if not isinstance(value, Entries):
            return Task(loss=self._loss.read(argument))
        loss = value.without(*self.beside)
        for name in loss:
            if name not in LOSSES:
                raise self._unknown(name, loss)
        written = {
            name: Argument(value[name], argument.scope, value.keys_at[name])
            for name in self.beside
            if name in value
        }
        if loss:
            written["loss"] = argument._replace(value=loss)
        return Task.read(written, argument.location)

    def _unknown(self, name: str, value: Entries) -> SpecError:
        path = (*self._loss.beneath.get(name, ()), name)
        hint = inside(path, value[name]) if len(path) > 1 else did_you_mean(name, (*LOSSES, *self.beside))
        where = value.keys_at[name].location
        return SpecError(
            Diagnostic("unknown-argument", f"a task has no '{name}'", where, self.expected, hint=hint)
        )

    def plain(self, value: Task) -> object:
        loss = {} if value.loss is None else {value.loss.keyword: value.loss.plain()}
        return {**loss, "weight": value.weight, "target": value.target}
