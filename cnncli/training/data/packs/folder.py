"""A folder that is created whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cnncli.diagnostics import usage_error
from cnncli.interrupts import EndingAtOnce
from cnncli.training.runs.files import not_created, temporary_of

if sys.platform != "win32":
    import fcntl


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder under a temporary name beside ``folder``; after the block it gets its own name.

    If the block raises anything, or a signal ends the process, nothing is left. A process that is killed
    leaves the temporary folder, which the next one for the same name removes.

    Raises:
        UsageError: there is something under this name, or another process is writing to it.
        CnncliError: the folder cannot be created.
    """
    check_free(folder)
    temporary = temporary_of(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(temporary, folder), EndingAtOnce() as ending:
            ending.before = partial(_remove, temporary)
            yield temporary
            if folder.is_dir():
                folder.rmdir()  # it is empty, or this fails
            temporary.rename(folder)
    except OSError as error:
        raise not_created(str(folder), error) from error


def check_free(folder: Path) -> None:
    """Check that there is nothing under a name, or an empty folder.

    Raises:
        UsageError: there is something.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir() or folder.is_symlink():
        message, received = f"{folder} exists", "a file or a link"
    elif any(folder.iterdir()):
        message, received = f"{folder} is not empty", "a folder with files"
    else:
        return
    expected = "a new or an empty folder: nothing is ever overwritten"
    raise usage_error(message, expected=expected, received=received, hint="choose another name")


@contextmanager
def _locked(temporary: Path, folder: Path) -> Iterator[None]:
    """Create the temporary folder anew for the block, and remove it if the block raises anything."""
    handle = _claimed(temporary, folder)
    try:
        yield
    except BaseException:
        _remove(temporary)
        raise
    finally:
        if handle is not None:
            os.close(handle)


def _claimed(temporary: Path, folder: Path) -> int | None:
    """Create the temporary folder, which must not be that of a process that still runs; return its lock."""
    if temporary.is_symlink():
        raise usage_error(f"{temporary} is a link", expected="no such file", hint="remove it")
    temporary.mkdir(exist_ok=True)
    handle = None if sys.platform == "win32" else os.open(temporary, os.O_RDONLY)
    if handle is not None and not _lock(handle):
        os.close(handle)
        raise usage_error(f"another process is writing to {folder}")
    for path in temporary.iterdir():
        path.unlink()  # what a process that was killed has left
    return handle


def _lock(handle: int) -> bool:
    """Lock an open folder; return whether no other process has done so."""
    if sys.platform != "win32":
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a file system without locks
    return True


def _remove(temporary: Path) -> None:
    shutil.rmtree(temporary, ignore_errors=True)
