"""A training with every transform: it resumes within an epoch, and is what a loop by hand computes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from cnncli.recipe.data import Data
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.saving import Save
from cnncli.recipe.transforms import TRANSFORMS
from cnncli.results.training import Epoch
from cnncli.training.conduct import Conduct
from cnncli.training.data.batches import epoch_order
from cnncli.training.data.dataset import Dataset, labeled
from cnncli.training.data.feed import Views
from cnncli.training.data.load import load
from cnncli.training.data.normalization import measure
from cnncli.training.loop import seed_weights, train
from cnncli.training.plan import Subject
from cnncli.training.runs.run import open_run
from cnncli.training.transforms import Pipeline
from tests.training.support import (
    CPU,
    HEADS,
    Killed,
    Recorder,
    assert_same_result,
    begin,
    kill,
    press_ctrl_c,
    raise_at,
    same_weights,
    settings,
)

EVERY: list[dict[str, object]] = [{name: {}} for name in TRANSFORMS]


@cache
def colored_digits() -> Dataset:
    """Digits of three channels of 12x12 pixels, which every transform can be applied to."""
    whole = load(Data(), (3, 12, 12))
    train, test = (labeled(each.images[:100], each.labels[:100]) for each in (whole.train, whole.test))
    return Dataset(whole.name, whole.columns, train, test)


def network() -> nn.Module:
    seed_weights(7)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(100, 10),
    )


def trained(folder: Path, chosen: Recipe, recorder: Recorder | None = None) -> nn.Module:
    if not folder.exists():
        begin(folder, chosen, colored_digits())
    net = network()
    run, chosen = open_run(folder), chosen.replaced({"save": Save(steps=1)})
    train(
        Subject(net, HEADS),
        colored_digits(),
        chosen,
        run,
        device=CPU,
        observer=recorder,
        conduct=Conduct(report=0),
    )
    return net


@pytest.mark.parametrize("act", [press_ctrl_c, kill])
@pytest.mark.parametrize("place", [(1, 2), (2, 3)])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path: Path, act: object, place: tuple[int, int]) -> None:
    chosen = settings(epochs=2, transforms=EVERY)
    reference = trained(tmp_path / "whole", chosen)
    stop = Recorder(raise_at(*place, "train", act))  # type: ignore[arg-type]
    if act is kill:
        with pytest.raises(Killed):
            trained(tmp_path / "run", chosen, stop)
    else:
        trained(tmp_path / "run", chosen, stop)
    stopped = open_run(tmp_path / "run").read_checkpoint()
    assert stopped is not None
    assert stopped.position.batches in (1, 2, 3)
    resumed = trained(tmp_path / "run", chosen)
    assert_same_result(tmp_path / "run", resumed, tmp_path / "whole", reference)
    assert open_run(tmp_path / "run").record.settings.plain()["transforms"] == [
        {name: TRANSFORMS[name]().plain()} for name in TRANSFORMS
    ]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_each_transform_changes_the_training_and_not_the_evaluation(tmp_path: Path, name: str) -> None:
    chosen = settings(epochs=1, optimizer={"sgd": {"lr": 1e-30}})
    plain, altered = chosen, chosen.replaced({"transforms": (TRANSFORMS[name](),)})
    figures: list[Epoch] = []
    for folder, recipe in (("plain", plain), ("altered", altered)):
        begin(tmp_path / folder, recipe, colored_digits())
        fixed = nn.Sequential(nn.Flatten(), nn.Linear(432, 10))
        torch.manual_seed(0)
        nn.init.normal_(fixed[1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(fixed[1].bias)  # type: ignore[arg-type]
        run = open_run(tmp_path / folder)
        figures += train(Subject(fixed, HEADS), colored_digits(), recipe, run, device=CPU).history
    plain_epoch, altered_epoch = (each.figures for each in figures)
    assert plain_epoch["train.loss"] != altered_epoch["train.loss"]
    assert plain_epoch["test.loss"] == altered_epoch["test.loss"]


def test_equals_a_loop_written_by_hand(tmp_path: Path) -> None:
    """Images from 0 to 1 go through the transforms, and are then normalized as the original data.

    Mixed samples have soft targets: shares of two classes.
    """
    plain = {"lr": 0.05, "momentum": 0.0, "weight_decay": 0.0}
    chosen = settings(epochs=2, schedule="constant", optimizer={"sgd": plain}, transforms=EVERY)
    dataset = colored_digits()

    def small() -> nn.Module:
        torch.manual_seed(5)
        return nn.Sequential(nn.Flatten(), nn.Linear(432, 10))

    reference, normalization = small(), measure(dataset.train.rows)
    mean, std = (torch.tensor(each).reshape(3, 1, 1) for each in (normalization.mean, normalization.std))
    pipeline = Pipeline(chosen.transforms)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.05)
    for epoch in range(2):
        draws = pipeline.table(100, 7, epoch)
        for index in epoch_order(100, 7, epoch).split(32):
            views = pipeline.views(Views(dataset.train.images[index].float() / 255), draws[index])
            assert views.share is not None
            shares = views.share.unsqueeze(1)
            hot = nn.functional.one_hot(dataset.train.labels[index], 10)
            soft = shares * hot + (1 - shares) * hot.roll(-1, 0)
            loss = nn.functional.cross_entropy(reference((views.images - mean) / std), soft)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    found = small()
    train(Subject(found, HEADS), dataset, chosen, begin(tmp_path / "run", chosen, dataset), device=CPU)
    assert not same_weights(found, small())
    for ours, theirs in zip(found.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
