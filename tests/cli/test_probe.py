"""``cnncli probe``, and the columns of ``inspect`` that it measures, as they are typed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cnncli.analysis.space.shifts import Shift
from cnncli.cli.app import application
from tests.cli.terminal import on_a_terminal

runner = CliRunner()


def run(*arguments: str) -> str:
    result = runner.invoke(application(), [*arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def layers(*arguments: str) -> dict[str, dict[str, Any]]:
    document = json.loads(run("inspect", *arguments, "--format", "json"))
    return {layer["name"]: layer for layer in document["layers"]}


# -- inspect ---------------------------------------------------------------------------------------


def test_the_columns() -> None:
    text = run("inspect", "lenet5", "--receptive-field", "--shifts")
    assert "avgpool2            avgpool  16x5x5       16     4     7.5  4 -> 1" in text
    assert "flatten1            flatten  400          16                none  " in text
    assert "flatten1 ends shift equivariance: it rearranges positions" in text


def test_without_the_options_nothing_changes() -> None:
    assert "field" not in run("inspect", "lenet5")
    assert not {"receptive_field", "shift"} & layers("lenet5")["conv1"].keys()


def test_markdown() -> None:
    text = run("inspect", "lenet5", "--receptive-field", "--format", "markdown")
    assert "| conv2 | conv | 16x10x10 | 14 | 2 | 6.5 | 2,416 | 240,000 | 1,600 |" in text


def test_json() -> None:
    found = layers("unet", "--receptive-field", "--shifts")
    assert found["maxpool1"]["receptive_field"] == {"size": [6, 6], "jump": [2, 2], "center": ["5/2", "5/2"]}
    assert found["head"]["receptive_field"] == {"size": [204, 204], "jump": [1, 1], "center": [92, 92]}
    assert found["head"]["shift"] == {"pixels": [16, 16], "moves": [16, 16]}
    assert layers("srgan_generator", "--receptive-field")["image"]["receptive_field"]["jump"] == ["1/4"] * 2
    lenet = layers("lenet5", "--receptive-field", "--shifts")
    assert lenet["linear1"]["receptive_field"] is None
    assert lenet["linear1"]["shift"] == {
        "pixels": [None, None],
        "moves": [None, None],
        "broken": {"node": "flatten1", "reason": "it rearranges positions"},
    }


def test_axes_of_their_own_and_branches_that_differ(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        """
input: [1, 20, 20]
layers:
  - conv: {channels: 1, kernel: [3, 4], stride: [1, 2]}
  - add: {branches: [identity, {maxpool: 2}], align: crop}
"""
    )
    text = run("inspect", str(spec), "--receptive-field", "--shifts")
    assert re.search(r"conv1 +conv +1x18x9 +3x4 +1x2 +1, 1\.5 +1 -> 1, 2 -> 1 ", text)
    assert re.search(r"add1 +add +1x9x4 +conv1, maxpool1 +~8 ", text)
    assert "~ add1: its branches step by 1 and 2 input positions along height" in text
    added = layers(str(spec), "--receptive-field")["add1"]["receptive_field"]
    assert added["jump"] == [None, None]
    assert added["uneven"]["node"] == "add1"


def test_a_folded_row_shows_its_last_layer() -> None:
    text = run("inspect", "resnet18", "--depth", "1", "--receptive-field")
    assert "layer1   unit x2        64x56x56       43     4       0" in text
    assert "layer4   unit x2        512x7x7       435    32       0" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unet", "resnet152", "srgan_generator", "faster_rcnn", "deep_belief_net"])
def test_a_terminal_of_80_columns_is_wide_enough(name: str) -> None:
    for line in on_a_terminal("inspect", name, "--receptive-field", "--shifts"):
        assert len(line) <= 80, line


def test_a_vector_as_input() -> None:
    text = run("inspect", "small", "--receptive-field", "--shifts")
    assert "linear1  linear  20        all                -  " in text


@pytest.mark.parametrize("option", ["--receptive-field", "--shifts"])
def test_not_of_several_networks(option: str) -> None:
    result = runner.invoke(application(), ["inspect", "lenet5", "alexnet", option])
    assert result.exit_code == 2
    assert f"{option} cannot be combined with a comparison" in result.stderr


# -- probe -----------------------------------------------------------------------------------------


def test_the_table() -> None:
    text = run("probe", "lenet5", "--pixels", "2")
    assert "lenet5: input 1x32x32" in text
    assert "12 of 12 predictions measured, all hold" in text
    assert "relative change of output for an input shift of" in text
    assert [line.split()[0] for line in text.splitlines()[-3:]] == ["─" * 21, "1", "2"]


def test_the_document() -> None:
    document = json.loads(run("probe", "lenet5", "--pixels", "3", "--samples", "2", "--format", "json"))
    assert document["schema"] == "cnncli.probe/1"
    assert (document["input"], document["seed"], document["samples"]) == ([1, 32, 32], 0, 2)
    assert document["holds"] is True
    pooled = {layer["name"]: layer for layer in document["layers"]}["avgpool2"]
    assert pooled["shift"] == {"pixels": [4, 4], "moves": [1, 1]}
    assert pooled["compared"] == [4, 4]
    assert all(deviation < 1e-12 for deviation in pooled["deviation"])
    assert [change["pixels"] for change in document["changes"]["output"]] == [1, 2, 3]


def test_no_room_is_said() -> None:
    text = run("probe", "small_resnet", "--samples", "1", "--pixels", "1")
    assert "no room: every position sees a border; a larger input makes room" in text


@pytest.mark.parametrize("layers", ["[flatten, linear: 3]", "[{maxpool: 8}, flatten, linear: 3]"])
def test_what_was_not_measured_is_not_confirmed(layers: str, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(f"input: [1, 8, 8]\nlayers: {layers}\n")
    result = runner.invoke(application(), ["probe", str(spec)])
    assert result.exit_code == 2
    assert "nothing was measured" in result.stdout
    assert result.stderr.startswith("error: nothing was measured")
    assert "all hold" not in result.stdout
    document = json.loads(runner.invoke(application(), ["probe", str(spec), "--format", "json"]).stdout)
    assert (document["holds"], document["measured"]) == (None, 0)


def test_a_map_that_does_not_move_as_predicted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("input: [1, 16]\nlayers:\n  - maxpool: 2\n")
    found = {"input": (Shift(1, 1),), "maxpool1": (Shift(1, 1),)}
    monkeypatch.setattr("cnncli.analysis.space.claims.shifts", lambda _: found)
    result = runner.invoke(application(), ["probe", str(spec)])
    assert result.exit_code == 1
    assert "maxpool1 does not move as predicted along length" in result.stdout


@pytest.mark.slow
def test_the_weights_of_a_run(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "input: [1, 8, 8]\nlayers:\n  - conv: {channels: 2, kernel: 3}\n  - globalavgpool\n  - linear: 10\n"
        "train: {data: digits, epochs: 1}\n"
    )
    folder = tmp_path / "run"
    run("train", str(spec), "--run", str(folder))
    random = json.loads(run("probe", str(spec), "--format", "json"))
    trained = json.loads(run("probe", str(spec), "--weights", str(folder), "--format", "json"))
    assert trained["changes"] != random["changes"]
    assert trained["weights"] == str(folder)
    other = runner.invoke(application(), ["probe", "lenet5", "--weights", str(folder)])
    assert other.exit_code == 2
    assert "are not this network's" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "no such file: 'nowhere.yaml'"),
        (["small"], "nothing to shift"),
        (["lenet5", "--pixels", "0"], "invalid value for '--pixels'"),
        (["lenet5", "--samples", "0"], "invalid value for '--samples'"),
        (["lenet5", "--weights", "nowhere"], "nowhere is not a run"),
        (["lenet5", "--input", "1x4x4"], "larger than its input"),
    ],
)
def test_mistakes(arguments: list[str], message: str) -> None:
    result = runner.invoke(application(), ["probe", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.training.extras.find_spec", lambda _: None)
    result = runner.invoke(application(), ["probe", "lenet5"])
    assert result.exit_code == 2
    assert "probe needs torch, which is not installed" in result.stderr
    assert "pip install 'cnncli[train]'" in result.stderr
