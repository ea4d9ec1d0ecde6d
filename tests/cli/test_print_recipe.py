"""``cnncli train --print-recipe``: every setting that would run, and where it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import cnncli
from cnncli.cli.app import application

SPEC = """\
input: [1, 8, 8]
layers: [flatten, linear: 10]
train:
  optimizer: {sgd: {lr: 0.1}}
  schedule: linear
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)
    return tmp_path


def call(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), ["train", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def origins(text: str) -> dict[str, str]:
    """Return where each value comes from, by the key of its line."""
    rows = (line.partition("  # ") for line in text.splitlines() if "  # " in line)
    return {key.partition(":")[0].strip(): origin for key, _, origin in rows}


@pytest.mark.usefixtures("spec")
def test_each_value_has_its_origin() -> None:
    Path("recipe.yaml").write_text("epochs: 3\noptimizer:\n  sgd: {momentum: 0.5}\n")
    options = ("--recipe", "recipe.yaml", "--set", "train.batch=7", "--data", "npz:a $b.npz")
    code, text, errors = call("net.yaml", "--print-recipe", *options)
    assert (code, errors) == (0, "")
    found = origins(text)
    assert found["lr"] == "net.yaml:4"
    assert found["momentum"] == "recipe.yaml:3"
    assert found["epochs"] == "recipe.yaml:1"
    assert (found["batch"], found["source"]) == ("--set", "--data")
    assert (found["seed"], found["weight_decay"], found["warmup"]) == ("default",) * 3
    assert not Path("runs").exists()


@pytest.mark.usefixtures("spec")
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--data", 'folder:/a "b" $c\t: #x\u202e'),
        ("--data", "npz:yes"),
        ("--set", "train.optimizer.adamw.lr=1e-30", "--set", "train.tasks.output.weight=2"),
    ],
)
def test_what_is_printed_is_a_recipe_for_the_same(options: tuple[str, ...]) -> None:
    code, text, _ = call("net.yaml", "--print-recipe", *options)
    assert code == 0
    assert isinstance(yaml.safe_load(text), dict)
    Path("again.yaml").write_text(text)
    code, again, errors = call("net.yaml", "--recipe", "again.yaml", "--print-recipe")
    assert (code, errors) == (0, "")

    def values(printed: str) -> list[str]:
        return [line.partition("  # ")[0].rstrip() for line in printed.splitlines()]

    assert values(again) == values(text)


def test_all_settings_of_a_network_in_python() -> None:
    found = cnncli.load("lenet5").recipe("idx:DIR", epochs=3, optimizer={"adamw": {"lr": 0.5}})
    values = {".".join(each.path): (each.value, each.origin) for each in found}
    assert values["train.data.source"] == ("idx:DIR", "--data")
    assert values["train.optimizer.adamw.lr"][0] == 0.5
    assert values["train.optimizer.adamw.weight_decay"] == (0.01, "default")
    assert "train.optimizer.sgd.lr" not in values
    assert json.dumps([each.value for each in found])


@pytest.mark.usefixtures("spec")
@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("epoch: 3\n", "recipe.yaml:1:1: error: 'train' has no setting 'epoch'"),
        ("tasks: {out: {weight: 2}}\n", "recipe.yaml:1:9: error: the network has no head 'out'"),
        ("", "recipe.yaml:1:1: error: the file is empty"),
        ("[1]", "recipe.yaml:1:1: error: this file has no 'train' section"),
    ],
)
def test_a_wrong_recipe(recipe: str, message: str) -> None:
    Path("recipe.yaml").write_text(recipe)
    for more in (("--print-recipe",), ("--run", "new")):
        code, _, errors = call("net.yaml", "--recipe", "recipe.yaml", *more)
        assert code == 2
        assert message in errors
    assert not Path("new").exists()


@pytest.mark.usefixtures("spec")
def test_a_run_has_its_recipe_already() -> None:
    code, _, errors = call("--resume", "run", "--print-recipe")
    assert code == 2
    assert "--resume takes spec, settings and folder from the run" in errors
    assert call("--print-recipe")[0] == 2


def test_rates_of_layers_are_comments_below_the_recipe() -> None:
    """The text is still the recipe. The network has two convolutions and two dense layers."""
    arguments = ("toy_classifier", "--set", "train.layer_decay=0.5", "--set", "train.optimizer.sgd.lr=0.8")
    code, text, errors = call(*arguments, "--print-recipe")
    assert (code, errors) == (0, "")
    assert yaml.safe_load(text)["train"]["layer_decay"] == 0.5
    assert [line.split() for line in text.splitlines()[-5:]] == [
        ["#", "layer", "depth", "lr"],
        ["#", "conv1", "1", "0.1"],
        ["#", "conv2", "2", "0.2"],
        ["#", "linear1", "3", "0.4"],
        ["#", "linear2", "4", "0.8"],
    ]
