"""Reading and writing the files of a run, whose folder may come from a stranger.

A write that is killed leaves either the old or the new content, never a mixture. No link is followed, and
nothing but a regular file is read: otherwise a link in a folder from elsewhere could replace any file of the
person who resumes the run in it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from cnncli.diagnostics import CnncliError, Diagnostic, usage_error

if TYPE_CHECKING:
    from torch import Tensor

METADATA: Final = "cnncli"
"""The key in the header of a safetensors file: one, since several have no fixed order.

It has the digest of the tensors and of a JSON text, a blank, and this text.
"""

DIGEST: Final = "sha256"

_WRONG_NAME: Final = frozenset(
    {errno.EEXIST, errno.ENOTDIR, errno.ENOTEMPTY, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}
)
"""The numbers of the errors of a name under which no folder can be, on any disk."""

# Windows has no such flags; a link in a folder is found by check_regular there.
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)


def check_regular(path: Path) -> None:
    """Check that ``path``, if anything has this name, is a regular file.

    Raises:
        UsageError: it is a link, a folder or a device.
    """
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise usage_error(f"cannot read {path}: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise usage_error(
            f"{path} is not a regular file",
            expected="a folder with files of its own, as cnncli train creates it",
            received=kind,
            hint="links in a run folder are never followed: they could lead to any file",
        )


def read_bytes(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most ``most`` bytes.

    Raises:
        UsageError: it cannot be read, is not a regular file, or is larger.
    """
    check_regular(path)
    try:
        handle = os.open(path, os.O_RDONLY | _NO_LINK | _NO_WAIT | _BINARY)
        with os.fdopen(handle, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise usage_error(f"cannot read {path}: {error.strerror}") from error
    if len(content) > most:
        raise usage_error(f"{path} is too large", expected=f"at most {most:,} bytes")
    return content


def write_text(path: Path, content: str) -> None:
    """Replace the content of ``path`` with a text in UTF-8, atomically.

    Raises:
        CnncliError: the file cannot be written.
    """
    write_bytes(path, content.encode())


def write_json(path: Path, value: Any) -> None:
    """Replace the content of ``path`` with indented JSON, atomically."""
    content = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A file name that is not UTF-8 contains lone surrogates in Python; JSON has the same escape for them.
    write_bytes(path, content.encode(errors="backslashreplace"))


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], previous: Path | None = None
) -> None:
    """Replace the content of ``path`` with a safetensors file, atomically.

    Metadata and digest are in the header of the file itself: a digest in another file would be that of the
    old content if the process is killed between the two writes.

    Args:
        path: the file.
        tensors: on the CPU, contiguous, none sharing memory with another.
        metadata: JSON values.
        previous: gets the content that the file had before; None if that is not kept.

    Raises:
        CnncliError: the file cannot be written.
    """
    from safetensors import SafetensorError  # noqa: PLC0415 - runs are listed without it
    from safetensors.torch import save_file  # noqa: PLC0415

    text = json.dumps(metadata, allow_nan=False)
    header = {METADATA: f"{digest(text, tensors)} {text}"}

    def write(temporary: Path, file: BinaryIO) -> None:
        # safetensors creates files that only their owner can read: set the permissions of any new file.
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        try:
            save_file(dict(tensors), temporary, header)
        except SafetensorError as error:
            raise OSError(str(error)) from error
        temporary.chmod(mode)

    _replace(path, write, previous)


def digest(metadata: str, tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of a text, and of the names, types, shapes and bytes of tensors on the CPU."""
    import torch  # noqa: PLC0415 - runs are listed without it

    found = hashlib.sha256(metadata.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)], allow_nan=False).encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def append_line(path: Path, line: str) -> None:
    """Append a line to ``path`` and wait until it is on the disk."""
    append_bytes(path, f"{line}\n".encode(), synced=True)


def append_bytes(path: Path, content: bytes, *, synced: bool) -> None:
    """Append to ``path``; ``synced``: and wait until it is on the disk.

    Raises:
        CnncliError: the file cannot be written.
    """
    check_regular(path)
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_LINK | _NO_WAIT | _BINARY
        with os.fdopen(os.open(path, flags, 0o666), "ab") as file:
            file.write(content)
            file.flush()
            if synced:
                os.fsync(file.fileno())
    except OSError as error:
        raise _unwritable(path, error.strerror) from error


def temporary_of(path: Path) -> Path:
    """Return the name under which a new content of ``path`` is written."""
    return path.with_name(f".{path.name}.partial")


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the content of ``path``, atomically.

    Raises:
        CnncliError: the file cannot be written.
    """
    write_with(path, lambda file: file.write(content))


def write_with(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Replace the content of ``path`` with what a function writes, atomically.

    Raises:
        CnncliError: the file cannot be written.
    """
    _replace(path, lambda _, file: write(file))


def _replace(path: Path, write: Callable[[Path, BinaryIO], object], previous: Path | None = None) -> None:
    # The same name each time, so the next write removes what a killed one left behind.
    temporary = temporary_of(path)
    check_regular(path)
    check_regular(temporary)
    try:
        temporary.unlink(missing_ok=True)
        try:
            # O_EXCL: a file that is new, never one that a link of this name leads to.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY
            with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
                write(temporary, file)
            _sync(temporary, os.O_RDWR)
            if previous is not None and path.exists():
                path.replace(previous)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if os.name == "posix":  # elsewhere folders cannot be opened, and need not be
            _sync(path.parent, os.O_RDONLY)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error), "the previous content was kept") from error


def not_created(what: str, error: OSError) -> CnncliError:
    """Return the error for a folder that cannot be created: its name is wrong, or nothing can be written."""
    message = f"cannot create {what}: {error.strerror or error}"
    if error.errno in _WRONG_NAME:
        return usage_error(message, expected="the name of a new or an empty folder")
    return CnncliError(Diagnostic("unwritable", message))


def _unwritable(path: Path, reason: str | None, hint: str = "") -> CnncliError:
    return CnncliError(Diagnostic("unwritable", f"cannot write {path}: {reason}", hint=hint))


def _sync(path: Path, flags: int) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
