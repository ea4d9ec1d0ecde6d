"""What a head learns: a loss, and its weight among those of all heads."""

from __future__ import annotations

from cnncli.diagnostics import Diagnostic, SpecError, did_you_mean, listing
from cnncli.language.fields import Record, arg, inside
from cnncli.language.nested import ListOf, Nested, OneOf
from cnncli.language.readers import Number, Reader, ShortForms, Text
from cnncli.language.scope import Argument, interpolate
from cnncli.language.tree import Entries, Scalar
from cnncli.limits import MAX_CLASSES
from cnncli.recipe.losses import LOSSES, Loss


class ClassName(Reader[str]):
    """The name of a class; ``null`` for one that is left out."""

    expected = "a name, or null"

    def read(self, argument: Argument) -> str:
        value = argument.value
        if not isinstance(value, Scalar):
            raise self.wrong(argument)
        return "" if value.is_null else interpolate(value, argument.scope)

    def plain(self, value: str) -> object:
        return value or None


class Target(Record):
    """What a head is compared with: a column of the data, possibly with its classes put together."""

    keyword = "target"
    member = "setting"

    of: str | None = arg(
        Text(), "a column of the data, or input; unset, the usual one of the loss", default=None, main=True
    )
    map: tuple[str, ...] = arg(
        ListOf(ClassName(), MAX_CLASSES, "[even, odd, even]"),
        "the new class of each class, in order; null leaves samples out",
        default=(),
    )

    @property
    def classes(self) -> tuple[str, ...]:
        """The new classes, in the order in which they are first named."""
        return tuple(dict.fromkeys(filter(None, self.map)))


class Task(Record):
    """What a head learns. Without a loss it has that of its layers: cross-entropy, or one from a paper."""

    keyword = "task"
    member = "setting"

    loss: Loss | None = arg(OneOf("loss", LOSSES), "the loss, as a key of its own", default=None)
    weight: float = arg(Number(0), "factor of the loss in the sum over all heads", default=1.0)
    target: Target = arg(
        Nested(Target), "what the head is compared with: a column of the data, or input", default=Target()
    )


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
        target = value.target.plain() if value.target.map else value.target.of
        return {**loss, "weight": value.weight, **({} if target is None else {"target": target})}
