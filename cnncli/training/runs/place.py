"""The place of a new run: a folder with a name or a number, which one process takes."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnncli.diagnostics import CnncliError, UsageError, usage_error
from cnncli.limits import MAX_FOLDER_BYTES
from cnncli.training.runs.files import check_regular, not_created, temporary_of
from cnncli.training.runs.names import DEFAULT_PARENT, RECORD
from cnncli.training.runs.record import read_record

if sys.platform != "win32":
    import fcntl


@contextmanager
def claimed(folder: Path | None, name: str) -> Iterator[Path]:
    """Create the folder of a new run, and keep other processes out while the context lasts.

    Args:
        folder: its path; None for ``runs/NAME-N`` with the first free number.
        name: the name of the network.

    Raises:
        CnncliError: the folder is not empty, another process trains there, or it cannot be created.
    """
    try:
        made = _numbered(name) if folder is None else folder
        made.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_a_run_folder(Path(error.filename or folder or DEFAULT_PARENT), error) from error
    with locked(made):
        if _is_running(made):
            raise _in_use(made)
        _check_free(made)
        yield made


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Prevent other processes from training in a folder at the same time.

    Raises:
        UsageError: another process is doing so.
    """
    if sys.platform == "win32":
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise usage_error(f"cannot read {folder}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise _in_use(folder) from error
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        os.close(handle)


def planned_folder(folder: Path | None, name: str) -> Path:
    """Return the folder that :func:`claimed` would create for a network with this name.

    Raises:
        CnncliError: it is not empty, or cannot be read.
    """
    if folder is not None:
        _check_free(folder)
        return folder
    return next(each for each in _numbered_folders(name) if not os.path.lexists(each))


def not_a_run_folder(folder: Path, error: OSError) -> CnncliError:
    """Return the error for a run folder that cannot be created."""
    return not_created(f"the run folder {folder}", error)


def _in_use(folder: Path) -> UsageError:
    return usage_error(
        f"another process is training in {folder}",
        expected="a folder in which nothing is trained at present",
        hint="once that process has ended, the same command continues its run",
    )


def _is_running(folder: Path) -> bool:
    """Return whether a folder has a run, begun after this process has looked for one."""
    try:
        return os.path.lexists(folder / RECORD) and read_record(folder / RECORD).status == "running"
    except UsageError:
        return False


def _numbered(name: str) -> Path:
    # mkdir fails if the folder exists, so two runs that start at the same time get two numbers.
    DEFAULT_PARENT.mkdir(exist_ok=True)
    for folder in _numbered_folders(name):
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("itertools.count ended")


def _numbered_folders(name: str) -> Iterator[Path]:
    return (DEFAULT_PARENT / f"{_file_name(name)}-{number}" for number in itertools.count(1))


def _check_free(folder: Path) -> None:
    """Check that a folder is empty, if there is one.

    Raises:
        CnncliError: it is not, or cannot be read.
    """
    # A run that was killed while it wrote its first file leaves only this behind.
    begun = temporary_of(folder / RECORD)
    check_regular(begun)
    try:
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    except OSError as error:
        raise not_a_run_folder(folder, error) from error
    if names - {begun.name}:
        raise usage_error(
            f"{folder} is not empty",
            expected="a new or an empty folder: runs are never overwritten",
            hint=_instead(folder),
        )


def _instead(folder: Path) -> str:
    """Return what to do if a run cannot begin here; one that diverged would do so again if it was resumed."""
    if not (folder / RECORD).is_file():
        return ""
    try:
        diverged = read_record(folder / RECORD).status == "diverged"
    except UsageError:
        return "choose another folder"
    return "choose another folder" if diverged else "resume the run in it, or choose another folder"


def _file_name(name: str) -> str:
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)
    # Names of files have at most 255 bytes, and a number follows.
    return safe.encode()[:MAX_FOLDER_BYTES].decode(errors="ignore").strip(".") or "run"
