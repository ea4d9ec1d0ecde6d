"""A batch in slices: the fewest that fit, and the peak of a step, against what torch keeps live."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cnncli.algebra import whole, whole_shape
from cnncli.analysis.memory.slices import Manner, Way, Ways, choose, step_peak
from cnncli.analysis.memory.usage import memory
from cnncli.diagnostics import UsageError
from cnncli.graph import Opened, open_spec
from cnncli.graph.learning import learning_of
from cnncli.graph.segments import segment_names
from cnncli.network import build_network
from cnncli.recipe.optimizers import NEVER
from cnncli.recipe.recompute import AUTO
from cnncli.training.data.batches import slice_bounds
from cnncli.training.optimization.optimizers import build_optimizer
from cnncli.training.world import World
from tests.live_memory import Living
from tests.specs.support import NAMES, SPECS
from tests.specs.test_memory import WITHIN, beside, image_of, loss_of, standing, step_peaks
from tests.specs.test_shipped import SMALL

BATCH = 64


def fewest(opened: Opened, limit: int) -> Way:
    found = choose(opened.graph, 4, opened.train, BATCH, limit)
    assert not found.segments
    return found


def measured(opened: Opened, slices: int) -> int:
    """The most that is live in the second step on the meta device, weights and inputs included."""
    network = build_network(opened.graph, "meta").train()
    images = torch.zeros(BATCH, *whole_shape(opened.graph.input), device="meta")
    optimizer = build_optimizer(network, learning_of(opened.graph, opened.train))
    for group in optimizer.param_groups:
        group["foreach"] = True

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        for start, end in slice_bounds(BATCH, slices):
            loss_of(network(images[start:end])).backward()
        optimizer.step()

    step()
    kept = [each for kept in optimizer.state.values() for each in kept.values() if isinstance(each, Tensor)]
    there = [*beside(network, images), *kept]
    with Living(there) as living:
        for parameter in network.parameters():
            assert parameter.grad is not None
            living.notice(parameter.grad)
        step()
    return int(living.peak) + sum(each.nbytes for each in there)


@pytest.mark.parametrize(("name", "slices"), [("lenet5", 1), ("lenet5", 8), ("small_resnet", 3)])
def test_the_peak_of_a_step_in_slices(name: str, slices: int) -> None:
    opened = open_spec(name)
    peak = measured(opened, slices)
    found = fewest(opened, int(peak * (1 + WITHIN)))
    assert (found.slices, found.size) == (slices, -(-BATCH // slices))
    assert found.peak == pytest.approx(peak, rel=WITHIN)


def test_fewer_slices_do_not_fit_and_the_limit_is_kept() -> None:
    opened = open_spec("lenet5")
    ways = Ways(opened.graph, 4, opened.train, BATCH)
    found = fewest(opened, 2**40)
    assert (found.slices, found.size) == (1, BATCH)
    while found.slices < ways.most:
        # One byte less than what these slices need takes more of them.
        more = fewest(opened, found.peak - 1)
        assert more.peak < found.peak
        assert found.slices < more.slices
        assert all(ways.way(slices).peak >= found.peak for slices in range(found.slices, more.slices))
        found = more
    assert ways.most == BATCH // 2


def test_only_what_slices_cannot_do_is_recomputed() -> None:
    opened = open_spec("small_resnet")
    ways = Ways(opened.graph, 4, opened.train, BATCH)
    least = ways.way(ways.most).peak
    found = choose(opened.graph, 4, opened.train, BATCH, least - 1)
    assert found.segments
    assert found.peak < least
    assert found == ways.way(found.slices, found.segments)
    first = opened.train.replaced({"recompute": (AUTO,)})
    room = ways.way(1).peak * 6 // 10
    found = choose(opened.graph, 4, first, BATCH, room)
    assert found.slices == 1
    assert found.segments
    assert found.peak <= room
    plain = choose(opened.graph, 4, opened.train, BATCH, room)
    assert plain.slices > 1
    assert plain.flops == 0
    given = opened.train.replaced({"recompute": segment_names(opened.graph, found.segments)})
    assert choose(opened.graph, 4, given, BATCH, room) == found


def test_what_cannot_fit_says_how_much_is_needed() -> None:
    opened = open_spec("lenet5")
    least = memory(opened.graph, 4, opened.train)
    with pytest.raises(UsageError) as caught:
        fewest(opened, whole(least.weights))
    fault = caught.value.diagnostics[0]
    assert "even in 32 slices" in fault.message
    assert fault.expected.startswith("at least ")


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_largest_slice_is_that_of_the_training(processes: int) -> None:
    worlds = [World(rank, processes) for rank in range(processes)]
    for batch in range(1, 40):
        for slices in range(1, 12):
            sizes = [end - start for world in worlds for start, end in world.slices(0, batch, slices)]
            assert Manner(processes).slice_of(batch, slices) == max(sizes), (batch, slices)


def test_a_smaller_batch_may_have_the_largest_slice() -> None:
    """Of 64 images 32 slices have two each, but of 7 images one has three."""
    opened = open_spec("lenet5")
    ways = Ways(opened.graph, 4, opened.train, BATCH, Manner(others=(7,)))
    assert [ways.size(slices) for slices in (1, 22, 32)] == [64, 3, 3]


MIXED = ["inception/inception_reduced", "lenet5", "resnet_cifar/resnet20"]


@pytest.mark.parametrize("name", MIXED)
def test_16_bits_need_no_more(name: str) -> None:
    at_most(name)


@pytest.mark.campaign
@pytest.mark.parametrize("name", [each for each in NAMES if each not in MIXED])
def test_16_bits_need_no_more_in_any_network(name: str) -> None:
    at_most(name)


def at_most(name: str) -> None:
    """On the CPU, where autocast needs values: the peak of a step with small images."""
    opened = open_spec(SPECS / f"{name}.yaml", size=SMALL.get(name))
    plain = opened.train.optimizer.replaced({"fused": NEVER})
    settings = opened.train.replaced({"optimizer": plain})
    network, images = build_network(opened.graph), image_of(opened.graph, 16, "cpu")
    optimizer = build_optimizer(network, learning_of(opened.graph, settings))
    for group in optimizer.param_groups:
        group["foreach"] = True
    network.forward = torch.autocast("cpu", torch.bfloat16)(network.forward)  # type: ignore[method-assign]
    found = max(step_peaks(network, optimizer, images).values())
    fixed = standing(memory(opened.graph, 4, settings), images) + whole(
        memory(opened.graph, 4, settings).state
    )
    assert found + fixed <= step_peak(opened.graph, 4, settings, 16, Manner(is_mixed=True))
