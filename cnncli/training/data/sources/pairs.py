"""``pairs:DIR``: images in ``images/``, each with a file of its name in ``masks/`` or ``targets/``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final, NamedTuple

from cnncli.diagnostics import counted, listing, usage_error
from cnncli.limits import MAX_FILES_NAMED
from cnncli.recipe.columns import FORMS, MASK, PICTURE
from cnncli.training.data.request import Request
from cnncli.training.data.sources.decoding import FORMATS
from cnncli.training.data.sources.file_columns import Files
from cnncli.training.data.sources.layout import Role, parts_of
from cnncli.training.data.sources.tables import Samples, Table, identity_of

_IMAGES: Final = "images"
_ROLES: Final[tuple[Role, ...]] = ("train", "val", "test")
_FORMS: Final[Mapping[str, str]] = {FORMS[form].usual: form for form in (MASK, PICTURE)}
"""The forms of the columns."""

_COLUMNS: Final[Mapping[str, str]] = {f"{name}s": name for name in _FORMS}
"""The columns of the folders: ``masks``, ``targets``."""


class _Pairs(NamedTuple):
    """The images of a folder, and the file that belongs to each, by the name of its column."""

    images: tuple[Path, ...]
    files: Mapping[str, tuple[Path, ...]]


def table(request: Request) -> Table:
    """Return the pairs in DIR, or those in its folders for parts, such as DIR/train/images.

    Raises:
        UsageError: folders are missing, names are not unique, or more files than ``data.skip`` are alone.
    """
    folder = request.path
    parts = {} if (folder / _IMAGES).is_dir() else parts_of(folder)
    roles: list[Role] = [role for role in _ROLES if role in parts]
    places = [parts[role] for role in roles] or [folder]
    notes: list[str] = []
    found = [_pairs(place, request.data.skip, notes) for place in places]
    columns = {column for each in found for column in each.files}
    incomplete = [column for column in sorted(columns) if any(column not in each.files for each in found)]
    if incomplete:
        message = f"{folder} has {listing(incomplete)} in one part only"
        raise usage_error(message, expected="the same in all parts")
    paths = tuple(path for each in found for path in each.images)
    files = {
        column: Files(_FORMS[column], tuple(path for each in found for path in each.files[column]))
        for column in sorted(columns)
    }
    keys = tuple(path.relative_to(folder).as_posix() for path in paths)
    everything = (*paths, *(path for each in found for own in each.files.values() for path in own))
    names = "\n".join(path.relative_to(folder).as_posix() for path in everything)
    ends = [*accumulate((len(each.images) for each in found), initial=0)]
    rows = {role: range(*each) for role, each in zip(roles or _ROLES[:1], pairwise(ends), strict=True)}
    val = rows.get("val", range(0))
    return Table(
        name=f"pairs:{folder}",
        samples=Samples(paths, {}, {}, files),
        keys=keys,
        train=tuple(rows.get("train", ())),
        test=tuple(rows.get("test", val)),
        parts=bool(parts),
        notes=tuple(notes),
        identity=identity_of(names.encode(errors="surrogateescape"), everything),
        val=tuple(val) if "test" in rows else (),
    )


def _pairs(place: Path, skip: float, notes: list[str]) -> _Pairs:
    """Return the pairs of a folder.

    Raises:
        UsageError: as :func:`table` does.
    """
    images = _by_stem(place / _IMAGES)
    partners = {
        column: _by_stem(place / name) for name, column in _COLUMNS.items() if (place / name).is_dir()
    }
    if not partners:
        expected = listing([f"{name}/" for name in _COLUMNS], last=" or ")
        raise usage_error(f"{place} has {_IMAGES}/, but nothing to compare outputs with", expected=expected)
    lonely = [
        path
        for files in (images, *partners.values())
        for stem, path in files.items()
        if any(stem not in each for each in (images, *partners.values()))
    ]
    stems = [stem for stem in images if all(stem in each for each in partners.values())]
    if lonely:
        named = listing([str(path) for path in lonely], MAX_FILES_NAMED)
        message = f"{counted(len(lonely), 'file')} without a partner of the same name: {named}"
        if not stems or len(lonely) > int(len(images) * skip + 1e-9):
            raise usage_error(
                message,
                expected=f"at most {int(len(images) * skip + 1e-9)} (train.data.skip={skip:g})",
                hint="an image and its target have the same name up to the last dot",
            )
        notes.append(f"{message}; left out")
    return _Pairs(
        tuple(images[stem] for stem in stems),
        {column: tuple(files[stem] for stem in stems) for column, files in partners.items()},
    )


def _by_stem(folder: Path) -> dict[str, Path]:
    """Return the image files at any depth below a folder, by their paths in it without suffix, sorted.

    Raises:
        UsageError: there is no such folder, it has no images, or two have the same name.
    """
    if not folder.is_dir():
        expected = f"{_IMAGES}/, and {listing([f'{name}/' for name in _COLUMNS], last=' or ')}"
        raise usage_error(f"{folder.parent} has no folder '{folder.name}'", expected=expected)
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if any(part.startswith(".") for part in inner.parts) or path.suffix.lower() not in FORMATS:
            continue
        if path.is_file():
            first = found.setdefault(inner.with_suffix("").as_posix(), path)
            if first != path:
                raise usage_error(f"{first} and {path} have the same name", expected="one file of each name")
    if not found:
        raise usage_error(f"{folder} has no images", expected=", ".join(FORMATS))
    return found
