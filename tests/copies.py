"""A copy of the project in which the pages of CONTRIBUTING.md are followed to the letter.

The word after the language of a fenced block is the file that it is for: a ``diff`` replaces lines of it,
other text goes to its end, or is the whole of a new file. A block of ``sh`` is run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("benchmarks", "cnncli", "docs", "scripts", "specs", "tests")
MYPY_CACHE = ".mypy_cache"
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a document: its language, the file that it is for, and its text."""

    language: str
    path: str
    text: str


def sections(document: str) -> dict[str, tuple[Block, ...]]:
    """Return the blocks below each heading of the second level."""
    parts = re.split(r"^## (.+)\n", document, flags=re.MULTILINE)
    return {name: tuple(blocks(text)) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def blocks(text: str) -> Iterator[Block]:
    return (Block(*found) for found in FENCE.findall(text))


def copied(folder: Path, *, with_types: bool = False) -> Path:
    """Copy the project; ``with_types``, also mypy's cache if there is one: only changes are checked again."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, folder)
    if with_types and (ROOT / MYPY_CACHE).is_dir():
        shutil.copytree(ROOT / MYPY_CACHE, folder / MYPY_CACHE)
    return folder


def follow(page: tuple[Block, ...], folder: Path) -> None:
    """Do what a page says, in this folder. A command that fails is an AssertionError with what it printed."""
    for block in page:
        if block.language == "sh":
            run(block.text, folder)
        elif block.language == "diff":
            replace(folder / block.path, block.text)
        else:
            append(folder / block.path, block.text)


def run(script: str, folder: Path) -> None:
    """Run a script as it is typed, with the programs of this Python in place of those in ``.venv``."""
    programs = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(".venv/bin/", f"{programs}/")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-6000:]}"


def append(path: Path, text: str) -> None:
    """Add a text to the end of a file, or make the file."""
    if path.exists():
        text = f"{path.read_text(encoding='utf-8').rstrip()}\n\n\n{text}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def replace(path: Path, diff: str) -> None:
    """Change the one place of a file that a diff shows."""
    lines = [line if line[0] in "+- " else f" {line}" for line in diff.splitlines(keepends=True)]
    old = "".join(line[1:] for line in lines if line[0] != "+")
    new = "".join(line[1:] for line in lines if line[0] != "-")
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name} has these lines {text.count(old)} times:\n{old}"
    path.write_text(text.replace(old, new), encoding="utf-8")
