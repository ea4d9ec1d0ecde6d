"""``cnncli check`` as it is typed, and its exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application

runner = CliRunner()
SMALL = "input: [4]\nlayers: [linear: 3]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "within.yaml").write_text(f"{SMALL}budget: {{params: 15, weights_size: 60 B}}\n")
    (tmp_path / "over.yaml").write_text(f"{SMALL}budget: {{params: 12, macs: 1k}}\n")
    (tmp_path / "wrong.yaml").write_text("input: [4]\nlayers: [liner: 3]\nbudget: {params: 1}\n")
    (tmp_path / "none.yaml").write_text(SMALL)
    return tmp_path


def check(*arguments: str | Path) -> tuple[int, str, str]:
    result = runner.invoke(application(), ["check", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_within(folder: Path) -> None:
    code, text, _ = check(folder / "within.yaml")
    assert code == 0
    assert "within budget (2)" in text
    assert "params           15       15  ok, 0 left" in text


def test_over_says_by_how_much_and_what_weighs_most(folder: Path) -> None:
    code, text, _ = check(folder / "over.yaml")
    assert code == 1
    assert "over budget in 1 of 2" in text
    assert "OVER by 3 (25.0 %)" in text
    assert "most params: linear1 15" in text


def test_a_wrong_spec_weighs_more_than_one_over_budget(folder: Path) -> None:
    code, text, errors = check(folder / "wrong.yaml", folder / "over.yaml", folder / "within.yaml")
    assert code == 2
    assert "did you mean 'linear'?" in errors
    assert "OVER by 3" in text
    assert "within budget" in text


def test_a_budget_file_replaces_the_specs_own(folder: Path) -> None:
    limits = folder / "limits.yml"
    limits.write_text("params: 14\n")
    code, text, _ = check(folder / "within.yaml", folder / "none.yaml", "--budget", limits)
    assert code == 1
    assert text.count("OVER by 1") == 2
    assert "weights_size" not in text
    limits.write_text("budget:\n  params: 15\n")
    assert check(folder / "over.yaml", "--budget", limits)[0] == 0


def test_a_check_of_nothing_is_an_error(folder: Path) -> None:
    code, _, errors = check(folder / "none.yaml")
    assert code == 2
    assert "has no budget" in errors
    code, _, errors = check(folder / "*.yml")
    assert code == 2
    assert "no file matches" in errors
    for text in ("", "{}", "- 1", "params:", "parms: 3"):
        (folder / "limits.yml").write_text(text)
        assert check(folder / "within.yaml", "--budget", folder / "limits.yml")[0] == 2, text


def test_patterns(folder: Path) -> None:
    code, text, _ = check(folder / "[wo]*[nr].yaml")
    assert code == 1
    assert "within.yaml: within budget" in text
    assert "over.yaml: over budget" in text


@pytest.mark.slow
def test_shipped_networks_are_within_their_budgets() -> None:
    code, text, errors = check("specs/**/*.yaml")
    assert code == 0, errors
    assert "lenet5.yaml: within budget" in text


def test_folders_and_names(folder: Path) -> None:
    (folder / "wrong.yaml").unlink()
    code, text, errors = check(folder)
    assert code == 2
    assert f"{folder / 'over.yaml'}: over budget" in text
    assert f"{folder / 'within.yaml'}: within budget" in text
    assert "none.yaml' has no budget" in errors
    code, text, errors = check("vgg16", "vgg", folder / "over.yaml", folder / "over.yaml")
    assert (code, errors) == (1, "")
    assert text.count(": within budget") == 6
    assert text.count(": over budget") == 1
    assert text.startswith("1 of 7 networks over budget\n\n")


def test_a_name_that_is_none_does_not_stop_the_others(folder: Path) -> None:
    code, text, errors = check("vgg61", folder / "within.yaml")
    assert code == 2
    assert "did you mean 'vgg16'?" in errors
    assert "within budget" in text


def test_a_folder_without_specs(folder: Path) -> None:
    (folder / "empty").mkdir()
    code, _, errors = check(folder / "empty", folder / "within.yaml")
    assert code == 2
    assert "no specs in" in errors


def test_a_pattern_passes_over_folders(folder: Path) -> None:
    (folder / "specs" / "deep").mkdir(parents=True)
    (folder / "within.yaml").rename(folder / "specs" / "deep" / "within.yaml")
    code, text, errors = check(folder / "specs" / "**")
    assert (code, errors) == (0, "")
    assert text.count("within budget") == 1
    assert check(folder / "spec*")[0] == 2


def test_a_reader_that_leaves_is_not_a_verdict() -> None:
    """The code that shells know for it, not 1, which says that a network is over its budget."""
    command = f"{sys.executable} -m cnncli check vgg | true; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (141, "")
