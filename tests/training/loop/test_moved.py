"""A training on masks and target pictures with every transform: it resumes within an epoch, bit by bit."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import pytest
import torch
from torch import Tensor, nn

from cnncli.graph.heads import Head
from cnncli.recipe.columns import Column
from cnncli.recipe.data import Data
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.saving import Save
from cnncli.recipe.transforms import TRANSFORMS
from cnncli.training.conduct import Conduct
from cnncli.training.data.dataset import IGNORED, Dataset, Split
from cnncli.training.data.load import load
from cnncli.training.loop import seed_weights, train
from cnncli.training.plan import Subject
from cnncli.training.runs.run import open_run
from tests.training.support import (
    CPU,
    Killed,
    Recorder,
    assert_same_result,
    begin,
    kill,
    raise_at,
    settings,
)

SIDE: Final = 12
HEADS: Final = {"where": Head((2, SIDE, SIDE)), "negative": Head((3, SIDE, SIDE))}
RECIPE: Final = settings(
    epochs=2,
    transforms=[{name: {}} for name in TRANSFORMS],
    corrupt=["noise", "blur", "erase"],
    tasks={"negative": {"mse": {}, "target": "target"}},
)


@cache
def segmented() -> Dataset:
    """Digits with masks of their strokes, without a class on the lower edge, and their negatives."""
    whole = load(Data(), (3, SIDE, SIDE))
    columns = {"mask": Column("mask", ("paper", "ink")), "target": Column("picture", (), (3, SIDE, SIDE))}

    def part(images: Tensor) -> Split:
        mask = (images[:, 0] > 100).to(torch.uint8)
        mask[:, -1] = IGNORED
        return Split(images, {"mask": mask, "target": 255 - images})

    return Dataset("digits", columns, part(whole.train.images[:100]), part(whole.test.images[:40]))


class Two(nn.Module):
    """A map of two classes, and a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.where = nn.Conv2d(6, 2, 3, padding=1)
        self.negative = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.trunk(x)
        return {"where": self.where(features), "negative": self.negative(features)}


def trained(folder: Path, chosen: Recipe, recorder: Recorder | None = None) -> nn.Module:
    if not folder.exists():
        begin(folder, chosen, segmented())
    seed_weights(7)
    net, run = Two(), open_run(folder)
    chosen = chosen.replaced({"save": Save(steps=1)})
    train(
        Subject(net, HEADS),
        segmented(),
        chosen,
        run,
        device=CPU,
        observer=recorder,
        conduct=Conduct(report=0),
    )
    return net


def test_a_resumed_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    reference = trained(tmp_path / "whole", RECIPE)
    with pytest.raises(Killed):
        trained(tmp_path / "run", RECIPE, Recorder(raise_at(2, 2, "train", kill)))
    resumed = trained(tmp_path / "run", RECIPE)
    assert_same_result(tmp_path / "run", resumed, tmp_path / "whole", reference)
