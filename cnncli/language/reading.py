"""The text of a file: only of regular files of a bounded size, and never shown if it is not a spec.

A stranger's checkout may contain pipes, devices and links to any file of the machine that reads it. Errors
quote the text they are about, so links out of the checkout are refused, and a text that was reached through
another link, or that a spec extends, is only read further if it has the form of a spec.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

from cnncli.diagnostics import Source, UsageError, did_you_mean, readable_bytes, usage_error
from cnncli.language import shipped
from cnncli.language.files import checked_path, neighbors
from cnncli.limits import MAX_FILE_BYTES

SPEC_WORDS: Final = (
    *("extends", "input", "vars", "defaults", "blocks", "layers", "heads"),
    *("train", "pretrain", "budget"),
)
"""Sections of which a spec has at least one; files of many other kinds have a name, too."""

_STREAM: Final = r"/dev/(stdin|fd/[0-9]+)\Z"
_KINDS: Final = {stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def read_source(
    path: str | Path,
    words: Collection[str] = SPEC_WORDS,
    most: int = MAX_FILE_BYTES,
    *,
    extended: bool = False,
) -> Source:
    """Return the text of a file.

    Args:
        path: the file. Standard input (``/dev/stdin``, ``/dev/fd/3``) is read under these names only.
        words: keys at the top level, of which a text reached through a link must have one.
        most: the largest number of bytes.
        extended: whether a spec names the file, and not a person: then it must have one, too.

    Raises:
        UsageError: the file does not exist, is not a regular file, is too large, is not UTF-8 text, has
            none of the words, or is reached by a link out of the repository.
    """
    path = Path(checked_path(path))
    try:
        _check_leads_nowhere_else(path)
        data = _read(path, most)
        _check_is_meant(path, data, words, extended=extended)
        return Source(str(path), data.decode("utf-8-sig"))
    except FileNotFoundError:
        raise _missing(path) from None
    except IsADirectoryError:
        raise usage_error(f"'{path}' is a folder", expected="a YAML file") from None
    except UnicodeDecodeError as error:
        received = f"byte 0x{error.object[error.start]:02x} at position {error.start}"
        raise usage_error(f"'{path}' is not UTF-8 text", expected="UTF-8 text", received=received) from None
    except OSError as error:
        raise usage_error(f"'{path}' cannot be read: {error.strerror}") from None
    except ValueError as error:
        if isinstance(error, UsageError):
            raise
        raise usage_error(f"'{path}' cannot be read: {error}") from None


def within(path: Path, spec: Path) -> bool:
    """Return whether a file, links followed, is one that a spec may extend.

    It is one in the git repository that contains the spec, or in the working directory if that contains the
    spec; without either, one in the folder of the spec.
    """
    return _real(path).is_relative_to(tree_of(_real(spec.parent)))


def tree_of(folder: Path) -> Path:
    """Return the git repository that contains a folder without links, or the working directory around that.

    Without either it is the folder itself.
    """
    repository = next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)
    try:
        working = _real(Path.cwd())
    except OSError:  # it was deleted
        return repository
    return working if repository.is_relative_to(working) else repository


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _read(path: Path, most: int) -> bytes:
    """Return at most ``most`` bytes of a regular file; of any other, only if it is an open stream."""
    stream = _is_stream(path)
    # Opening a pipe would wait until someone writes into it.
    how = getattr(os, "O_NOCTTY", 0) | (0 if stream else getattr(os, "O_NONBLOCK", 0))
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | how)) as file:
        kind = stat.S_IFMT(os.fstat(file.fileno()).st_mode)
        if kind != stat.S_IFREG and not stream:
            received = _KINDS.get(kind, "something else")
            raise usage_error(f"'{path}' is not a regular file", expected="a YAML file", received=received)
        # The size that the file reports is not used: what grows may never end.
        data = file.read(most + 1)
    if len(data) > most:
        limit = readable_bytes(MAX_FILE_BYTES).replace(".0", "")
        together = "" if most == MAX_FILE_BYTES else ", the files that extend it included"
        raise usage_error(f"'{path}' is too large", expected=f"at most {limit}{together}")
    return data


def _check_leads_nowhere_else(path: Path) -> None:
    """Check that no link leads from the tree in which a person named a file to a file outside of it.

    A file below the working directory is in its tree; any other one in that of the folder it was named in,
    which that person knows to be there. Shipped specs are everyone's.

    Raises:
        UsageError: one does; the message has nothing of the file.
    """
    target = _real(path)
    if not _is_linked(path) or not target.exists() or target.is_relative_to(_real(shipped.folder())):
        return
    here = _real(Path.cwd())
    folder = here if Path(os.path.normpath(here / path)).is_relative_to(here) else _real(path.parent)
    if not target.is_relative_to(tree_of(folder)):
        raise usage_error(
            f"'{path}' is a link to a file outside of its folder",
            expected="a file of the same git repository, or below the working directory",
            hint="if that file is meant, name it instead of the link",
        )


def _check_is_meant(path: Path, data: bytes, words: Collection[str], *, extended: bool) -> None:
    """Check that a text which a person may not have meant has the form of what is read.

    Raises:
        UsageError: it does not; the message has nothing of the text.
    """
    if not (extended or _is_linked(path)):
        return
    pattern = rf"""(?m)^[{{ "']{{0,3}}({"|".join(words)})["']?\s*:"""
    if re.search(pattern, data.decode("utf-8-sig", errors="replace")) is None:
        what = "is not a spec" if extended else "is a link to a file that is not a spec"
        raise usage_error(f"'{path}' {what}", expected=f"a file with one of the keys {', '.join(words)}")


def _is_stream(path: Path) -> bool:
    return re.match(_STREAM, str(path)) is not None


def _is_linked(path: Path) -> bool:
    """Return whether a path leads through a link; those above the working directory do not count."""
    written = path if path.is_absolute() else _real(Path.cwd()) / path
    return not _is_stream(path) and str(_real(path)) != os.path.normpath(written)


def _missing(path: Path) -> UsageError:
    """Return the error for a file that does not exist, or for a link to one."""
    if path.is_symlink():
        return usage_error(f"'{path}' is a link to a file that does not exist")
    if path.stem in shipped.specs():
        hint = f"'{path.stem}' without a suffix is the shipped spec"
    else:
        hint = did_you_mean(path.name, neighbors(path), "specs in that folder")
    return usage_error(f"no such file: '{path}'", hint=hint)
