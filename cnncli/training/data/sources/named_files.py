"""Image files that somebody names: paths, folders, patterns, and lists of names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from cnncli.diagnostics import usage_error
from cnncli.language.files import exists, is_folder, matching
from cnncli.training.data.sources.decoding import FORMATS
from cnncli.training.data.sources.walk import Walk


class NamedFiles(NamedTuple):
    """Files, each once, in the order in which they were named, and notes about what was left out."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


def named_files(words: Iterable[str]) -> NamedFiles:
    """Return the files that words name: those below a folder, those that match a pattern, or one.

    A word that names nothing is kept: opening it reports the error. Of a folder only files with a suffix of
    :data:`~cnncli.training.data.sources.decoding.FORMATS` are images, but a file that is named is one in any
    case.

    Raises:
        UsageError: a folder has no images, a pattern matches nothing, or nothing is named at all.
        OSError: a folder cannot be read.
    """
    walk = Walk()
    paths = tuple(dict.fromkeys(path for word in words for path in _meant(word, walk)))
    if not paths:
        raise usage_error("no image is named", expected="image files, folders or patterns")
    return NamedFiles(paths, walk.notes())


def _meant(word: str, walk: Walk) -> Iterator[Path]:
    if not word or "\0" in word:
        raise usage_error(
            f"{word!r} cannot be the name of an image", expected="a file, a folder or a pattern"
        )
    if is_folder(word):
        found = walk.files(Path(word), ["."], {".": 0}).paths
        if not found:
            raise usage_error(f"{word} has no images", expected=", ".join(FORMATS))
        yield from found
    elif not exists(word) and any(character in word for character in "*?["):
        matched = matching(word)
        if not matched:
            raise usage_error(f"no file matches '{word}'", expected="at least one image file")
        yield from matched
    else:
        yield Path(word)
