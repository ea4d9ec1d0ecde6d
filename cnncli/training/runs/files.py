"""Writing files so that a crash at any moment leaves the old content or the new, never a part of it."""

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
    """Replace ``path`` by ``content``, in UTF-8, atomically.

    Raises:
        UsageError: where the file system refuses.
    """
    _replace(path, lambda temporary: _write_bytes(temporary, content.encode()))


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value`` as indented JSON, atomically."""
    content = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A file name that is no UTF-8 reaches Python with lone surrogates; the escape is JSON's for them too.
    _replace(path, lambda temporary: _write_bytes(temporary, content.encode(errors="backslashreplace")))


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Replace ``path`` by a safetensors file, atomically.

    Args:
        path: the file.
        tensors: on the CPU, contiguous, none sharing memory with another.
        metadata: JSON values, kept under the one key ``cnncli`` of the file's header.
    """
    header = {"cnncli": json.dumps(metadata, allow_nan=False)}

    def write(temporary: Path) -> None:
        # safetensors makes files that only their owner can read: give it the permissions of any new file.
        temporary.unlink(missing_ok=True)
        temporary.touch()
        mode = stat.S_IMODE(temporary.stat().st_mode)
        save_file(tensors, temporary, header)
        temporary.chmod(mode)

    _replace(path, write)


def append_line(path: Path, line: str) -> None:
    """Add one line to ``path`` and see it onto the disk."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise usage_error(f"cannot write {path}: {error.strerror}") from error


def is_temporary(path: Path) -> bool:
    """Whether ``path`` is what a write that was killed left behind."""
    return path.name.startswith(".") and path.name.endswith(".partial")


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    # One name for all attempts: what a killed write left behind, the next one overwrites.
    temporary = path.with_name(f".{path.name}.partial")
    try:
        try:
            write(temporary)
            _sync(temporary, os.O_RDWR)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if os.name == "posix":  # elsewhere a folder cannot be opened, nor needs to be
            _sync(path.parent, os.O_RDONLY)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise usage_error(
            f"cannot write {path}: {reason}", hint="what was there before has been left as it was"
        ) from error


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _sync(path: Path, flags: int) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
