"""Writing files so that a crash at any moment leaves either the old or the new content, never a mixture."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from cnncli.diagnostics import usage_error


def write_text(path: Path, content: str) -> None:
    """Replace the content of ``path`` with a text in UTF-8, atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    _replace(path, lambda temporary: _write_bytes(temporary, content.encode()))


def write_json(path: Path, value: Any) -> None:
    """Replace the content of ``path`` with indented JSON, atomically."""
    content = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A file name that is not UTF-8 contains lone surrogates in Python; JSON has the same escape for them.
    _replace(path, lambda temporary: _write_bytes(temporary, content.encode(errors="backslashreplace")))


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Replace the content of ``path`` with a safetensors file, atomically.

    Args:
        path: the file.
        tensors: on the CPU, contiguous, none sharing memory with another.
        metadata: JSON values, stored under the key ``cnncli`` of the file's header.
    """
    header = {"cnncli": json.dumps(metadata, allow_nan=False)}

    def write(temporary: Path) -> None:
        # safetensors creates files that only their owner can read: set the permissions of any new file.
        temporary.unlink(missing_ok=True)
        temporary.touch()
        mode = stat.S_IMODE(temporary.stat().st_mode)
        save_file(tensors, temporary, header)
        temporary.chmod(mode)

    _replace(path, write)


def append_line(path: Path, line: str) -> None:
    """Append a line to ``path`` and wait until it is on the disk."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise usage_error(f"cannot write {path}: {error.strerror}") from error


def is_temporary(path: Path) -> bool:
    """Return whether ``path`` was left behind by a write that was killed."""
    return path.name.startswith(".") and path.name.endswith(".partial")


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    # The same name each time, so the next write overwrites what a killed one left behind.
    temporary = path.with_name(f".{path.name}.partial")
    try:
        try:
            write(temporary)
            _sync(temporary, os.O_RDWR)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if os.name == "posix":  # elsewhere folders cannot be opened, and need not be
            _sync(path.parent, os.O_RDONLY)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise usage_error(f"cannot write {path}: {reason}", hint="the previous content was kept") from error


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _sync(path: Path, flags: int) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
