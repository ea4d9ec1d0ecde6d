"""Words on a command line -> spec files: paths, folders, patterns, names of shipped specs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cnncli.diagnostics import usage_error
from cnncli.language import shipped
from cnncli.language.files import below, exists, is_folder, matching, resolved


class Selection(NamedTuple):
    """Spec files, each once, in the order given.

    ``several`` means that there could have been more than one: two words, a folder, a pattern.
    """

    files: tuple[str, ...]
    several: bool


def select(words: Sequence[str]) -> Selection:
    """Return the files that the words name. A word that names nothing is kept: opening it reports the error.

    Raises:
        UsageError: a folder contains no spec, or a pattern matches none, so that a check of nothing
            cannot succeed.
    """
    meant = [_meant(word) for word in words]
    once: dict[Path, str] = {}
    for file in (file for each in meant for file in each.files):
        # Keyed by the resolved file, since several words may lead to one.
        once.setdefault(resolved(shipped.find(file) or Path(file)), file)
    return Selection(tuple(once.values()), len(words) > 1 or any(each.several for each in meant))


def _meant(word: str) -> Selection:
    path = shipped.find(word) or word
    if is_folder(path):
        return _all_of(below(Path(path)), f"no specs in '{word}'")
    if not exists(path) and any(character in word for character in "*?["):
        return _all_of(matching(word), f"no file matches '{word}'")
    return Selection((word,), several=False)


def _all_of(paths: Sequence[Path], message: str) -> Selection:
    if not paths:
        raise usage_error(message, expected="at least one spec file")
    return Selection(tuple(map(str, paths)), several=True)
