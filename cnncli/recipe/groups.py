"""Layers that learn in another way than the rest; ``graph/learning.py`` finds them in a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Self

from cnncli.diagnostics import Diagnostic, Location, SpecError
from cnncli.language.fields import Record, arg
from cnncli.language.nested import Unset
from cnncli.language.readers import Flag, Number, Text, Whole
from cnncli.language.scope import Argument
from cnncli.limits import MAX_RATE

CODE: Final = "groups"
"""The code of the errors about groups."""


class Pattern(Text):
    """A pattern of names."""

    expected = "names of layers or blocks, such as 'features.*'"


class Group(Record):
    """Settings of the layers whose names match a pattern, as long as they match none before it."""

    keyword = "group"
    member = "setting"

    match: str = arg(Pattern(), "names of layers or blocks; * and ? stand for any characters, dots too")
    lr: float | None = arg(
        Number(0, MAX_RATE, above=True), "peak learning rate; unset: that of the optimizer", default=None
    )
    weight_decay: float | None = arg(
        Number(0, MAX_RATE), "weight decay; unset: that of the optimizer", default=None
    )
    freeze: bool = arg(
        Flag(),
        "whether nothing is learned: neither parameters nor running statistics change",
        default=False,
    )
    unfreeze_at: int | None = arg(
        Unset(Whole(2)),
        "the epoch, counted from 1, from which on frozen layers learn; unset: they never do",
        default=None,
    )

    @property
    def first(self) -> int:
        """The first epoch in which layers that are not frozen for good learn, counted from 0."""
        return 0 if self.unfreeze_at is None else self.unfreeze_at - 1

    @property
    def is_fixed(self) -> bool:
        """Whether nothing is ever learned."""
        return self.freeze and self.unfreeze_at is None

    @classmethod
    def read(cls, written: Mapping[str, Argument], where: Location) -> Self:
        """Read the settings, and check that each has an effect.

        Raises:
            SpecError: with all errors: unknown settings, wrong values, or settings without an effect.
        """
        found = super().read(written, where)
        faults = [*found._without_effect(written, where)]
        if faults:
            raise SpecError(faults)
        return found

    def _without_effect(self, written: Mapping[str, Argument], where: Location) -> Iterator[Diagnostic]:
        if self.unfreeze_at is not None and not self.freeze:
            message = "'unfreeze_at' has no effect on layers that are not frozen"
            yield Diagnostic(CODE, message, written["unfreeze_at"].location, "freeze: true, too")
        elif self.is_fixed:
            for name in ("lr", "weight_decay"):
                if getattr(self, name) is not None:
                    message = f"'{name}' has no effect on layers that are frozen"
                    yield Diagnostic(CODE, message, written[name].location, "freeze: true alone")
        elif not self.freeze and self.lr is None and self.weight_decay is None:
            message = f"the group '{self.match}' changes nothing"
            yield Diagnostic(CODE, message, where, "lr, weight_decay or freeze: true")

    def __str__(self) -> str:
        """Return what is different, as ``frozen before epoch 3, lr 0.01, weight decay 0``."""
        own = {"lr": self.lr, "weight decay": self.weight_decay}
        given = [f"{name} {value:g}" for name, value in own.items() if value is not None]
        if self.unfreeze_at is not None:
            given.insert(0, f"frozen before epoch {self.unfreeze_at}")
        return "frozen" if self.is_fixed else ", ".join(given)
