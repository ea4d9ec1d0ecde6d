"""Schedules in a training: torch's scheduler beside a loop written by hand, and interruptions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Trained
from cnncli.training.conduct import Conduct
from cnncli.training.data.batches import epoch_order
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.load import with_validation
from cnncli.training.data.normalization import measure
from cnncli.training.loop import seed_weights, train
from cnncli.training.plan import Subject
from cnncli.training.runs.run import open_run
from tests.training.support import (
    CPU,
    HEADS,
    Recorder,
    assert_same_result,
    begin,
    few_digits,
    press_ctrl_c,
    raise_at,
    settings,
    small_network,
)

WEIGHTS = {"sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0}}
ADAMW = {"adamw": {"lr": 0.01, "weight_decay": 0}}


def trained(
    folder: Path, network: nn.Module, chosen: Recipe, dataset: Dataset, recorder: Recorder
) -> Trained:
    """Train the run in a folder on, or begin it."""
    run = open_run(folder) if folder.exists() else begin(folder, chosen, dataset)
    conduct = Conduct(report=0)
    return train(
        Subject(network, HEADS), dataset, chosen, run, device=CPU, observer=recorder, conduct=conduct
    )


@pytest.mark.parametrize("optimizer", [WEIGHTS, ADAMW])
def test_one_cycle_equals_torchs_scheduler(tmp_path: Path, optimizer: dict[str, dict[str, float]]) -> None:
    """Its momentum too: that of SGD, and the beta1 of AdamW."""
    chosen, dataset, steps = settings(epochs=2, optimizer=optimizer, schedule="onecycle"), few_digits(), 14
    normalization = measure(dataset.train.rows)

    def network() -> nn.Module:
        torch.manual_seed(5)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Tanh(), nn.Linear(20, 10))

    reference = network()
    kind = torch.optim.SGD if optimizer is WEIGHTS else torch.optim.AdamW
    theirs = kind(reference.parameters(), lr=1.0, weight_decay=0.0)
    rate, top = chosen.optimizer.lr, round(0.3 * steps)
    cycle = OneCycleLR(theirs, rate, steps, pct_start=top / steps, base_momentum=0.85, max_momentum=0.9)
    images = (dataset.train.images.double() / 255 - normalization.mean[0]) / normalization.std[0]
    for epoch in range(2):
        for index in epoch_order(200, 7, epoch).split(32):
            values = reference(images[index].float())
            loss = nn.functional.cross_entropy(values, dataset.train.labels[index])
            theirs.zero_grad()
            loss.backward()
            theirs.step()
            if cycle.last_epoch < steps - 1:
                cycle.step()

    found = network()
    trained(tmp_path / "run", found, chosen, dataset, Recorder())
    for ours, expected in zip(found.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


PLATEAU = settings(
    epochs=8, optimizer=WEIGHTS, schedule={"plateau": {"patience": 1, "metric": "accuracy", "factor": 0.5}}
)


def plateau(folder: Path, recorder: Recorder) -> tuple[nn.Module, Trained]:
    seed_weights(PLATEAU.seed)
    network = small_network()
    return network, trained(folder, network, PLATEAU, with_validation(few_digits(), 0.2, 0.0), recorder)


def test_a_plateau_after_an_interruption(tmp_path: Path) -> None:
    reference, whole = plateau(tmp_path / "whole", Recorder())
    values = [each.figures["val.accuracy"] for each in whole.history]
    falls = [new <= max(values[: place + 1]) for place, new in enumerate(values[1:])]
    expected = [0.1, 0.1, *(0.1 * 0.5 ** sum(falls[: place + 1]) for place in range(len(falls) - 1))]
    assert [each.lr for each in whole.history] == pytest.approx(expected)
    assert len(set(expected)) > 2

    changed = next(each.epoch for each in whole.history if each.lr < 0.1)
    _, stopped = plateau(tmp_path / "run", Recorder(raise_at(changed, 3, "train", press_ctrl_c)))
    assert stopped.status == "interrupted"
    network, _ = plateau(tmp_path / "run", Recorder())
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


def test_rates_within_an_epoch(tmp_path: Path) -> None:
    """What is reported is what a step has: cycles begin again within epochs."""
    chosen = settings(epochs=2, schedule={"cosine": {"cycles": 4, "floor": 0.5}})
    recorder = Recorder()
    seed_weights(chosen.seed)
    trained(tmp_path / "run", small_network(), chosen, few_digits(), recorder)
    rates = [each.lr for each in recorder.progress if each.phase == "train"]
    assert len(rates) == 14
    starts = [place for place, rate in enumerate(rates) if rate == 0.05]
    assert starts == [0, 4, 7, 10]
    assert min(rates) > 0.025
