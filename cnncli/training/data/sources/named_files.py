"""Image files that somebody names: paths, folders, patterns, and lists of names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from cnncli.diagnostics import Diagnostic, UsageError, usage_error
from cnncli.language.files import exists, is_folder, matching
from cnncli.training.data.sources.decoding import FORMATS
from cnncli.training.data.sources.walk import TolerantWalk


class NamedFiles(NamedTuple):
    """Files, each once, in the order in which they were named.

    ``notes`` say what was left out, ``faults`` has an error for each word or folder that cannot be used.
    """

    paths: tuple[Path, ...]
    notes: tuple[str, ...]
    faults: tuple[Diagnostic, ...]


def named_files(words: Iterable[str]) -> NamedFiles:
    """Return the files that words name: those below a folder, those that match a pattern, or one.

    A word that names nothing is kept: opening it reports the error. Of a folder only files with a suffix of
    :data:`~cnncli.training.data.sources.decoding.FORMATS` are images, but a file that is named is one in any
    case. A folder where several paths lead is read once.

    Raises:
        UsageError: no file is named; of words that name none, each has an error.
    """
    walk = TolerantWalk()
    paths: dict[Path, None] = {}
    for word in words:
        try:
            paths.update(dict.fromkeys(_meant(word, walk)))
        except UsageError as error:
            walk.faults += error.diagnostics
    if not paths:
        raise UsageError(walk.faults) if walk.faults else _nothing()
    return NamedFiles(tuple(paths), walk.notes(), tuple(walk.faults))


def _nothing() -> UsageError:
    return usage_error("no image is named", expected="image files, folders or patterns")


def _meant(word: str, walk: TolerantWalk) -> Sequence[Path]:
    """Return the files that a word names.

    Raises:
        UsageError: a folder has no images, a pattern matches nothing, or the word is not a name.
    """
    if not word or "\0" in word:
        raise usage_error(
            f"{word!r} cannot be the name of an image", expected="a file, a folder or a pattern"
        )
    if is_folder(word):
        return _below(word, walk)
    if exists(word) or not any(character in word for character in "*?["):
        return [Path(word)]
    matched = matching(word)
    if not matched:
        raise usage_error(f"no file matches '{word}'", expected="at least one image file")
    return matched


def _below(word: str, walk: TolerantWalk) -> Sequence[Path]:
    left_out = len(walk.again) + len(walk.faults)
    found = walk.files(Path(word), ["."], {".": 0}).paths
    if not found and len(walk.again) + len(walk.faults) == left_out:
        raise usage_error(f"{word} has no images", expected=", ".join(FORMATS))
    return found
