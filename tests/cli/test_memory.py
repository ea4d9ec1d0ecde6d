"""``cnncli memory`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.diagnostics import listing
from cnncli.layers import KINDS, Kind
from cnncli.recipe.optimizers import OPTIMIZERS, AdamW
from tests.algebra.arithmetic import compute
from tests.cli.terminal import on_a_terminal

runner = CliRunner()


def run(*arguments: str) -> tuple[int, str, str]:
    result = runner.invoke(application(), ["memory", *arguments])
    return result.exit_code, result.stdout, result.stderr


def document(*arguments: str) -> Any:
    code, text, errors = run(*arguments, "--format", "json")
    assert (code, errors) == (0, "")
    return json.loads(text)


def test_a_table_of_exact_bytes() -> None:
    code, text, errors = run("lenet5", "--batch", "32")
    assert (code, errors) == (0, "")
    assert "lenet5: input 1x32x32, batch of 32, float32, sgd, momentum 0.9" in text
    assert "conv1_activation 6x28x28 0 1,335,296 602,112" in " ".join(text.split())
    rows = {line.split("  ")[0]: line.split()[-2:] for line in text.splitlines()}
    assert rows["weights"] == ["246,824", "246,824"]
    assert rows["gradients"] == ["-", "246,824"]
    assert rows["saved for backward"] == ["-", "1,034,752"]


def test_json() -> None:
    found = document("lenet5", "--batch", "32", "--set", "train.optimizer=adamw", "--dtype", "float64")
    assert found["schema"] == "cnncli.memory/1"
    assert (found["batch"], found["dtype"]) == (32, "float64")
    assert found["optimizer"] == {"adamw": AdamW().plain()}
    training = found["training"]
    assert training["weights"] == training["gradients"] == 61_706 * 8
    assert training["optimizer_state"] == 2 * 61_706 * 8
    assert training["saved"] == sum(layer["saved"] for layer in found["layers"]) == 2 * 1_034_752
    assert found["inference"]["layer"] == "conv1_activation"
    assert "fit" not in found


def test_the_largest_batch() -> None:
    found = document("resnet18", "--fit-into", "1GiB")
    fits = found["fit"]
    assert fits["memory"] == 2**30
    assert found["batch"] == fits["training"]["batch"]
    assert found["training"]["peak"] == fits["training"]["peak"] <= 2**30 < fits["training"]["next_peak"]
    above = document("resnet18", "--batch", str(found["batch"] + 1))
    assert above["training"]["peak"] == fits["training"]["next_peak"]
    assert fits["inference"]["batch"] > fits["training"]["batch"]


def test_room_to_use_but_not_to_train() -> None:
    code, text, _ = run("vgg16", "--fit-into", "1 GiB")
    assert code == 0
    assert any(line.startswith("training") and "none" in line for line in text.splitlines())


def test_markdown(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text("name: a_b\ninput: [4]\nlayers: [linear: 3]\n")
    code, text, _ = run(str(file), "--format", "markdown", "--set", "unused=1")
    assert code == 2
    code, text, _ = run(str(file), "--format", "markdown", "--set", "train.optimizer.sgd.momentum=0")
    assert code == 0
    assert text.startswith("## a\\_b: input 4, batch of 1, float32, sgd, momentum 0, in bytes\n")
    assert "| linear1 | 3 | 60 | 28 | 0 |" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--fit-into", "lots"), "'lots' is not an amount of memory"),
        (("--fit-into", "10 kB"), "not even one sample fits"),
        (("--batch", "0"), "invalid value for '--batch'"),
        (("--batch", "many"), "invalid value for '--batch'"),
        (("--set", "train.optimizer=adamx"), listing([*OPTIMIZERS], last=" or ")),
        (("--set", "train.optimizer.sgd.momentum=2"), "a number from 0 to 1"),
        (("--dtype", "int8"), "int8"),
        (("--input", "3x"), "'3x' is not an input size"),
        (("--input", "1x4x4"), "the kernel of 'conv' is larger than its input"),
    ],
)
def test_wrong_options(arguments: tuple[str, ...], words: str) -> None:
    code, text, errors = run("lenet5", *arguments)
    assert (code, text) == (2, "")
    assert words in errors
    assert "Traceback" not in errors


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "resnet152", "googlenet", "capsnet_reconstruction", "unet"])
def test_it_fits_a_terminal(name: str) -> None:
    lines = on_a_terminal("memory", name, "--fit-into", "16GiB")
    assert max(map(len, lines)) <= 80
    assert any("MiB" in line or "GiB" in line for line in lines)


def test_formulas() -> None:
    code, text, errors = run("lenet5", "--input", "1xHxW", "--batch", "3")
    assert (code, errors) == (0, "")
    assert text.startswith("lenet5: input 1xHxW, batch of 3, float32, sgd, momentum 0.9, in bytes\n")
    words = " ".join(text.split())
    assert "conv2 16x(h1 - 6)x(w1 - 6) 9,664 12*H*W + 264*h1*w1" in words
    assert "input 12*H*W saved for backward 72*(H - 4)*(W - 4) + 264*h1*w1" in words
    assert "inference peak 156*H*W - 576*(H + W) + 7680*(h2 - 3)*(w2 - 3) + 57128: forward" in words
    assert "where h1 = H//2, w1 = W//2, h2 = H//4, w2 = W//4 height: 16, 17, 18, ... (all from 16)" in words


def test_formulas_of_one_symbol_and_of_forms() -> None:
    _, text, _ = run("resnet18", "--input", "3x(32k)x(32k)")
    words = " ".join(text.split())
    assert "inference peak 143360*k**2 + 46796448: forward, bn1" in words
    assert "training peak depends on the size; it is one of: backward, layer4.1.relu, " in words
    _, text, _ = run("resnet18", "--input", "3xHxW")
    words = " ".join(text.split())
    assert "inference peak depends on the size; it is one of: forward, bn1, maxpool, " in words


def test_formulas_as_json_are_written_out() -> None:
    found = document("small_resnet", "--input", "3xHxW")
    inference = found["inference"]
    assert found["input"] == [3, "H", "W"]
    assert found["training"]["saved"].startswith("640*H*W + 1152*((H + 1)//2)*((W + 1)//2)")
    assert (inference["phase"], inference["layer"]) == (None, None)
    assert [each["layer"] for each in inference["candidates"]] == [
        "stage1.0.conv1_norm",
        "stage2.0.shortcut1",
        "stage3.0.shortcut1",
    ]
    at_64 = document("small_resnet", "--input", "3x64x64")["inference"]
    written = (each["bytes"] for each in inference["candidates"])
    assert max(compute(each, {"H": 64, "W": 64}) for each in written) == at_64["peak"]
    only = document("lenet5", "--input", "1xHxW")["inference"]
    assert (only["phase"], only["layer"]) == ("forward", "conv1_activation")
    assert "candidates" not in only


def test_formulas_as_markdown() -> None:
    code, text, _ = run("lenet5", "--input", "1xHxW", "--format", "markdown")
    assert code == 0
    assert "| conv1 | 6x(H - 4)x(W - 4) | 624 | 28\\*H\\*W - 96\\*(H + W) + 384 | 0 |" in text
    assert "where h1 = H//2, w1 = W//2" in text


def test_no_largest_batch_for_unknown_sizes() -> None:
    code, text, errors = run("lenet5", "--input", "1xHxW", "--fit-into", "1GiB")
    assert (code, text) == (2, "")
    assert "the largest batch depends on the unknown sizes" in errors
    assert "received: 1xHxW" in errors


def test_a_layer_without_a_formula_is_pointed_at(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("input: [1, 8, 8]\nlayers:\n  - minpool: 2\n")
    code, text, errors = run(str(path), "--input", "1xHxW")
    assert (code, text) == (2, "")
    assert "net.yaml:3:5: error: minpool1: the memory of 'minpool' has no single formula" in errors
    assert "received: H - 2*(H//2) == 0 for some values, but not for all" in errors


def test_a_plug_in_without_a_memory_rule_is_pointed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is refused, not counted as 0."""
    monkeypatch.setitem(KINDS, "ruleless", Kind)
    monkeypatch.delitem(KINDS, "ruleless")
    plugin, path = tmp_path / "mine.py", tmp_path / "net.yaml"
    plugin.write_text(
        "from cnncli.layers import EACH, Weightless, layer\n\n"
        "@layer('ruleless')\nclass Ruleless(Weightless):\n    'A copy.'\n"
        "    check = lambda self, shape: ()\n    output = lambda self, shape: shape\n"
        "    operations = lambda self, shape, output: 0\n    windows = lambda self, shape: EACH\n"
    )
    path.write_text("input: [1, 8, 8]\nlayers:\n  - ruleless\n")
    code, text, errors = run(str(path), "--plugin", str(plugin))
    assert (code, text) == (2, "")
    assert "net.yaml:3:5: error: ruleless1: kind 'ruleless' has no memory rule" in errors
    assert "@rule from cnncli.layers.memory" in errors


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"), [("unet", "1xHxW"), ("small_resnet", "3xHxW"), ("lenet5", "1xHxH")]
)
def test_formulas_fit_a_terminal(name: str, size: str) -> None:
    lines = on_a_terminal("memory", name, "--input", size)
    assert max(map(len, lines)) <= 80
    assert any("inference peak" in line for line in lines)


def test_depth_folds_layers_and_keeps_the_sums() -> None:
    runner = CliRunner()
    whole = json.loads(runner.invoke(application(), ["memory", "resnet18", "--format", "json"]).stdout)[
        "layers"
    ]
    text = runner.invoke(application(), ["memory", "resnet18", "--depth", "1"]).stdout
    assert text.partition("\n")[0].endswith(", in bytes")
    (row,) = (line.split() for line in text.splitlines() if line.startswith("layer2 "))
    inside = [layer for layer in whole if layer["name"].startswith("layer2.")]
    figures = (
        sum(layer["weights"] for layer in inside),
        max(layer["live"] for layer in inside),
        sum(layer["saved"] for layer in inside),
    )
    assert row[1:] == ["128x28x28", *(f"{figure:,}" for figure in figures)]
    assert "layer2.0" not in text


def test_depth_folds_formulas() -> None:
    text = CliRunner().invoke(application(), ["memory", "unet", "--input", "1xHxW", "--depth", "1"]).stdout
    assert "\ndown1 " in text
    assert "down1.conv" not in text.partition("weights 1")[0].partition("inference peak")[0]


def test_layers_that_are_frozen_at_first_are_counted_as_those_that_learn() -> None:
    first, for_good = "training: of epochs in which the layers learn", "frozen layers have weights, but no"
    _, plain, _ = run("toy_classifier")
    for setting, found, other in (("unfreeze_at: 3, ", first, for_good), ("", for_good, first)):
        group = f"train.groups=[{{match: 'conv*', {setting}freeze: true}}]"
        _, text, _ = run("toy_classifier", "--set", group)
        assert (found in text, other in text) == (True, False)
        assert (gradients(text) == gradients(plain)) == (found == first)


def gradients(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("gradients"))
