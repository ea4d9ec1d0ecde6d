"""The input size that is asked for, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

import cnncli
from cnncli.cli.app import application
from cnncli.diagnostics import BATCH_IN_INPUT, Diagnostic, ShapeError, UsageError
from cnncli.graph import Graph, all_sizes, open_spec, open_text

PICTURE = "input: [1, 32, 32]\nlayers: [conv: {channels: 2, kernel: 3}]"
VECTOR = "input: [784]\nlayers: [linear: 10]"


def refused(text: str, size: tuple[int, ...]) -> Diagnostic:
    with pytest.raises(UsageError) as caught:
        open_text(text, name="net.yaml", size=size)
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.parametrize(
    ("text", "size", "received", "hint"),
    [
        (PICTURE, (32, 32), "32x32", "did you mean 1x32x32?"),
        (PICTURE, (5, 3, 64, 64), "5x3x64x64", "3x64x64; a batch size is not part of the input size"),
        (PICTURE, (7,), "7", ""),
        (PICTURE, (1, 64), "1x64", "did you mean 1x64x64?"),
        (PICTURE, (64, 1), "64x1", "did you mean 1x64x1?"),
        (VECTOR, (1, 28, 28), "1x28x28", "784; this network reads images as vectors"),
        (VECTOR, (28, 28), "28x28", "784; this network reads images as vectors"),
        (VECTOR, (3, 28, 28), "3x28x28", ""),
        ("input: [4, 9]\nlayers: [relu]", (3,), "3", "did you mean 4x3?"),
        ("input: [4, 9]\nlayers: [relu]", (4,), "4", "did you mean 4x4?"),
        ("input: [4, 9, 9, 9]\nlayers: [relu]", (9, 9, 9), "9x9x9", "did you mean 4x9x9x9?"),
        ("input: [4, 9, 9, 9]\nlayers: [relu]", (4, 7, 7), "4x7x7", "did you mean 4x7x7x7?"),
        ("input: [4, 9, 9, 9]\nlayers: [relu]", (4, 7, 8), "4x7x8", "did you mean 4x4x7x8?"),
    ],
)
def test_another_number_of_axes(text: str, size: tuple[int, ...], received: str, hint: str) -> None:
    found = refused(text, size)
    assert found.message.startswith("net.yaml: the input of this network has ")
    assert found.message.endswith(f" not {len(size)}")
    assert (found.received, found.hint) == (received, hint)
    assert (found.code == BATCH_IN_INPUT) == ("batch" in hint)


def test_what_is_expected_names_the_axes() -> None:
    assert refused(PICTURE, (7,)).expected == "channels, height and width, such as 1x32x32"
    assert refused(VECTOR, (3, 28, 28)).expected == "features, such as 784"
    volume = "input: [1, 8, 8, 8]\nlayers: [relu]"
    assert refused(volume, (7,)).expected == "channels, depth, height and width, such as 1x8x8x8"


@pytest.mark.parametrize("size", ["32x32", (32, 32), "HxW", "1x1xHxW"])
def test_from_python(size: str | tuple[int, ...]) -> None:
    with pytest.raises(UsageError):
        cnncli.loads(PICTURE, input=size)
    assert cnncli.loads(PICTURE, input="1x40x40").input_shape == (1, 40, 40)


@pytest.mark.parametrize(("command", "named"), [("inspect", True), ("memory", True), ("sizes", False)])
def test_the_option_for_a_batch_is_named_where_there_is_one(
    command: str, named: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    size = ["--input", "1x3x224x224"] if named else ["--input", "1x3xHxW"]
    with pytest.raises(SystemExit) as caught:
        application([command])([command, "resnet18", *size])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "a batch size is not part of the input size" in said
    assert ("--batch" in said) == named


@pytest.mark.parametrize("keyword", ["in", "is", "as", "if", "None", "lambda"])
def test_a_symbol_cannot_be_a_keyword(keyword: str) -> None:
    with pytest.raises(UsageError) as caught:
        cnncli.loads(PICTURE, input=f"1,{keyword},W")
    (found,) = caught.value.diagnostics
    assert found.received == f"'{keyword}'"
    assert "keyword" in found.expected


def notes(graph: Graph) -> list[tuple[str, int]]:
    return [(note.code, note.location.line if note.location else 0) for note in graph.notes]


@pytest.mark.parametrize("size", ["[64, 64, 3]", "[28, 28, 1]", "[32, 48, 4]", "[16, 16, 16, 1]"])
def test_channels_at_the_end_get_a_warning(size: str) -> None:
    assert notes(open_text(f"input: {size}\nlayers: [relu]").graph) == [("channels-last", 1)]


@pytest.mark.parametrize("size", ["[3, 64, 64]", "[64, 3]", "[64, 1, 3]", "[4, 64, 3]", "[64, 64, 2]", "[3]"])
def test_no_warning_about_other_inputs(size: str) -> None:
    assert notes(open_text(f"input: {size}\nlayers: [relu]").graph) == []
    assert notes(open_text(f"input: {size}\nlayers: [relu]", size=all_sizes).graph) == []


def test_channels_at_the_end_of_a_size_that_is_asked_for() -> None:
    found = open_text(PICTURE, size=(64, 64, 3)).graph.notes
    assert [(note.message, note.hint, note.location) for note in found] == [
        ("the input has 64 channels of 64x3: channels come first", "for 3 channels write 3x64x64", None)
    ]


def test_the_warning_comes_with_the_errors_that_it_explains() -> None:
    with pytest.raises(ShapeError) as caught:
        open_text("input: [64, 64, 3]\nlayers: [conv: {channels: 8, kernel: 5}]")
    assert [(each.code, each.level) for each in caught.value.diagnostics] == [
        ("shape", "error"),
        ("channels-last", "warning"),
    ]


def test_a_file_that_extends_another_may_have_other_axes(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("input: [3, 9, 9]\nlayers: [conv: {channels: 2, kernel: 3}]")
    (tmp_path / "own.yaml").write_text("extends: base.yaml\ninput: [3, 9]")
    graph = open_spec(tmp_path / "own.yaml").graph
    assert graph.input == (3, 9)
    assert [(note.message, note.level) for note in graph.notes] == [
        ("the input has 2 numbers, that of the base has 3", "note")
    ]
    assert notes(graph) == [("input", 2)]
