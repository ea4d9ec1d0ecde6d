"""How wide lines are: COLUMNS holds everywhere; a pipe without it wraps texts, and shortens nothing."""

from __future__ import annotations

from importlib import import_module

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import COMMANDS, application, module_of
from cnncli.layers import KINDS
from cnncli.report.page import MEASURE

COMPARED = "inspect lenet5 unet --input 1xHxW"
LONG = "layers:\n  - conv: {channels: 4, kernel: 3, padding: sometimes}\n"


def lines(*arguments: str, code: int = 0) -> list[str]:
    result = CliRunner().invoke(application(), arguments)
    assert result.exit_code == code, result.output
    return (result.stdout or result.stderr).splitlines()


@pytest.fixture
def no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")


@pytest.mark.usefixtures("no_columns")
def test_a_pipe_shortens_no_number_and_leaves_out_nothing() -> None:
    heading = next(line for line in lines("inspect", "resnet50", "--receptive-field") if "kind" in line)
    assert heading.split()[-4:] == ["parameters", "MACs", "neurons", "values"]
    total = next(line for line in lines("inspect", "resnet50") if line.startswith("total"))
    assert "25,557,032" in total


@pytest.mark.usefixtures("no_columns")
@pytest.mark.parametrize(
    "command", ["inspect unet --symbolic", "memory unet --input 1xHxW", "sizes unet", COMPARED]
)
def test_texts_and_formulas_of_a_pipe_are_folded(command: str) -> None:
    assert max(map(len, lines(*command.split()))) <= MEASURE


@pytest.mark.usefixtures("no_columns")
def test_messages_of_a_pipe_are_wrapped() -> None:
    shown = lines("inspect", "lenet5", "--set", f"{'many_words ' * 30}=1", code=2)
    assert len(shown) > 2
    assert max(map(len, shown)) <= MEASURE


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize(
    "command",
    [
        *("inspect lenet5", "check lenet5", "memory lenet5", "sizes unet", "layers", "layers conv", "specs"),
        *(COMPARED, "inspect small_resnet --input 3xHxW"),
    ],
)
def test_columns_limit_a_pipe_as_they_do_a_terminal(
    command: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    too_long = [line for line in lines(*command.split()) if len(line) > columns]
    assert [line for line in too_long if " " in line.strip()] == []


@pytest.mark.parametrize("columns", ["80", "100", "200"])
def test_what_reads_what_is_shown_beside_formulas(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = "\n".join(lines("inspect", "small_resnet", "--input", "3xHxW"))
    assert "conv2_norm, shortcut1" in shown or "conv…ortcut1" in shown


@pytest.mark.parametrize("columns", ["60", "80", "100", None])
@pytest.mark.parametrize(
    ("name", "joined"),
    [
        ("small_resnet", "conv2_norm, shortcut1"),
        ("googlenet", "branch1.relu1, branch2.1.relu1,"),
        ("unet", "upconv"),
    ],
)
def test_what_reads_what_is_shown_below_where_there_is_no_room(
    name: str, joined: str, columns: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    shown = lines("inspect", name)
    (heading,) = [line for line in shown if "reads" in line.split()]
    assert heading.split() == ["name", "reads"]
    below = shown[shown.index(heading) :]
    assert any(joined in line for line in below)
    assert len(max(below, key=len)) <= int(columns or MEASURE)


@pytest.mark.parametrize("columns", ["", "0", "-5", "wide", "1e3"])
def test_columns_without_a_number_are_ignored(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    expected = lines("sizes", "unet")
    monkeypatch.setenv("COLUMNS", columns)
    assert lines("sizes", "unet") == expected


@pytest.mark.parametrize("columns", ["1", "7", "20"])
@pytest.mark.parametrize(
    "command", ["inspect lenet5", "inspect unet --symbolic", "memory lenet5", "sizes unet", "layers", "specs"]
)
def test_a_tiny_screen_gets_what_it_can(command: str, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert lines(*command.split())


def test_no_message_ends_in_an_empty_line() -> None:
    for arguments in (
        ("inspect", "nothing"),
        ("check", "nothing", "nowhere"),
        ("inspect", "lenet5", "--set", "a"),
    ):
        shown = CliRunner().invoke(application(), arguments).stderr
        assert shown.endswith("\n")
        assert not shown.endswith("\n\n")
    assert CliRunner().invoke(application(), ["check", "no", "nowhere"]).stderr.count("\n\n") == 1


@pytest.mark.parametrize("columns", ["40", "60", "80", "200"])
def test_descriptions_are_whole(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = " ".join(" ".join(lines("--help")).split())
    for name in COMMANDS:
        assert (
            f" {name} {import_module(f'cnncli.cli.{module_of(name)}').command.__doc__.splitlines()[0]}"
            in shown
        )
    shown = " ".join(" ".join(lines("layers")).split())
    for name, kind in KINDS.items():
        assert (
            f" {name} {' '.join((kind.__doc__ or '').split(chr(10) * 2)[0].split())}".replace("``", "'")
            in shown
        )
