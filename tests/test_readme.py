"""The README from its first command to its last, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.test_docs import ROOT, blocks, first_difference

README = ROOT / "README.md"
PROGRAM = f"#!{sys.executable}\nfrom cnncli.cli import program\nprogram()\n"
NEEDS_MORE = ("pip install ", "make ")
"""Commands that need a network or a checkout."""


class Step(NamedTuple):
    """A command, and what the README shows of its output."""

    command: str
    printed: list[str]


def steps(text: str) -> Iterator[Step]:
    """The commands of indented blocks: all lines; after a dollar, the lines that follow are the output."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE):
        lines = [line.removeprefix("    ") for line in block.splitlines()]
        while lines:
            command = re.split(r" {2,}# ", lines.pop(0))[0].strip()
            printed: list[str] = []
            while command.startswith("$ ") and lines and not lines[0].startswith("$ "):
                printed.append(lines.pop(0))
            if command and not command.startswith(NEEDS_MORE):
                yield Step(command.removeprefix("$ "), printed)


def test_all_commands_are_found() -> None:
    text = README.read_text("utf-8")
    found = [step.command for step in steps(text)]
    shown = re.findall(r"^    (?:\$ )?(cnncli \w.*?)(?: +#.*)?$", text, re.MULTILINE)
    assert [command for command in found if command.startswith("cnncli ")] == shown
    assert len(shown) > 20
    assert sum(bool(step.printed) for step in steps(text)) == text.count("    $ ")


@pytest.mark.slow
def test_the_readme_runs_in_an_empty_folder(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "cnncli"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = os.environ | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "80",
    }
    (spec,) = blocks(README, "yaml")
    for command, printed in steps(README.read_text("utf-8")):
        if "net.yaml" in command and not (folder / "net.yaml").exists():
            (folder / "net.yaml").write_text(spec)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == (2 if "error:" in "".join(printed) else 0), (command, done.stdout)
        assert first_difference(printed, done.stdout.splitlines()) is None, (command, done.stdout)
