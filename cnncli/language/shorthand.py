"""Shorthand: ``norm: batch`` and ``activation: relu`` among a layer's arguments are the layers after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from cnncli.diagnostics import Diagnostic, Location, SpecError, did_you_mean, shortened
from cnncli.language.description import Vocabulary
from cnncli.language.nodes import read_arguments
from cnncli.language.scope import Argument, interpolate
from cnncli.language.tree import Entries, Scalar, Value, describe

NORM: Final = "norm"
ACTIVATION: Final = "activation"
SHORTHAND: Final = (NORM, ACTIVATION)
"""The arguments that become separate layers, in this order."""

_NONE: Final = "none"


class ShorthandLayer(NamedTuple):
    """A layer written as shorthand: its kind, its arguments without defaults, and the place of its word."""

    kind: str
    arguments: dict[str, Argument]
    location: Location


def take_shorthand(arguments: dict[str, Argument]) -> dict[str, Argument]:
    """Remove the shorthand from ``arguments`` and return it, in the order of the layers."""
    return {key: arguments.pop(key) for key in SHORTHAND if key in arguments}


def read_shorthand(key: str, argument: Argument, vocabulary: Vocabulary) -> ShorthandLayer | None:
    """Return the layer that ``key`` (one of :data:`SHORTHAND`) adds, or None for the word ``none``.

    Raises:
        SpecError: the value has the wrong form, or its word is unknown.
    """
    words = vocabulary.shorthand(key)
    word, given = _word(key, argument, words)
    name = interpolate(word, argument.scope)
    if name == _NONE:
        return None
    kind = words.get(name)
    if kind is None:
        hint = did_you_mean(name, [*words, _NONE], "words")
        if name in argument.scope:
            hint = f"the variable is written ${name}"
        message = f"unknown {key} '{shortened(name)}'"
        raise SpecError(Diagnostic("unknown-kind", message, word.location, hint=hint))
    arguments = read_arguments(given, vocabulary.main_argument(kind), kind, argument.scope)
    return ShorthandLayer(kind, arguments, word.location)


def _word(key: str, argument: Argument, words: Mapping[str, str]) -> tuple[Scalar, Value | None]:
    """Return the word after the key, and its arguments: ``{group: 8}``."""
    value = argument.value
    if isinstance(value, Entries) and len(value) == 1:
        word, given = next(iter(value.items()))
        return value.keys_at[word], given
    if isinstance(value, Scalar) and not value.is_null:
        return value, None
    expected = f"a word such as {next(iter(words))}, or a word with its arguments"
    message = f"'{key}' cannot be {describe(value)}"
    raise SpecError(Diagnostic("value", message, value.location, expected, describe(value)))
