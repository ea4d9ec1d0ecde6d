"""``cnncli layers``: every kind has its page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.layers import KINDS
from cnncli.report.pages.layers import page
from cnncli.report.terminal import lines

ROOT = Path(__file__).parents[2]
runner = CliRunner()


def test_the_overview_names_every_kind() -> None:
    text = runner.invoke(application(), ["layers"]).stdout
    for kind in KINDS:
        assert f"\n  {kind} " in f"\n{text}"


@pytest.mark.parametrize("kind", KINDS)
def test_each_page_names_every_argument(kind: str) -> None:
    result = runner.invoke(application(), ["layers", kind])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{kind}\n")
    for argument, declared in KINDS[kind].arguments.items():
        assert f"  {argument}: {declared.help.split()[0]}" in result.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_each_page_fits_a_terminal(kind: str) -> None:
    too_long = [line.text for line in lines(page(kind, KINDS[kind]), 80) if len(line.text) > 80]
    assert not too_long


def test_a_misspelled_kind() -> None:
    result = runner.invoke(application(), ["layers", "covn"])
    assert result.exit_code == 2
    assert "did you mean 'conv'?" in result.stderr


PLUGIN = '''
from cnncli.layers import layer
from cnncli.layers.activation import FromInput

@layer("swish_of_mine")
class SwishOfMine(FromInput):
    """x sigmoid(x), once more."""

    work = 5
'''


@pytest.mark.slow
def test_kinds_of_installed_packages(tmp_path: Path) -> None:
    """The environment here has a package that offers some: they are listed, and have their page."""
    packages, elsewhere = tmp_path / "packages", tmp_path / "elsewhere"
    info = packages / "mine-1.0.dist-info"
    info.mkdir(parents=True)
    elsewhere.mkdir()
    (packages / "mine.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cnncli.layers]\nmine = mine\n")
    for words in ([], ["swish_of_mine"]):
        done = subprocess.run(
            [sys.executable, "-m", "cnncli", "layers", *words],
            cwd=elsewhere,
            env={**os.environ, "PYTHONPATH": f"{packages}{os.pathsep}{ROOT}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "x sigmoid(x), once more." in done.stdout
