"""The specs that ship with cnncli, by name: ``vgg16`` is a spec in any folder, ``vgg`` its family."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cnncli.diagnostics import listing, nearest, usage_error
from cnncli.language.files import below, checked_path, exists, is_folder, neighbors

_PACKAGE: Final = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """Return the folder of the shipped specs: inside an installed package, next to it in a checkout."""
    inside = _PACKAGE / "specs"
    return inside if inside.is_dir() else _PACKAGE.parent / "specs"


@functools.cache
def specs() -> dict[str, Path]:
    """Return the file of every shipped spec by name."""
    return {path.stem: path for path in below(folder())}


@functools.cache
def families() -> dict[str, Path]:
    """Return the folder of every family of shipped specs by name."""
    parents = dict.fromkeys(path.parent for path in specs().values() if path.parent != folder())
    return {parent.name: parent for parent in parents}


def find(word: str | Path) -> Path | None:
    """Return the file of a shipped spec or the folder of a family; None if the word names neither.

    A name has no suffix and no separator. A file of that name in the working directory takes precedence;
    a folder, such as a run's, takes precedence over a family but not over a spec.
    """
    name = str(word)
    if not _is_name(name) or (exists(name) and not is_folder(name)):
        return None
    return specs().get(name) or (None if exists(name) else families().get(name))


def located(path: str | Path) -> Path:
    """Return the file of a spec: that of the shipped spec of this name, otherwise the path as it is.

    Raises:
        UsageError: it is empty, or the name of a family, or of neither a shipped spec nor a file.
    """
    found = find(checked_path(path))
    if found is None and _is_name(str(path)) and not exists(path):
        raise usage_error(f"no such file or shipped spec: '{path}'", hint=_hint(Path(path)))
    if found is not None and is_folder(found):
        raise usage_error(
            f"'{path}' is a family of specs",
            expected="one spec",
            hint=f"specs of this family: {listing([each.stem for each in below(found)], last=', ')}",
        )
    return found or Path(path)


def others(names: Iterable[str]) -> tuple[Path, ...]:
    """Return the files among names of sources that are not shipped specs."""
    own = {path.resolve() for path in specs().values()}
    return tuple(path for path in map(Path, names) if path.is_file() and path.resolve() not in own)


def _is_name(word: str) -> bool:
    path = Path(word)
    return bool(word) and path.name == word and not path.suffix


def _hint(path: Path) -> str:
    meant = {Path(file).stem: file for file in neighbors(path)} | {
        name: name for name in (*specs(), *families())
    }
    match = nearest(path.name, meant)
    return f"did you mean '{meant[match]}'?" if match else "'cnncli specs' lists the shipped specs"
