"""How much a command prints, and what happens when nobody reads it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.limits import MAX_NAME, MAX_OUTPUT

BLOCK = "a_block_with_a_long_name_that_is_in_the_name_of_every_layer"
MANY = f"input: [1, 8, 8]\nblocks: {{{BLOCK}: {{layers: [{{relu: , repeat: 200}}]}}}}\n"
MANY += f"layers: [{{{BLOCK}: , repeat: 80}}]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("many.yaml").write_text(MANY)


def call(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), arguments)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("form", ["table", "json", "markdown", "html"])
def test_an_output_that_is_too_large_is_refused_whole(form: str) -> None:
    code, out, said = call("inspect", "many.yaml", "--format", form)
    assert (code, out) == (2, "")
    assert f"the output in the format '{form}' is too large" in said
    assert f"at most {MAX_OUTPUT:,} bytes" in said
    assert " lines take that much" in said
    assert "CNNCLI_MAX_OUTPUT=100MB in the environment allows more" in said


@pytest.mark.slow
def test_more_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNCLI_MAX_OUTPUT", "100 MB")
    code, out, said = call("inspect", "many.yaml", "--format", "json")
    assert (code, said) == (0, "")
    assert len(json.loads(out)["layers"]) == 200 * 80
    assert len(out) > MAX_OUTPUT


def test_a_limit_may_also_be_lower_and_counts_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    _, whole, _ = call("inspect", "lenet5")
    for most, code in ((len(whole.encode()), 0), (len(whole.encode()) - 1, 2)):
        monkeypatch.setenv("CNNCLI_MAX_OUTPUT", str(most))
        assert call("inspect", "lenet5")[0] == code


@pytest.mark.parametrize("size", ["much", "-1", "1e-3", "\x1b"])
def test_a_limit_that_is_not_a_size(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNCLI_MAX_OUTPUT", size)
    code, out, said = call("inspect", "lenet5")
    assert (code, out) == (2, "")
    assert "CNNCLI_MAX_OUTPUT is not a size" in said


@pytest.mark.slow
def test_messages_about_many_files_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.report.terminal.MAX_OUTPUT", 20_000)
    faulty = "input: [1]\nlayers:\n" + "".join(f"  - wrong_{n}\n" for n in range(40))
    for number in range(30):
        Path(f"{number}.yaml").write_text(faulty)
    code, _, said = call("check", ".")
    assert code == 2
    assert len(said) < 21_000
    assert said.count("further messages are left out: more than 20,000 bytes") == 1


@pytest.mark.parametrize(
    "text", ["name: {}", "paper: {{authors: a, year: 1999, title: {}}}", "vars: {{v: {}}}\nname: $v"]
)
def test_a_long_name_or_description_is_refused(text: str) -> None:
    Path("long.yaml").write_text(f"{text.format('x' * 9_000)}\ninput: [3]\nlayers: [relu]\n")
    for command in ("inspect", "check", "train", "memory"):
        code, out, said = call(command, "long.yaml")
        assert (code, out) == (2, "")
        assert len(said) < 1_500


@pytest.mark.slow
@pytest.mark.parametrize("letter", ["x", "網", "\N{GRINNING FACE}"])
def test_a_name_of_the_greatest_length_has_a_run(letter: str) -> None:
    spec = f"name: {letter * MAX_NAME}\ninput: [1, 8, 8]\nlayers: [flatten, linear: 10]\n"
    spec += "train: {data: digits, epochs: 1}\n"
    Path("long.yaml").write_text(spec)
    code, _, said = call("train", "long.yaml", "--device", "cpu")
    assert (code, said) == (0, "")
    (made,) = Path("runs").iterdir()
    assert len(made.name.encode()) <= 205


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("inspect", "--help"), ("inspect", "lenet5"), ("layers",), ("specs",)],
    ids=" ".join,
)
@pytest.mark.parametrize("program", [("-m", "cnncli"), ("-c", "from cnncli.cli import program; program()")])
def test_a_reader_that_left_is_always_the_same(arguments: tuple[str, ...], program: tuple[str, str]) -> None:
    command = [sys.executable, *program, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141
