"""``shards:PATTERN``: tar archives of WebDataset, with the files of a sample one after another.

The files of a sample have the same name up to the first dot: ``000017.jpg``, and ``000017.cls`` (a number, or
the name of the class) or ``000017.json`` (a mapping with the key ``label`` or ``cls``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cnncli.diagnostics import Diagnostic, UsageError, counted, listing, shortened, usage_error
from cnncli.limits import MAX_FILES_NAMED, MAX_LABEL_BYTES
from cnncli.recipe.data import Data
from cnncli.results.training import Reading
from cnncli.training.data.catalog import HELD_OUT, Catalog, in_a_line
from cnncli.training.data.dataset import Dataset, Levels, Measured
from cnncli.training.data.sources.decoding import FORMATS
from cnncli.training.data.sources.layout import Role, role_of, roles_in
from cnncli.training.data.sources.remote import archives, expanded
from cnncli.training.data.sources.samples import (
    Listed,
    Sample,
    catalog_of_samples,
    in_two_parts,
    load_samples,
    measure_samples,
)
from cnncli.training.data.sources.tars import Archive, Member, members
from cnncli.training.data.space import MEMORY, Space
from cnncli.training.runs.values import parse_json

_FORM: Final = "NAME.jpg (or another image) with NAME.cls, or with NAME.json that has a key label or cls"
_KEYS: Final = ("label", "cls")
_WHOLE: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_EXTENSION: Final = re.compile(r"(\.tar)?(\.gz)?$|\.tgz$")


class Found(NamedTuple):
    """The samples of archives by the part that the names of these say, None for no part, and notes."""

    parts: Mapping[Role | None, tuple[Sample, ...]]
    notes: tuple[str, ...]

    @property
    def test(self) -> tuple[Sample, ...]:
        """The samples of the test part, or of the validation part if there is no other."""
        return self.parts.get("test") or self.parts.get("val") or ()


def load(
    pattern: str, input_shape: tuple[int, ...], how: Data, reading: Reading = None, space: Space = MEMORY
) -> Dataset:
    """Read the archives that a pattern stands for; parts are those that their names say.

    With two parts, ``val`` is the test part; without any, a fixed fifth of each class is held out.

    Raises:
        UsageError: archives are damaged or cannot be downloaded, samples lack images or labels, or images
            cannot be read; names them.
        CnncliError: there is no room for them.
    """
    listed = _listed(_found(pattern), pattern)
    return load_samples(f"shards:{pattern}", listed, input_shape, how, reading, space)


def held_out(
    pattern: str, input_shape: tuple[int, ...], how: Data, levels: Levels, reading: Reading = None
) -> Measured:
    """Read the test part of :func:`load`, with the ``levels`` of the training part.

    Raises:
        UsageError: as :func:`load` does, but of images only for those that are held out.
    """
    test = _listed(_found(pattern), pattern).test
    what = "its held-out images"
    return measure_samples(f"shards:{pattern}", test, what, input_shape, how, levels, reading)


def measure(
    pattern: str, input_shape: tuple[int, ...], how: Data, levels: Levels, reading: Reading = None
) -> Measured:
    """Read the test part of archives, or all of them if they have no parts.

    Raises:
        UsageError: as :func:`load` does.
    """
    found = _found(pattern)
    samples = found.test or tuple(sample for part in found.parts.values() for sample in part)
    count = counted(len(samples), "image")
    what = f"the {count} of its test part" if found.test else f"all {count}"
    return measure_samples(f"shards:{pattern}", samples, what, input_shape, how, levels, reading)


def catalog(pattern: str) -> Catalog:
    """Return all images of archives, also of those that cannot be trained on.

    Raises:
        UsageError: archives are damaged or cannot be downloaded, or samples lack images or labels.
    """
    found = _found(pattern)
    warnings: tuple[str, ...] = ()
    parts: dict[str, tuple[Sample, ...]] = {role or "train": part for role, part in found.parts.items()}
    try:
        listed = _listed(found, pattern)
        parts = parts if found.test else {"train": listed.train, HELD_OUT: listed.test}
    except UsageError as error:
        warnings = (in_a_line(error),)
    return catalog_of_samples(f"shards:{pattern}", parts, found.notes, warnings)


def _listed(found: Found, pattern: str) -> Listed:
    """Return the samples of the training part and of the held-out part."""
    if None in found.parts and len(found.parts) > 1:
        named = listing([role for role in found.parts if role])
        raise usage_error(
            f"{pattern}: some archives have names of parts ({named}), others do not",
            expected="train and test (or val) in the name of each archive, or in none",
        )
    if "train" not in found.parts and None not in found.parts:
        received = listing([str(role) for role in found.parts])
        raise usage_error(
            f"{pattern} has no training part", expected="archives for training", received=received
        )
    train = found.parts.get("train") or found.parts[None]
    if found.test:
        val = found.parts.get("val", ()) if "test" in found.parts else ()
        return Listed(train, found.test, val, found.notes)
    listed = in_two_parts(f"shards:{pattern}", train)
    return listed._replace(notes=(*found.notes, *listed.notes))


def _found(pattern: str) -> Found:
    """Return the samples of all archives."""
    parts: dict[Role | None, list[Sample]] = {}
    ignored: list[str] = []
    faults: list[Diagnostic] = []
    for archive in archives(expanded(pattern)):
        samples = parts.setdefault(_role(archive.name), [])
        for key, files in _groups(archive).items():
            found = _sample(archive, key, files)
            if isinstance(found, Sample):
                samples.append(found)
            elif found is None:
                ignored.append(f"{archive.name}/{key}")
            else:
                faults.append(found)
    if faults:
        more = f"and {len(faults) - MAX_FILES_NAMED} more samples"
        cut = [Diagnostic("usage", more)] if len(faults) > MAX_FILES_NAMED else []
        raise UsageError([*faults[:MAX_FILES_NAMED], *cut])
    if not any(parts.values()):
        raise usage_error(f"{pattern} has no images", expected=_FORM)
    are = "has no image and was" if len(ignored) == 1 else "have no image and were"
    note = f"{counted(len(ignored), 'sample')} {are} not used: {listing(ignored, limit=3)}"
    return Found({role: tuple(part) for role, part in parts.items() if part}, (note,) if ignored else ())


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
