"""Which layer a loss that is not finite comes from: a loop by hand that looks at every step agrees."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

import cnncli
from cnncli.cli.exit_codes import DIVERGED
from cnncli.diagnostics import CnncliError
from cnncli.training.data.batches import epoch_order
from cnncli.training.diverging import not_finite, watched
from cnncli.training.launch.launch import Launch
from cnncli.training.runs.run import open_run
from tests.cli.test_same_command import call

DEEP = """
name: deep
input: [1, 8, 8]
layers:
  - conv: {channels: 4, kernel: 3}
  - flatten
  - linear: 20
  - relu
  - linear: 20
  - linear: 10
"""
NORMED = DEEP.replace("- flatten", "- batchnorm\n  - flatten")
SETTINGS: dict[str, Any] = {"epochs": 2, "batch": 32, "schedule": "constant"}
DATA = {"source": "digits", "limit": 0.2}


class Bad(NamedTuple):
    epoch: int
    batch: int
    layer: str
    weights: bool


def by_hand(launch: Launch, lr: float) -> Bad:
    """Train a network that was not trained yet, and stop at the first output that is not finite."""
    network, train = launch.network, launch.dataset.train
    normalization = launch.dataset.normalized()
    images = (train.images.float() / 255 - normalization.mean[0]) / normalization.std[0]
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=0.9)
    for epoch in range(2):
        for batch, index in enumerate(epoch_order(train.count, 0, epoch).split(32)):
            sound = {name for name, _ in network.named_children()}
            sound -= {name.partition(".")[0] for name in not_finite(network)}
            values = images[index]
            for name, layer in network.named_children():
                values = layer(values)
                if not bool(torch.isfinite(values).all()):
                    return Bad(epoch + 1, batch + 1, name, name not in sound)
            optimizer.zero_grad()
            nn.functional.cross_entropy(values, train.labels[index]).backward()
            optimizer.step()
    raise AssertionError("it does not diverge")


@pytest.mark.parametrize("steps", [None, 1])
@pytest.mark.parametrize(("text", "lr"), [(DEEP, 1e3), (DEEP, 1e10), (DEEP, 1e13), (NORMED, 1e5)])
def test_the_first_layer_is_that_of_a_loop_by_hand(
    tmp_path: Path, text: str, lr: float, steps: int | None
) -> None:
    network = cnncli.loads(text, name="net.yaml")
    recipe = SETTINGS | {"optimizer": {"sgd": {"lr": lr, "weight_decay": 0}}}
    saving: dict[str, Any] = {} if steps is None else {"save": {"steps": steps}}
    expected = by_hand(network.begin(DATA, run=tmp_path / "hand", device="cpu", **recipe), lr)
    with pytest.raises(CnncliError) as caught:
        network.train(DATA, run=tmp_path / "run", device="cpu", **recipe, **saving)
    error = caught.value.diagnostics[0]
    assert f"in epoch {expected.epoch}, batch {expected.batch} of 9" in error.message
    end = f"is that of '{expected.layer}'{', whose weights are not finite' * expected.weights}"
    assert error.message.endswith(f"; the first output that is not finite {end}")
    (related,) = error.related
    assert related.location.source.name == "net.yaml"
    assert open_run(tmp_path / "run").record.status == "diverged"


class Blows(nn.Module):
    """Finite in training, not on held-out data."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.training else x * math.inf


def test_the_layer_that_fails_on_held_out_data(tmp_path: Path) -> None:
    launch = cnncli.loads(DEEP).begin(DATA, run=tmp_path / "run", device="cpu", **SETTINGS)
    launch.network.relu1 = Blows()
    with pytest.raises(CnncliError, match=r"held-out loss became nan .* not finite is that of 'relu1'"):
        launch.start()


class Root(nn.Module):
    """Finite, with an infinite slope, and in all a gradient of infinity times 0."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * 0).sqrt()


def test_weights_that_are_not_finite_come_from_the_step_before(tmp_path: Path) -> None:
    launch = cnncli.loads(DEEP).begin(DATA, run=tmp_path / "run", device="cpu", **SETTINGS)
    launch.network.relu1 = Root()
    origin = "the first output that is not finite is that of 'conv1', whose weights are not finite"
    with pytest.raises(CnncliError, match=rf"the loss became nan in epoch 1, batch 2 of 9 .*; {origin}"):
        launch.start()


def test_the_message_has_the_line_of_the_spec(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(DEEP)
    options = "--set", "train.optimizer.sgd.lr=1e30", "--run", tmp_path / "run"
    code, _, errors = call("train", tmp_path / "net.yaml", *options)
    assert code == DIVERGED
    assert "the first output that is not finite is that of 'linear1'" in " ".join(errors.split())
    assert f"the layer 'linear1': {tmp_path / 'net.yaml'}:7" in errors


def test_all_outputs_are_watched_in_their_order() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), Blows()), nn.Flatten()).eval()
    with watched(network) as found:
        network(torch.ones(1, 2))
    assert found == ["1.1", "2"]
    with watched(network, ["0", "1"]) as found:
        network(torch.ones(1, 2))
    assert found == ["1"]
    network(torch.ones(1, 2))
    assert found == ["1"]


def test_not_finite_looks_at_parameters_and_buffers() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert not_finite(network) == []
    with torch.no_grad():
        network.get_parameter("0.bias")[1] = math.nan
        network.get_buffer("1.running_var")[0] = math.inf
    assert not_finite(network) == ["0.bias", "1.running_var"]
