"""A training whose numbers are no longer finite ends with an error."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from cnncli.diagnostics import CnncliError
from cnncli.training.loop import seed_weights, train
from cnncli.training.plan import Subject
from cnncli.training.runs.run import open_run
from tests.training.support import (
    CPU,
    HEADS,
    begin,
    few_digits,
    read_metrics,
    resume,
    run_whole,
    settings,
    small_network,
)


def test_divergence_is_named_and_the_last_good_state_kept(tmp_path: Path) -> None:
    chosen = settings(optimizer={"sgd": {"lr": 1e30}}, schedule="constant")
    begin(tmp_path / "run", chosen)
    with pytest.raises(
        CnncliError, match=r"in epoch 1, batch \d of 7 \(step \d\), at a learning rate of 1e\+30"
    ) as e:
        resume(tmp_path / "run", chosen)
    assert e.value.diagnostics[0].code == "diverged"
    hint = "a smaller train.optimizer.sgd.lr or a longer train.schedule.constant.warmup"
    assert hint in e.value.diagnostics[0].hint
    run = open_run(tmp_path / "run")
    assert run.record.status == "diverged"
    kept = run.read_checkpoint()
    assert kept is not None
    assert kept.position.batches == 0
    seed_weights(chosen.seed)
    for name, value in small_network().state_dict().items():
        assert torch.equal(kept.network[name], value)


class TurnsBad(nn.Module):
    """Learns, until its weight is made infinite in the forward pass numbered ``fatal``."""

    def __init__(self, fatal: int) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.passes, self.fatal = 0, fatal

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "meta" and self.training:
            self.passes += 1
            if self.passes == self.fatal:
                with torch.no_grad():
                    self.layer.weight[0, 0] = math.inf
        result: torch.Tensor = self.layer(x.flatten(1))
        return result


def test_the_first_bad_batch_is_the_one_named(tmp_path: Path) -> None:
    chosen = settings()
    run = begin(tmp_path / "run", chosen)
    with pytest.raises(CnncliError, match=r"in epoch 2, batch 3 of 7 \(step 10\)"):
        # Reported at the end of the epoch.
        train(Subject(TurnsBad(10), HEADS), few_digits(), chosen, run, device=CPU)
    kept = open_run(tmp_path / "run").read_checkpoint()
    assert kept is not None
    assert (kept.position.epochs, kept.position.batches) == (1, 0)
    assert len(read_metrics(run)) == 1


class Explodes(nn.Module):
    """Outputs what it should, scaled: 1 in the first pass, ``scale`` from then on."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.passes, self.scale = 0, scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layer(x.flatten(1))
        self.passes += self.training and x.device.type != "meta"
        return result * (self.scale if self.passes > 1 else 1.0)


def test_a_loss_far_above_that_of_the_beginning_is_divergence(tmp_path: Path) -> None:
    """It is finite, but nothing is learned any more."""
    chosen = settings(optimizer={"sgd": {"lr": 1e-9}}, schedule="cosine")
    run = begin(tmp_path / "run", chosen)
    message = r"the loss became .*, after .* with the initial weights in epoch 1"
    with pytest.raises(CnncliError, match=message) as e:
        train(Subject(Explodes(1000.0), HEADS), few_digits(), chosen, run, device=CPU)
    assert e.value.diagnostics[0].code == "diverged"
    assert e.value.diagnostics[0].expected.startswith("at most 10 times")
    assert open_run(tmp_path / "run").record.status == "diverged"
    assert read_metrics(run) == ()


def test_a_large_loss_in_the_beginning_is_none(tmp_path: Path) -> None:
    chosen = settings(epochs=1, optimizer={"sgd": {"lr": 1e-9}}, schedule="cosine")
    network = Explodes(1000.0)
    network.passes = 1
    outcome = train(
        Subject(network, HEADS), few_digits(), chosen, begin(tmp_path / "run", chosen), device=CPU
    )
    assert outcome.status == "finished"
    assert outcome.history[0].figures["train.loss"] > 50


def test_the_beginning_is_known_after_resuming(tmp_path: Path) -> None:
    chosen = settings(epochs=1)
    run_whole(tmp_path / "run", chosen)
    kept = open_run(tmp_path / "run").read_checkpoint()
    assert kept is not None
    assert kept.start is not None
    assert 1.5 < kept.start < 5  # about log 10
    resume(tmp_path / "run", settings(epochs=3))
    again = open_run(tmp_path / "run").read_checkpoint()
    assert again is not None
    assert again.start == kept.start
