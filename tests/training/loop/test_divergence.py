"""A training whose numbers are no longer finite ends with an error."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from cnncli.diagnostics import CnncliError
from cnncli.training.loop import seed_weights, train
from cnncli.training.runs.run import open_run
from tests.training.support import (
    CPU,
    HEADS,
    begin,
    few_digits,
    read_metrics,
    resume,
    settings,
    small_network,
)


def test_divergence_is_named_and_the_last_good_state_kept(tmp_path: Path) -> None:
    chosen = settings(lr=1e30, warmup=0.0, schedule="constant")
    begin(tmp_path / "run", chosen)
    with pytest.raises(
        CnncliError, match=r"in epoch 1, batch \d of 7 \(step \d\), at a learning rate of 1e\+30"
    ) as e:
        resume(tmp_path / "run", chosen)
    assert e.value.diagnostics[0].code == "diverged"
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
        train(TurnsBad(10), HEADS, few_digits(), chosen, run, device=CPU)  # reported at the end of the epoch
    kept = open_run(tmp_path / "run").read_checkpoint()
    assert kept is not None
    assert (kept.position.epochs, kept.position.batches) == (1, 0)
    assert len(read_metrics(run)) == 1
