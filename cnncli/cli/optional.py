"""``--symbolic``, which may have a value: names of variables."""

from __future__ import annotations

from pathlib import Path


def spelled_out(arguments: list[str]) -> list[str]:
    """Return the arguments with ``--symbolic=`` for a ``--symbolic`` that names no variables.

    A word that names a spec is a spec, not a variable.
    """
    following = [*arguments[1:], "--"]
    return [
        f"{word}=" if word == "--symbolic" and not _names_variables(after) else word
        for word, after in zip(arguments, following, strict=False)
    ]


def _names_variables(word: str) -> bool:
    from cnncli.api import spec_names

    names = [name.strip() for name in word.split(",")]
    is_spec = Path(word).exists() or word in spec_names()
    return all(name.isidentifier() for name in names) and not is_spec
