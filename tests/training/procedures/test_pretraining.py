"""Layers learned one by one: what a network gets of them, and what happens if a pretraining is killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import cnncli
from cnncli.architecture import Architecture
from cnncli.diagnostics import CnncliError, SpecError, UsageError
from cnncli.graph import open_text
from cnncli.graph.machines import Machine, machines_of
from cnncli.results.pretraining import LayerEpoch, Pretrained
from cnncli.training.data.load import load
from cnncli.training.data.normalization import affine
from cnncli.training.procedures import folder as folders
from cnncli.training.procedures.boltzmann import Boltzmann

SPEC = """
input: [1, 8, 8]
layers:
  - flatten
  - linear: {features: 24, activation: sigmoid}
  - dropout
  - linear: {features: 16, activation: sigmoid}
  - linear: 10
train: {data: {source: digits, limit: 0.1}, seed: 3}
pretrain: {epochs: 2, batch: 25}
"""


def network() -> Architecture:
    return cnncli.loads(SPEC, name="net")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    """A pretraining that was not interrupted."""
    return network().pretrain(tmp_path_factory.mktemp("whole") / "run", device="cpu")


def test_which_layers_are_learned() -> None:
    assert machines_of(network().graph) == (Machine("linear1", 64, 24), Machine("linear2", 24, 16))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("flatten, linear: 3", "linear1 is the last layer"),
        ("flatten, {linear: {features: 3, activation: relu}}", "linear1 is followed by 'relu'"),
        ("flatten, {linear: {features: 3, bias: false, activation: sigmoid}}", "linear1: 'linear'"),
        ("{conv: {channels: 2, kernel: 3, activation: sigmoid}}", "conv1: 'conv'"),
        ("batchnorm, flatten, {linear: {features: 3, activation: sigmoid}}", "batchnorm1: 'batchnorm'"),
        ("flatten, {linear: 3}, dropout, sigmoid", "linear1 is followed by 'dropout'"),
    ],
)
def test_where_there_is_no_machine(layers: str, expected: str) -> None:
    with pytest.raises(SpecError, match=f"{expected}.*not learned by contrastive divergence") as caught:
        machines_of(open_text(f"{{input: [1, 4, 4], layers: [{layers}]}}").graph)
    assert caught.value.diagnostics[0].location is not None


def test_the_network_computes_what_the_machines_do(whole: Pretrained) -> None:
    """From normalized images, as it is trained; the machines have seen values from 0 to 1."""
    data = load(network().settings.data, (1, 8, 8)).train
    images = data.rows.whole()
    scale, shift = affine(load(network().settings.data, (1, 8, 8)).normalized(), 3, torch.device("cpu"))
    net = network().module().eval()
    net.load_state_dict(net.state_dict() | load_file(whole.weights))
    stored = load_file(whole.folder / folders.STATE)
    values = images.flatten(1) / 255
    for name, ends in (("linear1", "linear1_activation"), ("linear2", "linear2_activation")):
        weight, hidden, visible = (stored[f"{name}/{each}"] for each in ("weight", "hidden", "visible"))
        values = Boltzmann(weight, hidden, visible, binary=True).raised(values)
        end = [*dict(net.named_children())].index(ends) + 1
        seen = torch.nn.Sequential(*[*net.children()][:end])(images * scale + shift)
        assert torch.allclose(seen, values, atol=1e-5), name


def test_what_is_in_the_folder(whole: Pretrained) -> None:
    lines = [json.loads(line) for line in (whole.folder / folders.METRICS).read_text().splitlines()]
    assert [LayerEpoch(**line) for line in lines] == [*whole.history]
    assert [(each.layer, each.epoch) for each in whole.history] == [
        ("linear1", 1),
        ("linear1", 2),
        ("linear2", 1),
        ("linear2", 2),
    ]
    assert whole.history[1].error < whole.history[0].error
    assert whole.reset == ("linear3",)
    assert [*load_file(whole.weights)] == ["linear1.bias", "linear1.weight", "linear2.bias", "linear2.weight"]
    assert whole.filters is not None
    with Image.open(whole.filters) as picture:
        assert picture.size == (4 + 5 * 60, 4 + 5 * 60)  # 24 units of 56 pixels, 5 in a row


class Killed(BaseException):
    """What ends a process; nothing handles it."""


def killed_at(moment: int, call: Callable[..., Any]) -> Callable[..., Any]:
    """A function that ends the process before its call number ``moment``."""
    calls = iter(range(moment))

    def calling(*words: Any, **others: Any) -> Any:
        if next(calls, None) is None:
            raise Killed
        return call(*words, **others)

    return calling


@pytest.mark.parametrize(
    ("writes", "moment"),
    [
        ("write_json", 0),
        *((writes, moment) for writes in ("write_tensors", "write_text") for moment in range(4)),
    ],
)
def test_a_killed_pretraining_continues_bit_for_bit(
    whole: Pretrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: str, moment: int
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(folders, writes, killed_at(moment, getattr(folders, writes)))
        with pytest.raises(Killed):
            network().pretrain(run, device="cpu")
    found = network().pretrain(run, device="cpu")
    assert found.weights.read_bytes() == whole.weights.read_bytes()
    assert [each[:3] for each in found.history] == [each[:3] for each in whole.history]
    assert (run / folders.METRICS).read_text().count("\n") == len(whole.history)


def killed() -> None:
    raise Killed


def test_a_finished_one_is_not_repeated(whole: Pretrained) -> None:
    before = {path: path.read_bytes() for path in whole.folder.iterdir()}
    begun: list[int] = []
    again = network().pretrain(
        whole.folder, device="cpu", begun=lambda about: begun.append(about.finished), ended=lambda _: killed()
    )
    assert again == whole
    assert begun == [4]
    assert {path: path.read_bytes() for path in whole.folder.iterdir()} == before


def test_the_seed_matters(whole: Pretrained, tmp_path: Path) -> None:
    other = cnncli.loads(SPEC, overrides=["train.seed=4"]).pretrain(tmp_path / "run", device="cpu")
    assert other.weights.read_bytes() != whole.weights.read_bytes()


def test_a_training_begins_with_the_weights(whole: Pretrained, tmp_path: Path) -> None:
    start = {"from": str(whole.folder), "reset": ["linear3"]}
    trained = network().train(
        run=tmp_path / "run", start=start, epochs=1, optimizer={"sgd": {"lr": 1e-30}}, device="cpu"
    )
    stored = load_file(trained.run / "weights.safetensors")
    for name, each in load_file(whole.weights).items():
        assert torch.equal(stored[name], each), name


def test_another_one_is_refused(whole: Pretrained, tmp_path: Path) -> None:
    for change, expected in (
        ({"epochs": 3}, "settings.epochs: 2"),
        ({"lr": 0.1}, "settings.lr: 0.05"),
        ({"visible": "gaussian"}, "settings.visible: binary"),
    ):
        with pytest.raises(UsageError, match="is the folder of another pretraining") as caught:
            network().pretrain(whole.folder, device="cpu", **change)
        assert caught.value.diagnostics[0].expected == expected
    with pytest.raises(UsageError, match=r"limit: 0\.1"):
        cnncli.loads(SPEC, overrides=["train.data.limit=0.2"]).pretrain(whole.folder, device="cpu")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not empty"):
        network().pretrain(tmp_path, device="cpu")


@pytest.mark.parametrize("name", [folders.RECORD, folders.STATE])
def test_a_damaged_folder_is_refused(whole: Pretrained, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for path in whole.folder.iterdir():
        content = path.read_bytes()
        (run / path.name).write_bytes(content[: len(content) // 2] if path.name == name else content)
    with pytest.raises(UsageError, match=f"{name}"):
        network().pretrain(run, device="cpu")


def test_an_unfinished_one_has_no_weights(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        network().pretrain(tmp_path / "run", device="cpu", ended=lambda _: killed())
    with pytest.raises(UsageError, match="is not finished"):
        network().train(run=tmp_path / "other", start={"from": str(tmp_path / "run")}, epochs=1)


def test_gaussian_units_see_normalized_images(tmp_path: Path) -> None:
    found = network().pretrain(tmp_path / "run", device="cpu", visible="gaussian", lr=0.005, epochs=4)
    errors = [each.error for each in found.history if each.layer == "linear1"]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1.0  # the variance of a normalized pixel
    stored = load_file(found.folder / folders.STATE)
    assert torch.equal(stored["linear1/weight"], load_file(found.weights)["linear1.weight"])


def test_weights_without_bounds_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(CnncliError, match="the weights of linear1 grew out of bounds in epoch 1") as caught:
        network().pretrain(tmp_path / "run", device="cpu", visible="gaussian", lr=900.0, momentum=0.99)
    assert caught.value.diagnostics[0].code == "diverged"
