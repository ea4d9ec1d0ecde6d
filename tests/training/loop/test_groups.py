"""Optimizers and groups of layers in a training: every step, every resumed run, every frozen layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cnncli
from cnncli.analysis.memory.usage import bytes_at, memory
from cnncli.graph import open_text
from cnncli.graph.learning import learning_of
from cnncli.network import build_network
from cnncli.recipe.optimizers import NEVER, OPTIMIZERS, Adam, Optimizer, RMSprop
from cnncli.training.launch.find_lr import find_lr
from cnncli.training.launch.starting import prepare
from cnncli.training.optimization.optimizers import (
    build_optimizer,
    freeze,
    prepare_training,
    set_learning_rate,
)
from cnncli.training.optimization.uncompiled import uncompiled
from tests.live_memory import kept_by
from tests.training.support import (
    Recorder,
    assert_same_result,
    begin,
    press_ctrl_c,
    raise_at,
    resume,
    run_whole,
    same_weights,
    settings,
)

ALL: list[Optimizer] = [
    *(make() for make in OPTIMIZERS.values()),  # type: ignore[call-arg]
    Adam(fused=NEVER),
    RMSprop(momentum=0.9, centered=True),
]


@pytest.mark.parametrize("chosen", ALL)
def test_a_resumed_run_is_the_same_to_the_last_bit(tmp_path: Path, chosen: Optimizer) -> None:
    recipe = settings(epochs=1, optimizer={chosen.keyword: chosen.plain()})
    reference, _ = run_whole(tmp_path / "whole", recipe)
    begin(tmp_path / "run", recipe)
    resume(tmp_path / "run", recipe, Recorder(raise_at(1, 3, "train", press_ctrl_c)))
    network, outcome = resume(tmp_path / "run", recipe)
    assert len(outcome.history) == 1
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


# -- the update rule ---------------------------------------------------------------------------------


def test_plain_descent_is_the_lectures_update_rule() -> None:
    """theta = theta - eta dL/dtheta ("Deep Learning for Computer Vision, Part II"), stepped by hand.

    L is its sum of cross-entropies, whose gradient follows from the chain rule, of a network with a hidden
    layer.
    """
    text = "input: [3]\nlayers: [linear: 4, sigmoid, linear: 2]\ntrain: {optimizer: {sgd: {lr: 0.5, %s}}}\n"
    opened = open_text(text % "momentum: 0, weight_decay: 0")
    network = build_network(opened.graph)
    optimizer = build_optimizer(network, learning_of(opened.graph, opened.train))
    w1, b1, w2, b2 = (each.detach().double().numpy().copy() for each in network.parameters())
    inputs, labels = torch.rand(6, 3), torch.tensor([0, 1, 1, 0, 1, 1])
    x, t = inputs.double().numpy(), np.eye(2)[labels.numpy()]
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs), labels, reduction="sum").backward()
        optimizer.step()

        h = 1 / (1 + np.exp(-(x @ w1.T + b1)))
        scores = np.exp(h @ w2.T + b2)
        da = scores / scores.sum(1, keepdims=True) - t
        dh = (da @ w2) * h * (1 - h)
        w1, b1 = w1 - 0.5 * dh.T @ x, b1 - 0.5 * dh.sum(0)
        w2, b2 = w2 - 0.5 * da.T @ h, b2 - 0.5 * da.sum(0)
    for found, expected in zip(network.parameters(), (w1, b1, w2, b2), strict=True):
        np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-5, atol=1e-6)


# -- groups ------------------------------------------------------------------------------------------

SPEC = """input: [1, 8, 8]
layers:
  - {conv: {channels: 4, kernel: 3, norm: batch, activation: relu}, name: stem}
  - {conv: {channels: 4, kernel: 3, norm: batch, activation: relu}, name: body}
  - flatten
  - {linear: 10, name: head}
train:
  epochs: 1
  batch: 32
  optimizer: {sgd: {lr: 0.1, weight_decay: 0.01}}
  data: {source: digits, limit: 0.1}
  groups: %s
"""
FROZEN = "[{match: 'stem*', freeze: true}]"


def test_each_group_has_its_share_of_its_own_rate() -> None:
    opened = open_text(SPEC % "[{match: stem, lr: 0.4}, {match: head, lr: 0.02, weight_decay: 0}]")
    network = build_network(opened.graph)
    optimizer = build_optimizer(network, learning_of(opened.graph, opened.train))

    def rates() -> dict[str, tuple[float, float]]:
        names = {each: name for name, each in network.named_parameters()}
        return {
            names[each]: (group["lr"], group["weight_decay"])
            for group in optimizer.param_groups
            for each in group["params"]
        }

    assert len(rates()) == len([*network.parameters()])
    set_learning_rate(optimizer, 0.05)  # half of the peak
    expected = {"stem.weight": (0.2, 0.01), "stem.bias": (0.2, 0.0), "head.weight": (0.01, 0.0)}
    expected |= {"body.weight": (0.05, 0.01), "body_norm.weight": (0.05, 0.0), "head.bias": (0.01, 0.0)}
    for name, settings_of_it in expected.items():
        assert rates()[name] == pytest.approx(settings_of_it)
    set_learning_rate(optimizer, 0.1)
    assert rates()["body.weight"][0] == 0.1


def test_groups_step_as_those_of_torch() -> None:
    groups = "[{match: head, lr: 0.02, weight_decay: 0}]"
    opened = open_text((SPEC % groups).replace("weight_decay: 0.01}}", "weight_decay: 0.01, fused: false}}"))
    network, twin = build_network(opened.graph), build_network(opened.graph)
    twin.load_state_dict(network.state_dict())
    named = dict(twin.named_parameters())
    head = [named.pop("head.weight"), named.pop("head.bias")]
    decayed = [each for each in named.values() if each.ndim > 1]
    others = [each for each in named.values() if each.ndim == 1]
    ours = build_optimizer(network, learning_of(opened.graph, opened.train))
    groups_of_torch: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": 0.01},
        {"params": others},
        {"params": head, "lr": 0.02},
    ]
    theirs = uncompiled(torch.optim.SGD)(groups_of_torch, lr=0.1, momentum=0.9)
    for images in torch.rand(3, 8, 1, 8, 8):
        for model, optimizer in ((network, ours), (twin, theirs)):
            optimizer.zero_grad()
            model(images).square().mean().backward()
            optimizer.step()
    assert same_weights(network, twin)


def state_of(network: nn.Module, prefix: str) -> dict[str, Tensor]:
    return {name: each.clone() for name, each in network.state_dict().items() if name.startswith(prefix)}


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> list[bool]:
    return [torch.equal(left[name], right[name]) for name in left]


def test_frozen_layers_keep_every_bit(tmp_path: Path) -> None:
    """Parameters, running statistics, and even the counter of batches; SGD would decay the weights."""
    launch = cnncli.loads(SPEC % FROZEN).begin("digits", run=tmp_path / "run", device="cpu")
    stem, rest = state_of(launch.network, "stem"), state_of(launch.network, "body")
    launch.start()
    assert all(same(stem, state_of(launch.network, "stem")))
    assert not any(same(rest, state_of(launch.network, "body")))
    kept = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    assert b"optimizer/body.weight/momentum_buffer" in kept
    assert b"optimizer/stem" not in kept


def test_no_penalty_acts_on_frozen_layers(tmp_path: Path) -> None:
    spec = (SPEC % FROZEN) + "  penalty: {l2: 0.5}\n  average: {swa: {start: 0}}\n"
    launch = cnncli.loads(spec).begin("digits", run=tmp_path / "run", device="cpu")
    stem = state_of(launch.network, "stem")
    launch.start()
    assert all(same(stem, state_of(launch.network, "stem")))


@pytest.mark.parametrize(("optimizer", "decay"), [("sgd", 1.0), ("muon", 1.0), ("adamw", 0.5)])
def test_a_resumed_run_freezes_and_groups_as_before(tmp_path: Path, optimizer: str, decay: float) -> None:
    layers = "  - {linear: 16, name: hidden}\n  - {linear: 10, name: head}"
    spec = (SPEC % "[{match: 'stem*', freeze: true}, {match: head, lr: 0.5}]").replace(
        "  - {linear: 10, name: head}", layers
    )
    chosen = {"optimizer": optimizer, "batch": 16, "layer_decay": decay}
    whole = cnncli.loads(spec).begin("digits", run=tmp_path / "whole", device="cpu", **chosen)  # type: ignore[arg-type]
    whole.start()
    first = cnncli.loads(spec).begin("digits", run=tmp_path / "run", device="cpu", **chosen)  # type: ignore[arg-type]
    first.start(Recorder(raise_at(1, 4, "train", press_ctrl_c)), report_every=0)
    again = cnncli.resume(tmp_path / "run", device="cpu")
    assert again.introduction.ways == whole.introduction.ways
    assert again.introduction.rates == whole.introduction.rates
    again.start()
    assert same_weights(again.network, whole.network)


def test_the_first_lines_name_the_groups(tmp_path: Path) -> None:
    launch = cnncli.loads(SPEC % FROZEN).begin("digits", run=tmp_path / "run", device="cpu")
    assert launch.introduction.ways == ("stem*: frozen, 2 layers with 48 parameters",)


def test_nothing_is_saved_before_the_first_layer_that_learns() -> None:
    opened = open_text(SPEC % FROZEN)
    learning, network = learning_of(opened.graph, opened.train), build_network(opened.graph)
    freeze(network, learning)
    prepare_training(network, learning)
    assert not network.get_submodule("stem_norm").training
    assert network.get_submodule("body_norm").training
    images = torch.rand(2, 1, 8, 8)
    kept = kept_by(lambda: network(images), [images, *network.parameters(), *network.buffers()])
    assert kept.total == bytes_at(memory(opened.graph, 4, opened.train).saved, 2)


def test_what_frozen_layers_after_others_save_is_at_most_what_is_said() -> None:
    opened = open_text(SPEC % "[{match: 'body*', freeze: true}]")
    learning, network = learning_of(opened.graph, opened.train), build_network(opened.graph)
    freeze(network, learning)
    prepare_training(network, learning)
    images = torch.rand(2, 1, 8, 8)
    kept = kept_by(lambda: network(images), [images, *network.parameters(), *network.buffers()])
    found = memory(opened.graph, 4, opened.train)
    assert 0 < kept.total <= bytes_at(found.saved, 2)
    network(images).sum().backward()
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    assert found.gradients == sum(each.nbytes for each in gradients)


def test_the_range_test_freezes_them_too() -> None:
    opened = open_text(SPEC % FROZEN)
    prepared = prepare(opened, opened.train, "cpu")
    stem = state_of(prepared.network, "stem")
    find_lr(prepared)
    assert all(same(stem, state_of(prepared.network, "stem")))
