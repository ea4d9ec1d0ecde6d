"""How padding is written in a spec, and the resulting pads along each axis."""

from __future__ import annotations

from typing import Final, NamedTuple

from cnncli.diagnostics import nearest
from cnncli.language.readers import PerAxis, Reader, Whole
from cnncli.language.scope import Argument, interpolate, number
from cnncli.language.tree import Entries, Items, Scalar

WORDS: Final = ("valid", "same", "half")
MODES: Final = ("zeros", "constant", "symmetric", "reflect", "replicate", "circular")
_SIDES: Final = ("top", "bottom", "left", "right")


class Padding(NamedTuple):
    """``valid``, ``same``, ``half``, or explicit amounts (before, after) for each axis.

    A single pair of amounts applies to every axis.
    """

    word: str = ""
    amounts: tuple[tuple[int, int], ...] = ()

    def axes(self) -> int | None:
        """Return the number of axes that the amounts are for; None if they apply to any number."""
        return len(self.amounts) if len(self.amounts) > 1 else None

    def along(self, axis: int, kernel: int, dilation: int) -> tuple[int, int]:
        """Return the explicit pads before and after; (0, 0) for ``valid`` and ``same``."""
        if self.amounts:
            return self.amounts[axis if len(self.amounts) > 1 else 0]
        each = dilation * (kernel - 1) // 2 if self.word == "half" else 0
        return each, each

    def __str__(self) -> str:
        return self.word or str([list(pair) for pair in self.amounts])


VALID: Final = Padding("valid")


class Edges(Reader[Padding]):
    """Explicit amounts: a number, one for each axis, or the four sides of an image."""

    expected = "a number, [vertical, horizontal] or {top:, bottom:, left:, right:}"
    keys = _SIDES

    def read(self, argument: Argument) -> Padding:
        value = argument.value
        if isinstance(value, Entries):
            return self._sides(argument, value)
        if isinstance(value, Scalar) and value.is_null:
            raise self.wrong(argument)
        amounts = PerAxis(0).read(argument)
        each = (amounts,) if isinstance(amounts, int) else amounts
        return Padding(amounts=tuple((amount, amount) for amount in each))

    def plain(self, value: Padding) -> object:
        pairs = value.amounts
        if any(before != after for before, after in pairs):
            (top, bottom), (left, right) = pairs
            return {"top": top, "bottom": bottom, "left": left, "right": right}
        return pairs[0][0] if len(pairs) == 1 else [before for before, _ in pairs]

    def _sides(self, argument: Argument, sides: Entries) -> Padding:
        unknown = [key for key in sides if key not in _SIDES]
        if unknown or not sides.pairs:
            raise self.wrong(argument)
        amount = dict.fromkeys(_SIDES, 0)
        for side in sides:
            amount[side] = Whole(0).read(Argument(sides[side], argument.scope, sides.keys_at[side]))
        return Padding(amounts=((amount["top"], amount["bottom"]), (amount["left"], amount["right"])))


class PaddingReader(Reader[Padding]):
    """``valid``, ``same``, ``half``, or explicit amounts."""

    expected = f"valid, same, half, {Edges.expected}"
    keys = _SIDES

    def read(self, argument: Argument) -> Padding:
        value = argument.value
        if isinstance(value, Items | Entries) or number(value.text) is not None:
            return Edges().read(argument)
        if value.is_null:
            raise self.wrong(argument)
        word = interpolate(value, argument.scope)
        if word in WORDS:
            return Padding(word)
        meant = nearest(word, WORDS)
        if meant is not None and word not in argument.scope:
            raise self.wrong(argument, hint=f"did you mean '{meant}'?")
        return Edges().read(argument)

    def plain(self, value: Padding) -> object:
        return value.word or Edges().plain(value)
