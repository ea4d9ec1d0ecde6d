"""Heads that reproduce the input of the network: which are accepted, and that they learn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import cnncli
from cnncli.diagnostics import CnncliError
from cnncli.graph import open_text
from cnncli.graph.heads import heads_of
from cnncli.training.data.dataset import labeled, of_classes
from cnncli.training.data.feed import Batch
from cnncli.training.data.normalization import affine
from cnncli.training.data.recorded import Normalization
from cnncli.training.evaluate import evaluate
from cnncli.training.tasks.building import Learned, build_objective
from tests.training.support import CPU, settings

MAPS = """
input: [1, 8, 8]
layers:
  - conv: {channels: 8, kernel: 3, padding: same, activation: relu}
  - conv: {channels: 4, kernel: 3, padding: same, activation: relu}
  - conv: {channels: 1, kernel: 3, padding: same}
train: {epochs: 1, batch: 16, optimizer: {adamw: {lr: 0.005}}, tasks: {output: {LOSS: {}, target: input}}}
"""
VECTOR = """
input: [1, 8, 8]
heads:
  digit: [linear: 10]
  image: [linear: {features: 64, activation: sigmoid}]
layers: [flatten, linear: {features: 32, activation: relu}]
train:
  epochs: 2
  batch: 32
  optimizer: {adamw: {lr: 0.01}}
  tasks:
    digit: {cross_entropy: {smoothing: 0.1}, weight: 0.1}
    image: {binary_cross_entropy: {}, target: input, weight: 2}
"""


@pytest.mark.parametrize("loss", ["mse", "mae", "smooth_l1", "binary_cross_entropy"])
def test_a_map_learns_to_be_the_input(tmp_path: Path, loss: str) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(MAPS.replace("LOSS", loss))
    network = cnncli.load(path)
    before = network.evaluate(network.module())
    trained = network.train(run=tmp_path / "run", device="cpu")
    last = trained.history[-1].figures
    assert last.keys() == {
        "train.objective",
        *(f"{part}.{name}" for part in ("train", "test") for name in ("loss", "mae", "psnr")),
    }
    assert last["test.loss"] < 0.7 * before.figures["loss"]
    again = cnncli.evaluate(tmp_path / "run", device="cpu")
    assert again.figures == {name: last[f"test.{name}"] for name in ("loss", "mae", "psnr")}
    assert again.evaluation.heads == {}


def test_a_class_and_an_image_are_learned_together(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(VECTOR)
    launch = cnncli.load(path).begin(run=tmp_path / "run", device="cpu")
    assert launch.introduction.tasks == (
        "digit: cross_entropy (smoothing 0.1) of label, weight 0.1",
        "image: binary_cross_entropy of the input, weight 2",
    )
    trained = launch.start()
    first, last = (each.figures for each in trained.history)
    assert last["test.image.loss"] < first["test.image.loss"]
    assert last["test.digit.accuracy"] == last["test.accuracy"] > 0.3
    for part in ("train", "test"):
        total = 0.1 * last[f"{part}.digit.loss"] + 2 * last[f"{part}.image.loss"]
        assert last[f"{part}.loss"] == pytest.approx(total)
    assert last["train.objective"] > last["train.loss"]  # it is smoothed
    assert cnncli.evaluate(tmp_path / "run", device="cpu").figures["image.loss"] == last["test.image.loss"]
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last.items() <= line.items()


def test_the_target_is_the_image_from_0_to_1() -> None:
    """Whatever the network reads: here bytes are normalized, and the output is compared with byte / 255."""
    text = "input: [3, 2, 2]\nlayers: [identity]\ntrain: {tasks: {output: {mae: {}, target: input}}}"
    opened = open_text(text)
    normalization = Normalization((0.2, 0.5, 0.9), (0.3, 0.1, 2.0))
    learned = Learned({}, (3, 2, 2))
    objective = build_objective(heads_of(opened.graph), opened.train, learned)
    images = torch.arange(24, dtype=torch.uint8).mul(10).reshape(2, 3, 2, 2)
    scale, shift = affine(normalization, 3, CPU)
    read = images * scale + shift
    exact = objective(images / 255, Batch(read, {"input": images / 255}))
    assert exact.objective.item() < 1e-6
    split = labeled(images, torch.tensor([0, 1]))
    found = evaluate(torch.nn.Identity(), split, normalization, CPU, objective)
    difference = (read - images / 255).double()
    assert found.figures["loss"] == pytest.approx(difference.abs().mean().item(), rel=1e-5)
    assert found.figures["mae"] == pytest.approx(found.figures["loss"])
    of_each = -10 * difference.square().flatten(1).mean(1).log10()
    assert found.figures["psnr"] == pytest.approx(of_each.mean().item(), rel=1e-5)


ENDS = {
    "softmax": "linear: 64, softmax",
    "ten": "linear: 10",
    "linear": "linear: 64",
    "rbf": "linear: 84, rbf",
}


@pytest.mark.parametrize(
    ("end", "task", "message", "hint"),
    [
        ("linear", "{mse: , target: label}", "the network cannot learn a class by mse", "target: input"),
        ("linear", "dice", "the network outputs 64", ""),
        ("linear", "{target: {of: input, map: [a, b]}}", "the network cannot learn its input", ""),
        ("linear", "{target: input}", "the network cannot learn its input by", ""),
        ("linear", "{focal: 1, target: input}", "the network cannot learn its input by", ""),
        ("softmax", "{mse: , target: input}", "the network ends in 'softmax'", ""),
        ("ten", "{mae: , target: input}", "the network outputs 10, which cannot be the input", ""),
        ("rbf", "{mse: , target: input}", "the network is not trained with mse", ""),
    ],
)
def test_a_task_that_does_not_suit_is_an_error_with_its_place(
    end: str, task: str, message: str, hint: str
) -> None:
    text = f"input: [1, 8, 8]\nlayers: [flatten, {ENDS[end]}]\ntrain: {{tasks: {{output: {task}}}}}\n"
    with pytest.raises(CnncliError) as caught:
        open_text(text)
    (found,) = caught.value.diagnostics
    assert found.message.startswith(message)
    assert hint in found.hint
    assert found.location is not None
    assert (found.location.line, found.location.column) == (3, text.splitlines()[2].index("output") + 1)


def test_the_size_of_an_unknown_input_is_not_judged() -> None:
    text = MAPS.replace("LOSS", "mse")
    assert open_text(text, size=None, unknown=()).train.task("output").target.of == "input"
    assert cnncli.loads(text, input="1xHxW").graph.unknowns == ("H", "W")


def test_weights_must_be_those_of_the_classes(tmp_path: Path) -> None:
    weights = {"cross_entropy": {"weights": [1, 2, 3]}}
    network = cnncli.loads("input: [1, 8, 8]\nlayers: [flatten, linear: 10]")
    with pytest.raises(CnncliError, match="has 3 class weights, but the data has 10 classes"):
        network.train(run=tmp_path / "run", epochs=1, tasks={"output": weights}, device="cpu")
    assert not (tmp_path / "run").exists()


def test_balanced_weights_are_in_the_objective_only() -> None:
    """The loss that is reported can be compared with that of held-out data of other shares."""
    counts = torch.tensor([6, 2, 1])
    weights = 9 / (3 * counts)
    chosen = settings(tasks={"output": {"cross_entropy": {"weights": "balanced"}}})
    heads = heads_of(open_text("input: [3]\nlayers: [linear: 3]").graph)
    learned = Learned(of_classes("abc"), (3,), lambda _: counts)
    logits, labels = torch.randn(5, 3), torch.tensor([0, 0, 1, 2, 0])
    minimized, figures = build_objective(heads, chosen, learned)(logits, Batch(logits, {"label": labels}))
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    assert minimized.item() == pytest.approx((losses * weights[labels]).mean().item())
    assert figures["output.loss"].total.item() == pytest.approx(losses.sum().item())
