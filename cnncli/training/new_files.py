"""Files that a person asks for by their names: new ones, which are there whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from cnncli.diagnostics import CnncliError, listing, usage_error
from cnncli.training.runs.files import write_with


def check_new(path: Path, suffixes: Sequence[str]) -> None:
    """Check before anything takes long that a new file may be written.

    Raises:
        UsageError: its name has another suffix, there is such a file, or its folder does not exist.
    """
    if path.suffix.lower() not in suffixes:
        named = listing(suffixes, last=" or ")
        raise usage_error(
            f"{path} does not end in {named}",
            expected=f"the name of a {suffixes[0].removeprefix('.').upper()} file, such as out{suffixes[0]}",
        )
    if path.exists() or path.is_symlink():
        raise exists(path)
    if not path.parent.is_dir():
        raise usage_error(f"no such folder: {path.parent}", expected="a folder that exists, for a new file")


def write_new(path: Path, content: bytes) -> None:
    """Write a file that does not exist yet, atomically.

    Raises:
        CnncliError: there is such a file by now, or it cannot be written.
    """
    write_new_with(path, lambda file: file.write(content))


def write_new_with(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let a function write a file that does not exist yet; it appears when that is done.

    Raises:
        CnncliError: there is such a file by now, or it cannot be written.
    """
    if path.exists() or path.is_symlink():
        raise exists(path)
    try:
        write_with(path, write)
    except CnncliError as error:  # there is no previous content, which a hint would mention
        raise _without_previous(error) from error


def _without_previous(error: CnncliError) -> CnncliError:
    return type(error)(
        each._replace(hint="" if each.code == "unwritable" else each.hint) for each in error.diagnostics
    )


def exists(path: Path) -> CnncliError:
    """Return the error that there is a file of this name."""
    hint = "give another name, or remove it first"
    return usage_error(f"{path} exists", expected="the name of a file that does not exist yet", hint=hint)
