"""The spec files that words on a command line mean: paths, folders, patterns, names of shipped specs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cnncli.diagnostics import usage_error
from cnncli.language import shipped
from cnncli.language.files import below, exists, is_folder, natural, resolved


class Selection(NamedTuple):
    """Spec files, each once, in the order given.

    ``several`` says that there could have been more than one: two words, a folder, a pattern.
    """

    files: tuple[str, ...]
    several: bool


def select(words: Sequence[str]) -> Selection:
    """What the words mean. A word that names nothing is kept: whoever opens it says so.

    Raises:
        UsageError: a folder has no spec in it, or a pattern matches none, so that nothing can pass by
            missing its target.
    """
    meant = [_meant(word) for word in words]
    once: dict[Path, str] = {}
    for file in (file for each in meant for file in each.files):
        # By the file behind it, since one may be reached by several ways.
        once.setdefault(resolved(shipped.find(file) or Path(file)), file)
    return Selection(tuple(once.values()), len(words) > 1 or any(each.several for each in meant))


def _meant(word: str) -> Selection:
    path = shipped.find(word) or word
    if is_folder(path):
        return _all_of(below(Path(path)), f"there is no spec in '{word}'")
    if not exists(path) and any(character in word for character in "*?["):
        return _all_of(_matches(word), f"no file matches '{word}'")
    return Selection((word,), several=False)


def _all_of(paths: Sequence[Path], message: str) -> Selection:
    if not paths:
        raise usage_error(message, expected="at least one spec file")
    return Selection(tuple(map(str, paths)), several=True)


def _matches(pattern: str) -> list[Path]:
    """What a pattern matches but folders, as ``specs/**`` does."""
    import glob  # noqa: PLC0415 - what few commands need

    found = map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 - also absolute patterns
    return sorted((path for path in found if not path.is_dir()), key=natural)
