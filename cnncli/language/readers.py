"""Readers: written value -> typed value, and what each reader expects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar

from cnncli.algebra import Dim, Expr, symbols_of
from cnncli.diagnostics import (
    NO_FORMULA,
    Diagnostic,
    SpecError,
    listing,
    nearest,
    shortened,
)
from cnncli.language.expressions import Result
from cnncli.language.scope import FALSE_WORDS, TRUE_WORDS, Argument, compute, interpolate, number
from cnncli.language.tree import Entries, Items, Scalar, describe
from cnncli.limits import MAX_AXES, MAX_LINE, MAX_SCALE_PARTS, MAX_SIZE

T = TypeVar("T")


ANY: Final = "*"
"""Any key of a mapping."""


class ShortForms(NamedTuple):
    """How a mapping may be written without braces: a bare value for its key ``main``, or one of ``names``.

    Of the names a value has only one: the name of an optimizer, for example.
    """

    main: str = ""
    names: Collection[str] = ()


class Reader(Generic[T]):
    """Reads a written value."""

    expected: str
    """What a value must be: a short phrase for messages and documentation."""

    keys: tuple[str, ...] = ()
    """The keys of a value that is a mapping, if they are always the same."""

    short_forms: ShortForms = ShortForms()

    beneath: Mapping[str, tuple[str, ...]] = {}
    """Keys that are further inside, each with the keys that lead to it."""

    within: Mapping[str, Reader[Any]] = {}
    """The readers of the values in a mapping, by their keys; :data:`ANY` for all others, and for a list."""

    def read(self, argument: Argument) -> T:
        """Return the typed value.

        Raises:
            SpecError: the value is not what this reader expects.
        """
        raise NotImplementedError

    def plain(self, value: T) -> object:
        """Return a typed value as a spec contains it, of JSON's types."""
        return value

    def wrong(self, argument: Argument, received: str = "", hint: str = "") -> SpecError:
        """Return the error for a value that is not what was expected."""
        came = received or describe(argument.value)
        what = f"'{argument.key.text}'" if argument.key is not None else "this"
        message = f"{what} cannot be {came}"
        return SpecError(Diagnostic("value", message, argument.location, self.expected, came, hint=hint))

    def refused(self, argument: Argument, result: Result | None, hint: str = "") -> SpecError:
        """Return the error for the computed result of a value, which may be symbolic."""
        came = _shown(argument, result)
        if not isinstance(result, Expr):
            return self.wrong(argument, came, hint)
        what = f"'{argument.key.text}'" if argument.key is not None else "this"
        unknown = listing(sorted(symbols_of(result)))
        hint = "only channels, features, groups, capsules and sizes can be formulas"
        message = f"{what} cannot be symbolic, but depends on {unknown}"
        return SpecError(Diagnostic(NO_FORMULA, message, argument.location, self.expected, came, hint=hint))


class Number(Reader[float]):
    """A number between two bounds, both inclusive unless ``above`` excludes the lower one."""

    def __init__(
        self, minimum: float | None = None, maximum: float | None = None, *, above: bool = False
    ) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.above = above
        self.expected = _range_text("a number", minimum, maximum, above=above)

    def read(self, argument: Argument) -> float:
        value = argument.value
        literal = number(value.text) if isinstance(value, Scalar) else None
        result = compute(argument) if literal is None and _may_be_expression(value) else literal
        if isinstance(result, bool) or not isinstance(result, int | float):
            raise self.refused(argument, result)
        too_low = self.minimum is not None and (
            result < self.minimum or (self.above and result == self.minimum)
        )
        if too_low or (self.maximum is not None and result > self.maximum):
            raise self.refused(argument, result)
        return float(result)


class Computed(Reader[T]):
    """A value written as a number or as an expression."""

    def read(self, argument: Argument) -> T:
        value = argument.value
        literal = number(value.text) if isinstance(value, Scalar) else None
        result = compute(argument) if literal is None and _may_be_expression(value) else literal
        return self.check(argument, result)

    def check(self, argument: Argument, result: Result | None) -> T:
        """Return the computed ``result`` as a typed value.

        Raises:
            SpecError: it is not what this reader expects.
        """
        raise NotImplementedError


class Whole(Computed[int]):
    """A whole number of at least ``minimum``."""

    def __init__(self, minimum: int | None = 1, maximum: int | None = MAX_SIZE) -> None:
        self.minimum = minimum
        self.maximum = maximum
        shown = None if maximum == MAX_SIZE else maximum
        self.expected = _range_text("a whole number", minimum, shown, above=False)

    def check(self, argument: Argument, result: Result | None) -> int:
        if isinstance(result, float) and result.is_integer():
            result = int(result)
        if isinstance(result, bool) or not isinstance(result, int):
            hint = "'//' divides and rounds down" if isinstance(result, float) else ""
            raise self.refused(argument, result, hint)
        if (self.minimum is not None and result < self.minimum) or (
            self.maximum is not None and result > self.maximum
        ):
            raise self.refused(argument, result)
        return result


class Count(Computed[Dim]):
    """A whole number as :class:`Whole` reads it, or a formula in symbolic variables.

    The caller must require a formula to be at least 1 (:mod:`cnncli.graph.build` does so for kinds).
    """

    def __init__(self, minimum: int = 1) -> None:
        self._number = Whole(minimum)
        self.expected = self._number.expected

    def check(self, argument: Argument, result: Result | None) -> Dim:
        return result if isinstance(result, Expr) else self._number.check(argument, result)


class Flag(Reader[bool]):
    """True or false."""

    expected = "true or false"

    def read(self, argument: Argument) -> bool:
        value = argument.value
        if not isinstance(value, Scalar) or value.is_null:
            raise self.wrong(argument)
        folded = value.text.casefold()
        if folded in TRUE_WORDS or folded in FALSE_WORDS:
            return folded in TRUE_WORDS
        if value.text.isidentifier() and value.text not in argument.scope:
            match = nearest(value.text, ("true", "false"))
            raise self.wrong(argument, hint=f"did you mean '{match}'?" if match else "")
        result = compute(argument)
        if not isinstance(result, bool):
            raise self.refused(argument, result)
        return result


class Text(Reader[str]):
    """Any string."""

    expected = "a string"

    def read(self, argument: Argument) -> str:
        value = argument.value
        if not isinstance(value, Scalar) or value.is_null:
            raise self.wrong(argument)
        text = interpolate(value, argument.scope)
        if len(text) > MAX_LINE:
            raise self.wrong(argument, f"{len(text):,} characters", f"at most {MAX_LINE:,} are read")
        return text


class Choice(Reader[str]):
    """A word from a fixed set."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.expected = listing(words, last=" or ")

    def read(self, argument: Argument) -> str:
        value = argument.value
        if not isinstance(value, Scalar):
            raise self.wrong(argument)
        word = interpolate(value, argument.scope)
        if word not in self.words:
            match = nearest(word, self.words)
            raise self.wrong(argument, f"'{shortened(word)}'", f"did you mean '{match}'?" if match else "")
        return word


class EachAxis(Reader["T | tuple[T, ...]"], Generic[T]):
    """One value for all spatial axes, or a list with one for each."""

    def __init__(self, item: Computed[T]) -> None:
        self.item = item
        self.expected = f"{self.item.expected}, or a list with one for each axis"

    def read(self, argument: Argument) -> T | tuple[T, ...]:
        value = argument.value
        if isinstance(value, Scalar) and (_may_be_expression(value) and not value.is_null):
            result = compute(argument)
            if not isinstance(result, list):
                return self._one(argument, result)
            return self._several(argument, [(argument, each) for each in result])
        if isinstance(value, Items) and len(value) <= MAX_AXES:
            parts = [argument._replace(value=each) for each in value]
            return self._several(argument, [(part, compute(part)) for part in parts])
        raise self.wrong(argument)

    def _one(self, argument: Argument, result: Result) -> T:
        try:
            return self.item.check(argument, result)
        except SpecError as error:
            hint = error.diagnostics[0].hint
            raise self.refused(argument, result, hint) from None

    def _several(self, whole: Argument, parts: list[tuple[Argument, Result]]) -> tuple[T, ...]:
        if not 1 <= len(parts) <= MAX_AXES:
            raise self.wrong(whole)
        return tuple(self.item.check(argument, result) for argument, result in parts)


class PerAxis(EachAxis[int]):
    """A whole number for all spatial axes, or a list with one for each."""

    def __init__(self, minimum: int = 1) -> None:
        super().__init__(Whole(minimum))
        self.minimum = minimum


class Factor(Computed["int | float"]):
    """A factor above 0 that binary numbers hold exactly: whole, or with a small power of 2 as denominator."""

    expected = f"a whole number, or a multiple of 1/{MAX_SCALE_PARTS} such as 0.5 or 1.25"

    def check(self, argument: Argument, result: Result | None) -> int | float:
        if isinstance(result, bool) or not isinstance(result, int | float) or not 0 < result <= MAX_SIZE:
            raise self.refused(argument, result)
        numerator, denominator = result.as_integer_ratio()
        if denominator > MAX_SCALE_PARTS:
            raise self.refused(argument, result, "'size' sets the size of the output instead")
        return numerator if denominator == 1 else result


class PerAxisOrNull(Reader["int | tuple[int | None, ...]"]):
    """A whole number for all spatial axes, or a list with one for each, some but not all of them null."""

    def __init__(self) -> None:
        self.numbers = PerAxis()
        self.expected = f"{self.numbers.expected}, some of which may be null"

    def read(self, argument: Argument) -> int | tuple[int | None, ...]:
        value = argument.value
        parts = [*value] if isinstance(value, Items) else []
        blank = [isinstance(each, Scalar) and each.is_null for each in parts]
        if not any(blank):
            return self.numbers.read(argument)
        if all(blank) or len(parts) > MAX_AXES:
            raise self.wrong(argument)
        sizes = (argument._replace(value=each) for each in parts)
        return tuple(
            None if null else self.numbers.item.read(size) for null, size in zip(blank, sizes, strict=True)
        )


class Sizes(Reader["tuple[T, ...]"]):
    """A list of whole numbers or formulas."""

    def __init__(self, item: Computed[T], most: int = 1 + MAX_AXES) -> None:
        self.item = item
        self.most = most
        self.expected = f"a list of 1 to {most}, each {item.expected}"

    def read(self, argument: Argument) -> tuple[T, ...]:
        value = argument.value
        if isinstance(value, Entries):
            raise self.wrong(argument)
        if isinstance(value, Items):
            self._check_length(argument, len(value))
            return self._entries(value, argument)
        if value.is_null:
            raise self.wrong(argument)
        result = compute(argument)
        each = result if isinstance(result, list) else [result]
        self._check_length(argument, len(each))
        return tuple(self.item.check(argument, part) for part in each)

    def _check_length(self, argument: Argument, length: int) -> None:
        if not 1 <= length <= self.most:
            raise self.wrong(argument)

    def _entries(self, value: Items, argument: Argument) -> tuple[T, ...]:
        sizes: list[T] = []
        faults: list[Diagnostic] = []
        for each in value:
            try:
                sizes.append(self.item.read(argument._replace(value=each)))
            except SpecError as error:
                faults.extend(error.diagnostics)
        if faults:
            raise SpecError(faults)
        return tuple(sizes)


def _may_be_expression(value: object) -> bool:
    return isinstance(value, Scalar) and not value.is_null


def _shown(argument: Argument, result: object) -> str:
    """Return the value as written, and the result if that is an expression."""
    written = describe(argument.value)
    if result is None or not isinstance(argument.value, Scalar) or argument.value.text == _brief(result):
        return written
    return f"{written} (which is {_brief(result)})"


def _brief(result: object) -> str:
    return f"a list of {len(result)}" if isinstance(result, list) else shortened(str(result))


def _range_text(noun: str, minimum: float | None, maximum: float | None, *, above: bool) -> str:
    if minimum is not None and maximum is not None:
        if above:
            return f"{noun} above {minimum}, at most {maximum:g}"
        return f"{noun} from {minimum} to {maximum:g}"
    if minimum is not None:
        return f"{noun} above {minimum}" if above else f"{noun} of {minimum} or more"
    return noun
