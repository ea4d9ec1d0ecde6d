"""A copy of the project in which the pages of CONTRIBUTING.md are followed to the letter.

A fenced block says in its info string what to do with it: ``python PATH`` makes the file, or goes to its end;
``diff PATH`` replaces the lines that begin with a blank or ``-`` by those that begin with a blank or ``+``;
``sh`` is run.
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

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("benchmarks", "cnncli", "docs", "scripts", "specs", "tests")
CACHE = ".mypy_cache"
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a document."""

    kind: str
    path: str
    text: str


def sections(document: str) -> dict[str, tuple[Block, ...]]:
    """Return the blocks below each heading of the second level."""
    parts = re.split(r"^## (.+)\n", document, flags=re.MULTILINE)
    return {name: tuple(blocks(text)) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def blocks(text: str) -> Iterator[Block]:
    return (Block(kind, path, body) for kind, path, body in FENCE.findall(text))


def copied(folder: Path) -> Path:
    """Copy the project; with mypy's cache, so that only what changes is checked again."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, folder)
    if (ROOT / CACHE).is_dir():
        shutil.copytree(ROOT / CACHE, folder / CACHE)
    return folder


def follow(page: tuple[Block, ...], folder: Path) -> None:
    """Do what a page says, in this copy; a command that fails fails the test with what it printed."""
    assert page
    for block in page:
        if block.kind == "sh":
            run(block.text, folder)
        elif block.kind == "diff":
            replace(folder / block.path, block.text)
        else:
            append(folder / block.path, block.text)


def run(script: str, folder: Path) -> None:
    """Run a script as it is typed, with the tools of this Python in place of ``.venv``."""
    bin_folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(".venv/bin/", f"{bin_folder}/")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-4000:]}"


def append(path: Path, text: str) -> None:
    if path.exists():
        text = f"{path.read_text(encoding='utf-8').rstrip()}\n\n\n{text}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def replace(path: Path, diff: str) -> None:
    """Change the one place of a file that a diff describes."""
    lines = diff.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] != "+")
    new = "".join(line[1:] for line in lines if line[0] != "-")
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name} has this {text.count(old)} times:\n{old}"
    path.write_text(text.replace(old, new), encoding="utf-8")
