"""``cnncli sizes``, and formulas in ``cnncli inspect``, as they are typed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.algebra import evaluate, symbol
from cnncli.cli.app import application
from cnncli.diagnostics import UsageError
from cnncli.language.input_size import parse_shape
from tests.algebra.arithmetic import compute
from tests.cli.terminal import on_a_terminal
from tests.specs.support import figures

runner = CliRunner()

MINPOOL = "input: [1, 8, 8]\nlayers:\n  - conv: {channels: 2, kernel: 1}\n  - minpool: 2\n"
"""A network whose memory has no single formula: where a position is left over, the input is copied."""


def call(*arguments: str) -> tuple[int, str, str]:
    result = runner.invoke(application(), [*arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_unet_says_which_sizes_and_why() -> None:
    code, text, _ = call("sizes", "unet_padded", "--near", "500")
    assert code == 0
    assert "height and width: 16, 32, 48, ... (multiples of 16 from 16)" in text
    assert "500: not accepted; 496 below, 512 above (pad by 6 + 6)" in text
    assert re.search(r"H - 2\*\(H//2\) == 0   up1\.concat1, \S*unet\.yaml:\d+:\d+", text)


def test_no_size_above_the_largest_is_suggested(tmp_path: Path) -> None:
    spec = tmp_path / "thirds.yaml"
    spec.write_text("input: [3, 33]\nlayers: [concat: {branches: [[maxpool: 3, upsample: 3], identity]}]\n")
    code, text, _ = call("sizes", str(spec), "--near", str(10**12))
    assert code == 0
    assert f"  {10**12}: not accepted; {10**12 - 1} below, none above" in text
    assert f"{10**12 - 1}: accepted" in call("sizes", str(spec), "--near", str(10**12 - 1))[1]


def test_sizes_and_reasons_fit_the_terminal() -> None:
    for words in (("sizes", "unet", "--near", "500"), ("inspect", "unet", "--symbolic")):
        lines = on_a_terminal(*words)
        assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []


def test_a_size_that_is_accepted() -> None:
    assert "  512: accepted" in call("sizes", "unet_padded", "--near", "512")[1]


def test_requirements_that_couple_two_axes(tmp_path: Path) -> None:
    spec = tmp_path / "coupled.yaml"
    spec.write_text("input: [2, 8, 8]\nlayers: [{reshape: [-1, 10]}]\n")
    _, text, _ = call("sizes", str(spec), "--near", "7")
    assert "7: accepted, if the conditions below are met" in text
    assert "and only where\n  H*W - 5*((H*W)//5) == 0   reshape1" in text
    _, text, _ = call("sizes", str(spec), "--near", "7", "--input", "2xHxH")
    assert "height and width: 5, 10, 15, ... (multiples of 5 from 5)" in text
    assert "7: not accepted; 5 below, 10 above (pad by 1 + 2)" in text


def test_sizes_that_depend_on_each_other(tmp_path: Path) -> None:
    spec = tmp_path / "fixed.yaml"
    spec.write_text("input: [1, 28, 28]\nlayers: [flatten, {reshape: [784]}, {linear: 10}]\n")
    _, text, _ = call("sizes", str(spec), "--near", "30")
    assert "height and width: only 1, 2, 4, 7, 8, 14, 16, 28, 49, 56, 98, 112 and 3 more\n" in text
    assert "together: 28x28, 16x49, 49x16, 14x56, 56x14, 8x98, 98x8, 7x112, 112x7, 4x196" in text
    assert re.search(r"2x392 and 3\s+more\n  30x30: not accepted; nearest 28x28\n", text)
    assert "required by\n  H*W - 784 == 0   reshape1" in text
    assert "  28x28: accepted\n" in call("sizes", str(spec), "--near", "28")[1]
    assert "together: 28x28, 16x49" in call("inspect", str(spec), "--symbolic")[1]
    document = json.loads(call("sizes", str(spec), "--near", "30", "--format", "json")[1])
    (together,) = document["together"]
    assert (together["axes"], together["count"]) == (["height", "width"], 15)
    assert together["sizes"][:4] == [[28, 28], [16, 49], [49, 16], [14, 56]]
    assert [(each["decided"], each["binding"]) for each in document["conditions"]] == [(True, True)]
    near = document["near"]["width"]
    assert (near["accepted"], near["padding"]) == (False, None)
    assert near["together"] == {"height": 28, "width": 28}


def test_combinations_with_a_variable_have_names(tmp_path: Path) -> None:
    spec = tmp_path / "width.yaml"
    spec.write_text(
        "vars: {c: 2}\ninput: [3, 5, 5]\nlayers: [{conv: {channels: c, kernel: 1}}, {reshape: [6]}]\n"
    )
    _, text, _ = call("inspect", str(spec), "--symbolic", "c", "--input", "3xHxW")
    assert "together: H=1 W=2 c=3" in text.replace("\n", " ")


def test_json() -> None:
    code, text, _ = call("sizes", "unet_padded", "--near", "500", "--format", "json")
    assert code == 0
    document = json.loads(text)
    assert document["schema"] == "cnncli.sizes/1"
    axis = {"period": 16, "residues": {"0": 16}, "isolated": []}
    assert document["axes"] == {"height": axis | {"symbol": "H"}, "width": axis | {"symbol": "W"}}
    near = {"size": 500, "accepted": False, "below": 496, "above": 512, "padding": [6, 6]}
    near |= {"same_size": {"below": 496, "above": 512}, "together": None}
    assert document["near"] == {"height": near | {"output": "H"}, "width": near | {"output": "W"}}
    conditions = {(each["node"], each["condition"]): each for each in document["conditions"]}
    join = conditions["up1.concat1", "H - 2*(H//2) == 0"]
    assert join["decided"]
    assert join["binding"]
    assert join["message"] == "the branches of 'concat' differ in height"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sizes", "lenet5", "--near", str(10**12 + 1)), "expected: a whole number from 1 to 1000000000000"),
        (("sizes", "small"), "the input 10 has no unknown size"),
        (("sizes", "lenet5", "--input", "1x32x32"), "the input 1x32x32 has no unknown size"),
        (("sizes", "vgg"), "'vgg' is a family of specs"),
        (("sizes", "lenet5", "--input", "CxHxW"), "expected: a number of channels before the sizes"),
        (("sizes", "lenet5", "--input", "1xHx"), "x cannot be a symbol"),
        (("sizes", "lenet5", "--input", "1xH-1xW"), "received: 'H-1'"),
        (("sizes", "lenet5", "--input", "1xHx0"), "'1xHx0' is not an input size"),
        (("inspect", "lenet5", "--symbolic", "--verify"), "--verify cannot be combined with formulas"),
        (
            ("inspect", "lenet5", "--symbolic", "--fully-connected"),
            "--fully-connected cannot be combined with formulas",
        ),
        (
            ("inspect", "lenet5", "--symbolic", "--input", "1x32x32"),
            "every input size is given",
        ),
        (("inspect", "vgg", "--symbolic"), "--symbolic cannot be combined with a comparison"),
        (("inspect", "vgg", "--symbolic", "--input", "3xHxW"), "cannot be combined with a comparison"),
    ],
)
def test_wrong_input(arguments: tuple[str, ...], message: str) -> None:
    code, text, errors = call(*arguments)
    assert (code, text) == (2, "")
    assert message in errors


def test_formulas_of_resnet50() -> None:
    code, text, _ = call("inspect", "resnet50", "--symbolic", "--depth", "1")
    assert code == 0
    assert "resnet50: input 3xHxW" in text
    assert "2048xh5xw5" in text
    assert "h5 = (H + 31)//32" in text
    assert "parameters 25,557,032" in text
    assert "height: any" in text


def test_formulas_mean_what_the_numbers_say() -> None:
    """The names put back, the MACs parsed as arithmetic and computed: those of the paper's input size."""
    _, text, _ = call("inspect", "resnet50", "--symbolic")
    flat = " ".join(text.split())
    legend = dict(re.findall(r"([hw]\d) = (\(\w \+ \d+\)//\d+)", flat))
    macs = re.search(r"MACs ([^A-Z]*) FLOPs", flat)
    assert macs is not None
    written = re.sub(r"[hw]\d", lambda name: f"({legend[name[0]]})", macs[1])
    size = {"H": 224, "W": 224}
    assert compute(written, size) == figures("resnet/resnet50").totals.macs


def test_json_has_formulas_whole() -> None:
    code, text, _ = call("inspect", "resnet50", "--symbolic", "--format", "json")
    assert code == 0
    document = json.loads(text)
    assert document["input"] == [3, "H", "W"]
    assert document["layers"][-3]["output"] == [2048, "(H + 31)//32", "(W + 31)//32"]
    symbols = {"H": symbol("H"), "W": symbol("W")}
    macs = compute(document["totals"]["macs"], symbols)
    assert evaluate(macs, {"H": 224, "W": 224}) == figures("resnet/resnet50").totals.macs


def test_formulas_of_memory_are_those_of_the_memory_command() -> None:
    """For a batch, in float32; the peak is the network's outside of training."""
    _, text, _ = call("inspect", "resnet50", "--symbolic", "--batch", "2")
    words = " ".join(text.split())
    assert "saved for backward in bytes 1024*h1*w1 + " in words
    assert "inference peak in bytes max(24*H*W + 6656*h2*w2 + 102440608, " in words
    shown = json.loads(call("inspect", "resnet50", "--symbolic", "--batch", "2", "--format", "json")[1])
    whole = json.loads(call("memory", "resnet50", "--input", "3xHxW", "--batch", "2", "--format", "json")[1])
    assert shown["memory"]["dtype"] == "float32"
    assert shown["memory"]["saved"] == whole["training"]["saved"]
    assert shown["memory"]["inference"].items() <= whole["inference"].items()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (MINPOOL, "saved for backward in bytes: minpool1: the memory of 'minpool' has no single formula"),
        (MINPOOL, "(H - 2*(H//2) == 0 for some values, but not for all)"),
        ("resnet18", "inference peak in bytes: the largest of more than 4 formulas (cnncli memory)"),
    ],
)
def test_memory_without_a_formula_is_a_line_that_says_so(name: str, words: str, tmp_path: Path) -> None:
    if name == MINPOOL:
        path = tmp_path / "net.yaml"
        path.write_text(name)
        name = str(path)
    code, text, errors = call("inspect", name, "--symbolic")
    assert (code, errors) == (0, "")
    assert words in " ".join(text.split())
    _, text, _ = call("inspect", name, "--symbolic", "--format", "json")
    assert json.loads(text)["memory"]["inference"] is None


def test_markdown() -> None:
    code, text, _ = call("inspect", "lenet5", "--symbolic", "--format", "markdown")
    assert code == 0
    assert "| avgpool2 | avgpool | 16x(h2 - 3)x(w2 - 3) |" in text.replace("\\", "")
    assert "height: 16, 17, 18, ... (all from 16)" in text.replace("\\", "")


def test_parameters_that_depend_on_the_size() -> None:
    assert "The parameters depend on the size" in call("sizes", "lenet5")[1]
    assert "The parameters depend on the size" not in call("sizes", "resnet18")[1]


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("3xHxW", "(3, H, W)"),
        ("3 x H x 224", "(3, H, 224)"),
        ("1x(16k)x(16k+4)", "(1, 16*k, 16*k + 4)"),
        ("2,L", "(2, L)"),
        ("3×H×H", "(3, H, H)"),
        ("3x224x224", "(3, 224, 224)"),
    ],
)
def test_sizes_as_they_are_written(text: str, shape: str) -> None:
    assert str(parse_shape(text)) == shape


@pytest.mark.parametrize(
    "text", ["HxW", "3xx", "3xHxWxDxE", "3x(H", "3x1.5H", "3x99999999999999", "3xH*W", "3x__"]
)
def test_what_is_not_a_size(text: str) -> None:
    with pytest.raises(UsageError, match="size"):
        parse_shape(text)


@pytest.mark.slow
def test_conditions_that_repeat_too_late_together(tmp_path: Path) -> None:
    """Any two of them are past writing down, all three leave one size, or none."""
    spec = tmp_path / "late.yaml"
    spec.write_text("""
input: [1, 5000]
layers:
  - {pad: {amount: 148}, from: input}
  - reshape: [-1, 331]
  - {reshape: [-1, 1], from: input}
  - {shortcut: {channels: 90000, mode: pad}}
  - {pad: {amount: 196}, from: input}
  - reshape: [-1, 337]
""")
    assert "length: only 5000" in call("sizes", str(spec))[1]
    spec.write_text("""
input: [1, 60013]
layers:
  - reshape: [-1, 60013]
  - {reshape: [60013], from: input}
  - {reshape: [-1, 50021], from: input}
""")
    code, _, errors = call("sizes", str(spec))
    assert code == 2
    assert "'reshape' keeps the number of values" in errors


@pytest.mark.slow
def test_formulas_do_not_grow_without_limit(tmp_path: Path) -> None:
    spec = tmp_path / "large.yaml"
    spec.write_text("input: [1, 4]\nlayers:\n  - {upsample: 2, repeat: 15000}\n")
    for command in (("inspect", "--symbolic"), ("memory", "--input", "1xH")):
        code, _, errors = call(command[0], str(spec), *command[1:])
        assert code == 2
        assert "the output is too large" in errors


DECODER = """
input: [1, 64, 64]
layers:
  - conv: {channels: 4, kernel: 3, stride: 2, padding: same}
  - conv: {channels: 4, kernel: 3, stride: 2, padding: same}
  - upsample: 4
"""


def test_sizes_are_shown_with_their_outputs(tmp_path: Path) -> None:
    spec = tmp_path / "decoder.yaml"
    spec.write_text(DECODER)
    _, text, _ = call("sizes", str(spec), "--near", "525")
    assert "  525 -> 528: accepted\n  output as large as the input: 524 below, 528 above\n" in text
    _, text, _ = call("sizes", str(spec), "--near", "524")
    assert "  524: accepted\n" in text
    assert "as large" not in text


def test_an_output_without_axes_is_not_shown() -> None:
    _, text, _ = call("sizes", "lenet5", "--near", "30")
    assert "->" not in text
