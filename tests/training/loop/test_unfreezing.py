"""Layers that are frozen in the first epochs: nothing of them changes, then all of it does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import cnncli
from cnncli.analysis.memory.usage import bytes_at, memory
from cnncli.graph import open_text
from cnncli.graph.learning import learning_of
from cnncli.network import build_network
from cnncli.results.training import Epoch
from cnncli.training.launch.launch import Launch
from cnncli.training.optimization.optimizers import build_optimizer, freeze, prepare_training
from cnncli.training.plan import Extent
from cnncli.training.runs.run import open_run
from tests.live_memory import kept_by
from tests.training.support import (
    Recorder,
    figures,
    press_ctrl_c,
    raise_at,
    read_metrics,
    same_weights,
)

SPEC = """input: [1, 8, 8]
layers:
  - {conv: {channels: 4, kernel: 3, norm: batch, activation: relu}, name: stem}
  - {conv: {channels: 4, kernel: 3, norm: batch, activation: relu}, name: body}
  - {dropout: 0.1, name: drop}
  - flatten
  - {linear: 16, name: hidden}
  - {linear: 10, name: head}
train:
  epochs: 3
  batch: 48
  data: {source: digits, limit: 0.1}
"""
LATE = "{match: 'stem*', freeze: true, unfreeze_at: 3}"
BEGUN_LATE: Mapping[str, Any] = {"groups": [{"match": "stem*", "freeze": True, "unfreeze_at": 3}]}
FOR_GOOD: Mapping[str, Any] = {"groups": [{"match": "stem*", "freeze": True}]}
ONCE_MORE: Mapping[str, Any] = {**BEGUN_LATE, "average": {"ema": 0.9}, "penalty": {"l2": 0.01}}


class Watching(Recorder):
    """An observer that keeps the state of the network after each epoch."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = network
        self.states: list[dict[str, Tensor]] = []

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        super().epoch_finished(metrics, epochs)
        self.states.append({name: each.clone() for name, each in self._network.state_dict().items()})


def begun(folder: Path, **settings: Any) -> Launch:
    return cnncli.loads(SPEC).begin("digits", run=folder, device="cpu", **settings)


def states(folder: Path, **settings: Any) -> list[dict[str, Tensor]]:
    """Return the state of a network at the beginning of a training, and after each epoch."""
    launch = begun(folder, **settings)
    watching = Watching(launch.network)
    first = {name: each.clone() for name, each in launch.network.state_dict().items()}
    launch.start(watching)
    return [first, *watching.states]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_until_its_epoch_it_is_as_if_frozen_for_good(tmp_path: Path, optimizer: str) -> None:
    """All tensors of all layers, statistics and the counter of batches too; then every one changes."""
    ours = states(tmp_path / "late", optimizer=optimizer, **BEGUN_LATE)
    theirs = states(tmp_path / "never", optimizer=optimizer, **FOR_GOOD)
    for mine, other in zip(ours[:3], theirs[:3], strict=True):
        assert all(torch.equal(mine[name], other[name]) for name in other)
    stem = [name for name in ours[0] if name.startswith("stem")]
    assert {name.rpartition(".")[2] for name in stem} >= {"weight", "running_mean", "num_batches_tracked"}
    assert all(torch.equal(ours[0][name], ours[2][name]) for name in stem)
    assert not any(torch.equal(ours[2][name], ours[3][name]) for name in stem)
    assert not torch.equal(ours[3]["head.weight"], theirs[3]["head.weight"])


@pytest.mark.parametrize(
    ("chosen", "made"),
    [
        ("{adam: {lr: 0.1, fused: false}}", partial(torch.optim.Adam, lr=0.1, foreach=False)),
        ("{sgd: {lr: 0.1, weight_decay: 0}}", partial(torch.optim.SGD, lr=0.1, momentum=0.9, fused=True)),
    ],
    ids=["adam", "fused sgd"],
)
def test_what_learns_later_steps_as_a_new_optimizer_of_torch_does(
    chosen: str, made: Callable[[list[nn.Parameter]], torch.optim.Optimizer]
) -> None:
    """The fused kernel begins the momentum of all tensors of a group at once."""
    opened = open_text(f"{SPEC}  optimizer: {chosen}\n  groups: [{LATE}]\n")
    learning, network = learning_of(opened.graph, opened.train), build_network(opened.graph)
    optimizer = build_optimizer(network, learning)
    twin = build_network(opened.graph)
    twin.load_state_dict(network.state_dict())
    named = dict(twin.named_parameters())
    parts = [[named[name] for name in named if name.startswith("stem") == stem] for stem in (False, True)]
    rest, late = map(made, parts)
    for epoch, images in enumerate(torch.rand(4, 8, 1, 8, 8)):
        now = learning.at(epoch)
        freeze(network, now)
        prepare_training(network, now)
        twin.train()
        twin.get_submodule("stem_norm").train(epoch >= 2)
        for model in (network, twin):
            model.zero_grad()
            torch.manual_seed(epoch)
            model(images).square().mean().backward()
        optimizer.step()
        rest.step()
        if epoch >= 2:
            late.step()
    assert same_weights(network, twin)


PLACES = [(1, 2, "train"), (2, 0, "evaluate"), (2, None, ""), (3, 1, "train")]


@cache
def whole(optimizer: str) -> tuple[dict[str, Tensor], object]:
    """Return the last checkpoint and the figures of a training that was not interrupted."""
    with tempfile.TemporaryDirectory() as folder:
        begun(Path(folder) / "run", optimizer=optimizer, **ONCE_MORE).start()
        return result(Path(folder) / "run")


def result(folder: Path) -> tuple[dict[str, Tensor], object]:
    run = open_run(folder)
    return load_file(run.checkpoint), figures(read_metrics(run))


def assert_same(ours: tuple[dict[str, Tensor], object], theirs: tuple[dict[str, Tensor], object]) -> None:
    assert ours[0].keys() == theirs[0].keys()
    assert all(torch.equal(each, theirs[0][name]) for name, each in ours[0].items())
    assert ours[1] == theirs[1]


@pytest.mark.parametrize(
    ("optimizer", "place"),
    [*(("sgd", place) for place in PLACES), ("adamw", PLACES[2]), ("muon", PLACES[0]), ("muon", PLACES[3])],
)
def test_a_resumed_run_is_the_same_to_the_last_bit(
    tmp_path: Path, optimizer: str, place: tuple[int, int | None, str]
) -> None:
    """Interrupted before, at and after the border; the averages too."""
    first = begun(tmp_path / "run", optimizer=optimizer, **ONCE_MORE)
    epoch, batch, phase = place
    if batch is None:
        first.start(extent=Extent(epochs=epoch))
    else:
        assert first.start(Recorder(raise_at(epoch, batch, phase, press_ctrl_c)), report_every=0).signal
    cnncli.resume(tmp_path / "run", device="cpu").start()
    assert_same(result(tmp_path / "run"), whole(optimizer))


def test_16_bits_begin_late_too(tmp_path: Path) -> None:
    """The momentum of SGD begins with zeros there; RMSprop skips a step whose gradient is not finite."""
    for optimizer in ("sgd", "rmsprop"):
        chosen = {"optimizer": optimizer, "precision": "fp16", **BEGUN_LATE}
        first = begun(tmp_path / optimizer, **chosen)
        first.start(extent=Extent(epochs=2))
        cnncli.resume(tmp_path / optimizer, device="cpu").start()
        begun(tmp_path / f"{optimizer} whole", **chosen).start()
        assert_same(result(tmp_path / optimizer), result(tmp_path / f"{optimizer} whole"))


def test_a_mean_of_weights_renews_no_statistics_that_are_frozen(tmp_path: Path) -> None:
    found = states(tmp_path / "run", average={"swa": {"start": 0}}, **BEGUN_LATE)
    assert torch.equal(found[0]["stem_norm.running_mean"], found[2]["stem_norm.running_mean"])
    assert not torch.equal(found[2]["stem_norm.running_mean"], found[3]["stem_norm.running_mean"])


def test_memory_is_that_of_a_training_of_all_layers() -> None:
    late, plain = (open_text(f"{SPEC}{more}") for more in (f"  groups: [{LATE}]\n", ""))
    found = memory(late.graph, 4, late.train)
    assert found._replace(rows=()) == memory(plain.graph, 4, plain.train)._replace(rows=())
    learning, network = learning_of(late.graph, late.train), build_network(late.graph)
    images, kept = torch.rand(2, 1, 8, 8), []
    for epoch in (0, 2):
        freeze(network, learning.at(epoch))
        prepare_training(network, learning.at(epoch))
        own = [images, *network.parameters(), *network.buffers()]
        kept.append(kept_by(lambda: network(images), own).total)
    assert kept[0] < kept[1] == bytes_at(found.saved, 2)


def test_blocks_are_compiled_anew_when_layers_begin_to_learn(tmp_path: Path) -> None:
    """Equal blocks share a function as long as the same of their weights learn."""
    learned: list[list[bool]] = []

    def forward(_: Any, network: nn.Module) -> nn.Module:
        learned.append([each.requires_grad for each in network.parameters()])
        return network

    with mock.patch("cnncli.training.computing.Computing.forward", forward):
        begun(tmp_path / "run", **BEGUN_LATE).start()
    assert len(learned) == 2
    assert not all(learned[0])
    assert all(learned[1])


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (
            "epochs: 2, groups: [{match: stem, freeze: true, unfreeze_at: 3}]",
            "'stem' is frozen before epoch 3",
        ),
        ("groups: [{match: stem, freeze: true, unfreeze_at: 1}]", "'unfreeze_at' cannot be '1'"),
        ("groups: [{match: stem, unfreeze_at: 2}]", "'unfreeze_at' has no effect on layers that are not"),
        ("groups: [{match: '*', freeze: true, unfreeze_at: 2}]", "all layers are frozen before epoch 2"),
    ],
)
def test_an_epoch_that_cannot_be_is_an_error(train: str, message: str) -> None:
    with pytest.raises(cnncli.CnncliError, match=message):
        open_text(f"{SPEC.partition('train:')[0]}train: {{{train}}}\n")


def test_an_epoch_after_those_that_flops_take_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(cnncli.CnncliError, match="is frozen before epoch 3, but the training ends before"):
        cnncli.loads(SPEC.replace("epochs: 3", "flops: 5M")).begin(
            "digits", run=tmp_path / "run", device="cpu", **BEGUN_LATE
        )


def test_the_first_lines_say_when_layers_begin_to_learn(tmp_path: Path) -> None:
    groups = [{"match": "stem*", "freeze": True, "unfreeze_at": 2, "lr": 0.5}]
    ways = begun(tmp_path / "run", groups=groups).introduction.ways
    assert ways == ("stem*: frozen before epoch 2, lr 0.5, 2 layers with 48 parameters",)
