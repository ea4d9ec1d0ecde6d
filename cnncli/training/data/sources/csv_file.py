"""``csv:FILE``: a table with a column of image files, and columns of targets.

Paths are relative to the folder of the file. Fields are separated by commas, semicolons or tabs, which the
first line shows, and quoted as RFC 4180 says; the text is UTF-8, with or without a mark at its beginning.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor

from cnncli.diagnostics import Diagnostic, UsageError, counted, did_you_mean, listing, shortened, usage_error
from cnncli.limits import MAX_FILES_NAMED
from cnncli.recipe.columns import CLASS, INPUT, MASK, NUMBER, PICTURE, TAGS, USUAL, Column
from cnncli.recipe.data import PATH, SPLIT
from cnncli.training.data.dataset import IGNORED
from cnncli.training.data.request import Request
from cnncli.training.data.room import ensure_memory
from cnncli.training.data.sources.decoding import FORMATS
from cnncli.training.data.sources.file_columns import Files
from cnncli.training.data.sources.layout import Role, role_of
from cnncli.training.data.sources.tables import Samples, Table, identity_of, with_usual

_SEPARATORS: Final = {",": "commas", ";": "semicolons", "\t": "tabs"}
_OF_TAGS: Final = ("|", ";", ",")
_PATHS: Final = (
    "path",
    "image",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image_path",
    "images",
)
_SPLITS: Final = ("split", "part", "subset", "set", "fold")
_TAKEN: Final = 8
"""Bytes in memory for each byte of the file, roughly."""


class _Sheet(NamedTuple):
    """The content of a file: the names of its columns, its rows, and the line on which each begins."""

    path: Path
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    separator: str

    def cells(self, name: str) -> list[str]:
        """Return the cells of a column, without blanks around them."""
        index = self.names.index(name)
        return [row[index].strip() for row in self.rows]

    def where(self, row: int) -> str:
        """Return the place of a row."""
        return f"{self.path}:{self.lines[row]}"


def table(request: Request) -> Table:
    """Return the samples of a file.

    Raises:
        UsageError: it is not such a file, a column is missing or stated wrongly, or cells are wrong: names
            these with their lines.
    """
    sheet = _read(request.path)
    roles, guessed = _roles(sheet, request.data.columns or {})
    (path_column,) = (name for name, role in roles.items() if role == PATH)
    paths = _paths(sheet, path_column)
    parts = _parts(sheet, next((name for name, role in roles.items() if role == SPLIT), None))
    samples = _samples(sheet, roles, paths)
    unused = [name for name in sheet.names if name and name not in roles]
    notes = [f"columns, separated by {_SEPARATORS[sheet.separator]}: {_listed(roles)}{guessed}"]
    notes += [f"columns that are not used: {listing(unused)}"] if unused else []
    has_test = any(part == "test" for part in parts)
    held = "test" if has_test else "val"
    files = [*paths, *(path for each in samples.files.values() for path in each.paths)]
    return Table(
        name=f"csv:{request.path}",
        samples=with_usual(samples),
        keys=tuple(sheet.cells(path_column)),
        train=tuple(row for row, part in enumerate(parts) if part in ("", "train")),
        test=tuple(row for row, part in enumerate(parts) if part == held),
        parts=any(parts),
        notes=tuple(notes),
        identity=identity_of(request.path.read_bytes(), files),
        val=tuple(row for row, part in enumerate(parts) if has_test and part == "val"),
    )


def _listed(roles: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {role}" for name, role in roles.items())


def _read(path: Path) -> _Sheet:
    """Read a file.

    Raises:
        UsageError: it is not a table of text with at least one row below its names.
    """
    if not path.is_file():  # reading a pipe could block forever
        raise usage_error(f"cannot read {path}: it is not a file", expected="a table of text")
    ensure_memory(_TAKEN * path.stat().st_size, f"the table {path}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{path} is not a text in UTF-8: byte {error.start + 1} cannot be read"
        raise usage_error(message, expected="UTF-8", hint="save it as UTF-8") from error
    separator = _separator(text)
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(tuple(row))
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise usage_error(f"{path}:{line}: {error}", expected="a table of text") from error
    if len(rows) < 2:
        raise usage_error(
            f"{path} has no rows", expected="a line with the names of the columns, and rows below it"
        )
    names = tuple(name.strip() for name in rows[0])
    _check_names(path, names)
    sheet = _Sheet(path, names, tuple(rows[1:]), tuple(lines[1:]), separator)
    _report(
        f"{sheet.where(row)}: {counted(len(cells), 'field')}, but there are {counted(len(names), 'column')}"
        for row, cells in enumerate(sheet.rows)
        if len(cells) != len(names)
    )
    return sheet


def _separator(text: str) -> str:
    """Return what separates the most names in the first line; a comma if nothing does."""
    first = text.lstrip("\r\n").partition("\n")[0]
    return max(_SEPARATORS, key=lambda each: len(next(csv.reader([first], delimiter=each), [])))


def _check_names(path: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise usage_error(f"{path} has several columns called {listing(twice)}", expected="a name for each")
    if any(map(_is_file, names)):
        raise usage_error(
            f"{path} begins with a file, not with the names of its columns",
            expected="a first line such as path,label",
            received=shortened(",".join(names)),
        )


def _roles(sheet: _Sheet, stated: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return what the columns have, as the recipe or their names say it, and a remark if it is their names.

    Raises:
        UsageError: a column does not exist, or there is not exactly one of image files.
    """
    for name in stated:
        if name not in sheet.names:
            raise usage_error(
                f"{sheet.path} has no column '{name}'",
                expected=listing([each for each in sheet.names if each], last=" or "),
                received=name,
                hint=did_you_mean(name, sheet.names),
            )
    roles = dict(stated)
    roles |= _by_name(sheet, roles)
    for role, guess in ((PATH, _path_column), (SPLIT, _split_column)):
        if role not in roles.values():
            found = guess(sheet, [name for name in sheet.names if name and name not in roles])
            roles |= {found: role} if found is not None else {}
        several = [name for name, each in roles.items() if each == role]
        if len(several) > 1:
            raise usage_error(f"several columns are of {role}: {listing(several)}", expected="one of them")
    if PATH not in roles.values():
        raise usage_error(
            f"{sheet.path} has no column of image files",
            expected=f"a column called {listing(_PATHS[:4], last=' or ')}, or with names such as cat.png",
            received=listing([each for each in sheet.names if each]),
            hint=f"train.data.columns.NAME={PATH} says which column it is",
        )
    if not any(role not in (PATH, SPLIT) for role in roles.values()):
        roles |= _only_other(sheet, roles)
    in_order = {name: roles[name] for name in sheet.names if name in roles}
    guessed = [name for name in in_order if name not in stated]
    return in_order, f" ({listing(guessed)} by name or content)" if guessed else ""


def _by_name(sheet: _Sheet, roles: Mapping[str, str]) -> dict[str, str]:
    """Return the columns that have the usual name of a form, of forms that the recipe leaves open."""
    forms = {name: USUAL.get(name.casefold()) for name in sheet.names if name.casefold() != INPUT}
    stated = {*roles.values()}
    return {name: form for name, form in forms.items() if form is not None and form not in stated}


def _only_other(sheet: _Sheet, roles: Mapping[str, str]) -> dict[str, str]:
    """Return the only other column: numbers if it has fractions, otherwise classes."""
    others = [name for name in sheet.names if name and name not in roles]
    if len(others) != 1:
        return {}
    values = [_number(cell) for cell in sheet.cells(others[0]) if cell]
    numbers = [value for value in values if value is not None]
    fractions = len(numbers) == len(values) and any(value != int(value) for value in numbers)
    return {others[0]: NUMBER if fractions else CLASS}


def _path_column(sheet: _Sheet, names: Sequence[str]) -> str | None:
    """Return the column with a usual name of files, or the first one whose cells all look like files."""
    by_name = [name for word in _PATHS for name in names if name.casefold() == word]
    of_files = [name for name in names if all(_is_file(cell) for cell in sheet.cells(name) if cell)]
    return next(iter((*by_name, *of_files)), None)


def _is_file(cell: str) -> bool:
    return Path(cell).suffix.lower() in FORMATS


def _split_column(sheet: _Sheet, names: Sequence[str]) -> str | None:
    """Return the column with a usual name of parts, if any cell is the name of one.

    All others are errors then: a cell that is empty or misspelled must not put test rows into training.
    """
    by_name = [name for name in names if name.casefold() in _SPLITS]
    return next((name for name in by_name if any(role_of(cell) for cell in sheet.cells(name))), None)


def _paths(sheet: _Sheet, name: str) -> tuple[Path, ...]:
    """Return the image files.

    Raises:
        UsageError: a row has none, or two have the same.
    """
    first: dict[Path, int] = {}
    faults: list[str] = []
    paths = []
    for row, cell in enumerate(sheet.cells(name)):
        path = sheet.path.parent / cell
        paths.append(path)
        if not cell:
            faults.append(f"{sheet.where(row)}: '{name}' is empty")
        elif first.setdefault(path, row) != row:
            faults.append(f"{sheet.where(row)}: {cell} is also on line {sheet.lines[first[path]]}")
    _report(faults, "each image file once")
    return tuple(paths)


def _parts(sheet: _Sheet, name: str | None) -> list[Role | str]:
    """Return the part of each row; empty without such a column.

    Raises:
        UsageError: a cell is not the name of a part.
    """
    if name is None:
        return [""] * len(sheet.rows)
    cells = sheet.cells(name)
    roles = [role_of(cell) for cell in cells]
    wrong = [row for row, role in enumerate(roles) if role is None]
    _report((_is(sheet, row, name, cells[row]) for row in wrong), "train, val or test")
    return [role or "" for role in roles]


def _is(sheet: _Sheet, row: int, name: str, cell: str) -> str:
    """Return what a cell has, for a message."""
    return f"{sheet.where(row)}: '{name}' is {shortened(cell)!r}"


def _samples(sheet: _Sheet, roles: Mapping[str, str], paths: tuple[Path, ...]) -> Samples:
    columns: dict[str, Column] = {}
    targets: dict[str, Tensor] = {}
    files: dict[str, Files] = {}
    for name, role in roles.items():
        if role in _READERS:
            columns[name], targets[name] = _READERS[role](sheet, name)
        elif role in (MASK, PICTURE):
            files[name] = Files(role, _files(sheet, name, role))
    return Samples(paths, columns, targets, files)


def _classes(sheet: _Sheet, name: str) -> tuple[Column, Tensor]:
    """Return classes in the order of their names, or of their numbers; -1 for an empty cell."""
    cells = sheet.cells(name)
    names = sorted({*cells} - {""})
    if all(each.isdecimal() for each in names):
        names.sort(key=int)
    number = {each: index for index, each in enumerate(names)} | {"": -1}
    return Column(CLASS, tuple(names)), torch.tensor([number[cell] for cell in cells], dtype=torch.int64)


def _tags(sheet: _Sheet, name: str) -> tuple[Column, Tensor]:
    """Return tags: the words of a cell, which are separated by the first of ``|``, ``;``, ``,`` or blanks.

    The separator is the same for all cells. An empty cell has no target; a separator alone means none.
    """
    cells = sheet.cells(name)
    separator = next((each for each in _OF_TAGS if any(each in cell for cell in cells)), None)
    words = [[word.strip() for word in cell.split(separator) if word.strip()] for cell in cells]
    names = sorted({word for each in words for word in each})
    index = {word: number for number, word in enumerate(names)}
    targets = torch.zeros((len(cells), len(names)), dtype=torch.uint8)
    for row, each in enumerate(words):
        targets[row, [index[word] for word in each]] = 1
        if not cells[row]:
            targets[row] = IGNORED
    return Column(TAGS, tuple(names)), targets


def _numbers(sheet: _Sheet, name: str) -> tuple[Column, Tensor]:
    """Return numbers, NaN for an empty cell.

    Raises:
        UsageError: a cell is not a finite number.
    """
    cells = sheet.cells(name)
    values = [_number(cell) if cell else math.nan for cell in cells]
    wrong = [row for row, value in enumerate(values) if value is None]
    expected = "a number such as 1.5, or an empty cell"
    _report((_is(sheet, row, name, cells[row]) for row in wrong), expected)
    return Column(NUMBER, (name,)), torch.tensor(values, dtype=torch.float32).unsqueeze(1)


def _number(cell: str) -> float | None:
    """Return the number that a cell has; None if it has none that is finite in 32 bits."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if "_" not in cell and abs(value) <= torch.finfo(torch.float32).max else None


_READERS: Final[Mapping[str, Callable[[_Sheet, str], tuple[Column, Tensor]]]] = {
    CLASS: _classes,
    TAGS: _tags,
    NUMBER: _numbers,
}


def _files(sheet: _Sheet, name: str, role: str) -> tuple[Path | None, ...]:
    """Return the files of a column, None for an empty cell.

    Raises:
        UsageError: a picture is missing.
    """
    cells = sheet.cells(name)
    if role == PICTURE:
        empty = (f"{sheet.where(row)}: '{name}' is empty" for row, cell in enumerate(cells) if not cell)
        _report(empty, "a picture for each image")
    return tuple(sheet.path.parent / cell if cell else None for cell in cells)


def _report(faults: Sequence[str] | Iterator[str], expected: str = "") -> None:
    """Report faults, if there are any, the first of them each in a message.

    Raises:
        UsageError: there are some.
    """
    found = [*faults]
    if found:
        shown = [Diagnostic("usage", fault, expected=expected) for fault in found[:MAX_FILES_NAMED]]
        more = len(found) - len(shown)
        raise UsageError([*shown, *([Diagnostic("usage", f"and {more} more rows")] if more else [])])
