"""The specs that ship with cnncli, by name: ``vgg16`` is one from anywhere, ``vgg`` is its family."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cnncli.diagnostics import listing, nearest, usage_error
from cnncli.language.files import below, exists, is_folder, neighbors

_PACKAGE: Final = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """Where they lie: inside the package where it was installed, beside it in a checkout."""
    inside = _PACKAGE / "specs"
    return inside if inside.is_dir() else _PACKAGE.parent / "specs"


@functools.cache
def specs() -> Mapping[str, Path]:
    """The file of every shipped spec, by its name."""
    return {path.stem: path for path in below(folder())}


@functools.cache
def families() -> Mapping[str, Path]:
    """The folder of every family of shipped specs, by its name."""
    parents = dict.fromkeys(path.parent for path in specs().values() if path.parent != folder())
    return {parent.name: parent for parent in parents}


def find(word: str | Path) -> Path | None:
    """The file, or the folder of a family, that a name means; None where it names nothing that ships.

    A name is a word without a suffix and without a separator. A file of that name, seen from here, is meant
    first; a folder, such as a run's, hides a family but no spec, which it cannot be.
    """
    name = str(word)
    if not _is_name(name) or (exists(name) and not is_folder(name)):
        return None
    return specs().get(name) or (None if exists(name) else families().get(name))


def located(path: str | Path) -> Path:
    """The file of one spec: a shipped one's where that is meant, otherwise the path as it is.

    Raises:
        UsageError: it is a name, and not that of a shipped spec, nor of anything that exists.
    """
    found = find(path)
    if found is None and _is_name(str(path)) and not exists(path):
        raise usage_error(
            f"there is no file '{path}', and no spec of that name ships", hint=_hint(Path(path))
        )
    if found is not None and is_folder(found):
        raise usage_error(
            f"'{path}' is a family of specs",
            expected="one spec",
            hint=listing([each.stem for each in below(found)]),
        )
    return found or Path(path)


def _is_name(word: str) -> bool:
    path = Path(word)
    return bool(word) and path.name == word and not path.suffix


def _hint(path: Path) -> str:
    meant = {Path(file).stem: file for file in neighbors(path)} | {
        name: name for name in (*specs(), *families())
    }
    match = nearest(path.name, meant)
    return f"did you mean '{meant[match]}'?" if match else "'cnncli specs' lists what ships"
