"""The share of each process, without processes: together they are what one has alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from cnncli.diagnostics import SpecError, UsageError
from cnncli.graph import open_text
from cnncli.training.data.feed import Alters, Batch, Feed
from cnncli.training.data.normalization import measure
from cnncli.training.data.recorded import Normalization
from cnncli.training.data.shares import shares
from cnncli.training.device import choose_device
from cnncli.training.plan import Subject, check_batch, make_plan
from cnncli.training.state import make_state
from cnncli.training.transforms import Pipeline
from cnncli.training.world import World
from tests.training.support import CPU, HEADS, few_digits, settings
from tests.training.tasks.test_mixed import COLUMNS, COUNT, part, random

BOUNDS = [(0, 5), (5, 8), (8, 11), (11, 12)]
"""With two processes: shares of 2 and 3, of which the others have none, and a batch of one."""


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_shares_are_next_to_each_other_and_none_has_a_single_sample(size: int) -> None:
    for count in range(1, 30):
        found = [World(rank, size).share(7, 7 + count) for rank in range(size)]
        assert found[0][0] == 7
        assert all(before[1] == after[0] for before, after in pairwise(found))
        assert found[-1][1] == 7 + count
        sizes = [end - start for start, end in found]
        assert 1 not in sizes or count == 1
        assert max(sizes) - min(sizes) <= 1 or 0 in sizes


@pytest.mark.parametrize("size", [1, 2, 3])
def test_all_processes_have_as_many_slices(size: int) -> None:
    for count in range(1, 40):
        worlds = [World(rank, size) for rank in range(size)]
        found = [each.slices(3, 3 + count, 4) for each in worlds]
        assert len({len(slices) for slices in found}) == 1
        for world, slices in zip(worlds, found, strict=True):
            first, last = world.share(3, 3 + count)
            assert sum(end - start for start, end in slices) == last - first


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("mix", ["mixup", "cutmix", "flip"])
def test_the_shares_of_a_batch_are_the_batch(mix: str, size: int) -> None:
    """A sample is mixed with the next one of the batch, which another process may have."""
    chosen = settings(transforms=[mix])
    alters = Alters(Pipeline(chosen.transforms).alter(COUNT, 3, 0))
    feed = Feed(part(), COLUMNS, Normalization((0.5,), (1.0,)), CPU, keep=True)
    order = torch.randperm(COUNT, generator=random(6))

    def of(world: World) -> list[list[Tensor]]:
        batches = shares(feed, order, BOUNDS, alters, world, mixes=mix != "flip")
        return [values(batch) for batch in batches]

    whole = of(World())
    parts = [of(World(rank, size)) for rank in range(size)]
    for number, batch in enumerate(whole):
        for place, expected in enumerate(batch):
            found = torch.cat([each[number][place] for each in parts])
            assert torch.equal(found, expected)


def values(batch: Batch) -> list[Tensor]:
    """All that a batch consists of; its rows are samples."""
    found = [batch.inputs, *batch.targets.values(), *batch.present.values()]
    if batch.mixed is not None:
        found += [batch.mixed.share, *batch.mixed.partner.targets.values()]
    return found


def test_a_batch_has_two_images_for_each_slice_of_each_process() -> None:
    check_batch(settings(batch=16, accumulate=2), World(0, 4))
    with pytest.raises(UsageError, match=r"a batch of 15 is too small for 4 processes, each in 2 slices"):
        check_batch(settings(batch=15, accumulate=2), World(0, 4))


@pytest.mark.parametrize("word", ["mps", "cuda:1"])
def test_several_processes_do_not_share_a_device(word: str) -> None:
    with pytest.raises(UsageError, match=f"2 processes cannot train on the device {word}"):
        choose_device(word, World(1, 2, 1))
    assert choose_device("cpu", World(1, 2, 1)) == CPU


def test_a_network_without_batch_normalization_has_nothing_to_synchronize() -> None:
    text = "input: [1, 8, 8]\nlayers: [flatten, {}linear: 10]\ntrain: {{sync_batchnorm: true}}"
    assert open_text(text.format("batchnorm, ")).train.sync_batchnorm
    with pytest.raises(SpecError, match="'sync_batchnorm' has no effect") as caught:
        open_text(text.format(""))
    location = caught.value.diagnostics[0].location
    assert location is not None
    assert location.line == 3


def test_a_pixel_shuffle_needs_a_share_for_each_process() -> None:
    """torch cannot compute its gradient without samples."""
    few = few_digits(33)
    chosen, world = settings(batch=16), World(0, 2)
    normalization = measure(few.train.rows)
    plan = make_plan(Subject(nn.Identity(), HEADS), few, chosen, normalization, CPU, world=World())
    network = nn.Sequential(nn.PixelShuffle(1), nn.Flatten(), nn.Linear(64, 10))
    make_state(network, plan, None)
    small = replace(plan, bounds=[(0, 16), (16, 19)], world=world)
    with pytest.raises(UsageError, match="a batch of 3 images is too small for 2 processes"):
        make_state(network, small, None)
