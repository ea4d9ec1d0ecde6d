"""``shards:PATTERN``: tar archives of WebDataset, with the files of a sample one after another.

The files of a sample have the same name up to the first dot: ``000017.jpg``, and ``000017.cls`` (a number, or
the name of the class) or ``000017.json`` (a mapping with the key ``label`` or ``cls``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cnncli.diagnostics import Diagnostic, UsageError, counted, listing, shortened, usage_error
from cnncli.limits import MAX_FILES_NAMED, MAX_LABEL_BYTES
from cnncli.training.data.sources.decoding import FORMATS
from cnncli.training.data.sources.layout import Role, role_of, roles_in
from cnncli.training.data.sources.remote import archives, expanded
from cnncli.training.data.sources.samples import Found, Sample
from cnncli.training.data.sources.tars import Archive, Member, members
from cnncli.training.runs.values import parse_json

_FORM: Final = "NAME.jpg (or another image) with NAME.cls, or with NAME.json that has a key label or cls"
_KEYS: Final = ("label", "cls")
_WHOLE: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_EXTENSION: Final = re.compile(r"(\.tar)?(\.gz)?$|\.tgz$")


def found(pattern: str) -> Found:
    """Return the samples of the archives that a pattern stands for; their parts are those of their names.

    Raises:
        UsageError: archives are damaged or cannot be downloaded, or samples have no label; names them.
        CnncliError: there is no room for what is downloaded.
    """
    parts: dict[Role | None, list[Sample]] = {}
    ignored: list[str] = []
    faults: list[Diagnostic] = []
    for archive in archives(expanded(pattern)):
        samples = parts.setdefault(_role(archive.name), [])
        for key, files in _groups(archive).items():
            sample = _sample(archive, key, files)
            if isinstance(sample, Sample):
                samples.append(sample)
            elif sample is None:
                ignored.append(f"{archive.name}/{key}")
            else:
                faults.append(sample)
    if faults:
        more = f"and {len(faults) - MAX_FILES_NAMED} more samples"
        cut = [Diagnostic("usage", more)] if len(faults) > MAX_FILES_NAMED else []
        raise UsageError([*faults[:MAX_FILES_NAMED], *cut])
    if not any(parts.values()):
        raise usage_error(f"{pattern} has no images", expected=_FORM)
    are = "has no image and was" if len(ignored) == 1 else "have no image and were"
    note = f"{counted(len(ignored), 'sample')} {are} not used: {listing(ignored, limit=3)}"
    notes = (note,) if ignored else ()
    return Found(f"shards:{pattern}", {role: tuple(part) for role, part in parts.items() if part}, notes)


def _role(name: str) -> Role | None:
    """Return the part that the name of an archive mentions, or that the folder around it is called."""
    *_, folder, file = ("", *name.split("/"))
    roles = sorted(roles_in(_EXTENSION.sub("", file)))
    if len(roles) > 1:
        raise usage_error(f"{name} has names of several parts: {listing(roles)}", expected="one of them")
    return roles[0] if roles else role_of(folder)


def _groups(archive: Archive) -> dict[str, dict[str, Member]]:
    """Return the files of each sample by what follows the first dot of their names, in small letters."""
    groups: dict[str, dict[str, Member]] = {}
    for member in members(archive):
        folder, slash, file = member.name.rpartition("/")
        stem, dot, extension = file.partition(".")
        if not (stem and dot):
            continue  # hidden files, and files that are not part of a sample
        group = groups.setdefault(f"{folder}{slash}{stem}", {})
        if extension.lower() in group:
            raise usage_error(
                f"{member} is there twice", expected="files with different names in one archive"
            )
        group[extension.lower()] = member
    return groups


def _sample(archive: Archive, key: str, files: Mapping[str, Member]) -> Sample | Diagnostic | None:
    """Return a sample, what is wrong with it, or None if it has no image."""
    images = [member for extension, member in files.items() if f".{extension}" in FORMATS]
    if not images:
        return None
    where = f"{archive.name}/{key}"
    if len(images) > 1:
        names = listing([member.name for member in images])
        return Diagnostic(
            "usage", f"{where} has several images: {names}", expected="one image for each sample"
        )
    for extension, read in (("cls", _text_label), ("json", _json_label)):
        if extension in files:
            label = read(files[extension])
            if isinstance(label, int | str):
                return Sample(images[0], images[0].size, label, f"{archive.name.rpartition('/')[2]}/{key}")
            return label
    return Diagnostic("usage", f"{where} has no label", expected=_FORM, received=listing(sorted(files)))


def _text_label(file: Member) -> int | str | Diagnostic:
    try:
        label = _content(file).decode().strip()
    except UnicodeDecodeError as error:
        return _no_label(file, str(error))
    if not label or "\n" in label:
        return _no_label(file, repr(label))
    return int(label) if _WHOLE.fullmatch(label) else label


def _json_label(file: Member) -> int | str | Diagnostic:
    try:
        value: Any = parse_json(_content(file).decode())
    except (ValueError, RecursionError) as error:
        return _no_label(file, str(error))
    found = [value[key] for key in _KEYS if key in value] if isinstance(value, dict) else []
    label = found[0] if found else None
    if isinstance(label, str) or (type(label) is int and _WHOLE.fullmatch(str(label))):
        return label
    return _no_label(file, repr(value))


def _content(file: Member) -> bytes:
    with file.content() as stream:
        return stream.read(MAX_LABEL_BYTES)


def _no_label(file: Member, received: str) -> Diagnostic:
    return Diagnostic("usage", f"{file} has no label", expected=_FORM, received=shortened(received))
