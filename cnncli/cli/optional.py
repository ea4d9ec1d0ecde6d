"""``--symbolic``, which may have a value: names of variables."""

from __future__ import annotations

import os
from typing import Final

ALL_SIZES: Final = "*"
"""The value of a ``--symbolic`` that names no variables."""


def spelled_out(arguments: list[str]) -> list[str]:
    """Return the arguments with :data:`ALL_SIZES` for a ``--symbolic`` that names no variables.

    A word that names a spec is a spec, not a variable.
    """
    following = [*arguments[1:], "--"]
    return [
        f"{word}={ALL_SIZES}" if word == "--symbolic" and not _names_variables(after) else word
        for word, after in zip(arguments, following, strict=False)
    ]


def variables(symbolic: str) -> list[str]:
    """Return the names in a value of ``--symbolic``, without blanks around them; an empty name stays."""
    return [] if symbolic == ALL_SIZES else [name.strip() for name in symbolic.split(",")]


def _names_variables(word: str) -> bool:
    from cnncli.api import spec_names

    if word.startswith("-") or any(character in word for character in "./*?["):
        return False
    # Unlike Path.exists, lexists raises nothing for a word that is too long for a path.
    return not word or not (os.path.lexists(word) or word in spec_names())
