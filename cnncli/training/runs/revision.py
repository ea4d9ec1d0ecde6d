"""The git revision of a spec, for the record of a run: nothing of the repository is run, and nothing fails.

A repository may come from a stranger, and git runs programs that its configuration names: hooks, monitors of
files, filters, transports. So its files are not compared by ``git status``, which runs filters, but by their
digests, and what may run something is switched off.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cnncli.limits import MAX_FILE_BYTES
from cnncli.results.runs import Revision
from cnncli.training.runs.values import DamagedError, members, text

_SECONDS: Final = 2.0
"""What git may take; usually it takes a few thousandths."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_OFF: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_ENVIRONMENT: Final = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
}


def revision_of(files: Sequence[Path]) -> Revision | None:
    """Return the commit that is checked out where the first of some files is.

    It is ``dirty`` if one of the files is not as it was committed. None without files, without a repository
    or a commit, and where git is missing or takes too long.
    """
    if not files:
        return None
    try:
        paths = [path.resolve(strict=True) for path in files]
        folder = paths[0].parent
        if not any((above / ".git").exists() for above in (folder, *folder.parents)):
            return None
        commit = _git(folder, "rev-parse", "HEAD").strip()
        if not _COMMIT.fullmatch(commit):
            return None
        return Revision(commit, not all(_is_committed(path) for path in paths))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _is_committed(path: Path) -> bool:
    """Return whether a file has the content of the commit; with other ends of lines it is the same."""
    if path.stat().st_size > MAX_FILE_BYTES:
        return False
    listed = _git(path.parent, "ls-tree", "HEAD", "--", path.name).split()
    if len(listed) < 3:
        return False
    content = path.read_bytes()
    return listed[2] in (_digest(content, listed[2]), _digest(content.replace(b"\r\n", b"\n"), listed[2]))


def _digest(content: bytes, like: str) -> str:
    """Return the name that git gives to a content, of the kind of another name."""
    name = "sha1" if len(like) == 40 else "sha256"
    return hashlib.new(name, b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()


def _git(folder: Path, *words: str) -> str:
    """Return what git prints in a folder.

    Raises:
        OSError: there is no git.
        SubprocessError: it fails, or takes too long.
    """
    program = shutil.which("git")
    if program is None or not Path(program).is_absolute():
        raise FileNotFoundError("git")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(  # noqa: S603 - the words are ours, and names of files come after --
        [program, *_OFF, "-C", str(folder), *words],
        env=kept | _ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        check=True,
    )
    return done.stdout.decode()


def read_revision(value: Any, name: str) -> Revision | None:
    """Return the revision that a run recorded.

    Raises:
        DamagedError: it is not one.
    """
    if value is None:
        return None
    found = members(value, name, Revision._fields)
    if not _COMMIT.fullmatch(text(found["commit"], f"{name}.commit")):
        raise DamagedError(f"{name}.commit is not one")
    if not isinstance(found["dirty"], bool):
        raise DamagedError(f"{name}.dirty is not true or false")
    return Revision(found["commit"], found["dirty"])
