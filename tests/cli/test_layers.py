"""``cnncli layers``: every kind has its page."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.layers import KINDS
from cnncli.report.pages.layers import page
from cnncli.report.terminal import lines

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
