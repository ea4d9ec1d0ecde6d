"""Channels that belong together: what is left computes what the whole computes without them."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import cnncli
from cnncli.graph import Graph, open_text
from cnncli.network import build_network
from cnncli.recipe.recipe import Recipe
from cnncli.training.shrinking import importance_of, without
from cnncli.transfer.channels import Channels, channels_of
from cnncli.transfer.matching import named_tensors
from cnncli.transfer.shrinking import NothingFitsError, spec_without, to_remove

SPECS = {
    "chain": """
input: [2, 9, 8]
layers:
  - {conv: {channels: 6, kernel: 3, norm: batch, activation: relu}}
  - {maxpool: 2}
  - {conv: {channels: 5, kernel: 2, padding: same, activation: prelu}}
  - flatten
  - {linear: {features: 7, activation: sigmoid}}
  - {linear: 3}
""",
    "residual": """
input: [3, 8, 8]
layers:
  - {conv: {channels: 6, kernel: 3, padding: same, activation: tanh}, name: stem}
  - {conv: {channels: 6, kernel: 3, padding: same, norm: batch}, name: inner}
  - {add: [inner, stem], name: sum1}
  - {relu: {}, name: rectified}
  - {conv: {channels: 8, kernel: 3, stride: 2, padding: 1}, name: wider}
  - {shortcut: {channels: 8, stride: 2}, from: rectified, name: project}
  - {add: [wider, project], name: sum2}
  - {conv: {channels: 12, kernel: 3, stride: 2, padding: 1}, name: widest}
  - {shortcut: {channels: 12, stride: 2, mode: pad}, from: sum2, name: zeros}
  - {add: [widest, zeros], name: sum3}
  - sigmoid
  - globalavgpool
  - {linear: 4}
""",
    "branches": """
input: [3, 8, 8]
layers:
  - {conv: {channels: 5, kernel: 3, padding: same, activation: sigmoid}, name: a}
  - {conv: {channels: 4, kernel: 1}, from: a, name: b}
  - {concat: [a, b], name: both}
  - {conv: {channels: 9, kernel: 3, padding: same, groups: 9}, name: depthwise}
  - {add: [depthwise, both], name: sum}
  - {globalavgpool: {keepdims: true}, name: mean}
  - {conv: {channels: 9, kernel: 1, activation: sigmoid}, name: gate}
  - {multiply: [sum, gate], name: gated}
  - {convtranspose: {channels: 6, kernel: 2, stride: 2}, name: up}
  - {conv: {channels: 4, kernel: 2, groups: 2}, name: grouped}
  - {conv: {channels: 2, kernel: 1}, name: last}
""",
    "heads": """
input: [1, 6, 6]
layers:
  - {conv: {channels: 4, kernel: 3}, name: trunk}
  - flatten
  - {linear: 6, name: hidden}
heads:
  first: [linear: 2]
  second: {from: trunk, training_only: true, layers: [globalavgpool, linear: 3]}
""",
}
SHIPPED = ("lenet5", "lenet5_1998", "resnet20", "plain20", "unet_padded", "capsnet_reconstruction")


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311


def some_removed(channels: Channels, share: float, seed: int) -> frozenset[int]:
    """Some units, but never the last one of a layer."""
    draw, removed = chance(seed), set[int]()
    for unit in draw.sample(sorted(channels.removable), round(share * len(channels.removable))):
        gone = removed | {unit}
        if all({*channels.units[name]} - gone for name in channels.removable[unit]):
            removed = gone
    return frozenset(removed)


def random_network(graph: Graph) -> nn.Module:
    torch.manual_seed(0)
    network = build_network(graph).double().eval()
    for name, values in network.state_dict().items():
        if values.is_floating_point() and ("norm" in name or name.startswith("project.1")):
            values.copy_(torch.rand_like(values) + 0.5)
    return network


def smaller(graph: Graph, channels: Channels, removed: frozenset[int]) -> Graph:
    return open_text(spec_without(graph, channels, removed, Recipe())).graph


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_is_left_computes_what_the_whole_does_without_reading_the_rest(name: str, share: float) -> None:
    graph = open_text(SPECS[name]).graph
    channels = channels_of(graph)
    removed = some_removed(channels, share, seed=7)
    assert bool(removed) == bool(share)
    network = random_network(graph)
    state = {key: value for key, value in network.state_dict().items() if key in channels.axes}
    left = without(channels, {key: value.numpy() for key, value in state.items()}, removed)
    small = build_network(smaller(graph, channels, removed)).double().eval()
    small.load_state_dict({key: torch.from_numpy(value) for key, value in left.items()}, strict=False)
    for tensor, maker in channels.makers.items():  # nothing reads what was removed
        for axis, units in enumerate(channels.axes[tensor]):
            if axis != maker and units is not None:
                gone = [place for place, unit in enumerate(units) if unit in removed]
                state[tensor].index_fill_(axis, torch.tensor(gone, dtype=torch.long), 0.0)
    images = torch.rand(3, *graph.input, dtype=torch.float64)  # type: ignore[arg-type]
    wanted, found = network(images), small(images)
    pairs = (
        zip(wanted.values(), found.values(), strict=True) if isinstance(wanted, dict) else [(wanted, found)]
    )
    for one, other in pairs:
        torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-9)


def test_what_is_tied() -> None:
    channels = channels_of(open_text(SPECS["residual"]).graph)
    units = channels.units
    assert units["stem"] == units["inner"] == units["rectified"]
    assert units["wider"] == units["project"] == units["zeros"][:8] == units["widest"][:8]
    assert units["widest"] == units["sum3"]
    assert channels.removable[units["widest"][0]] == ("wider", "project", "widest")
    assert channels.removable[units["widest"][8]] == ("widest",)


def test_what_stays() -> None:
    channels = channels_of(open_text(SPECS["branches"]).graph)
    fixed = {name for name, units in channels.units.items() if not channels.removable.keys() & {*units}}
    assert fixed == {"input", "up", "grouped", "last"}, "the input, the output, and what a grouped conv reads"
    graph = open_text(SPECS["heads"]).graph
    channels = channels_of(graph)
    for output in graph.outputs.values():
        assert not channels.removable.keys() & {*channels.units[output.node]}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_networks_shrink_to_the_tensors_that_are_left(name: str) -> None:
    graph = cnncli.load(name).graph
    channels = channels_of(graph)
    shapes = named_tensors(graph)
    assert channels.axes.keys() == shapes.keys()
    for share in (0.0, 0.5, 1.0):
        removed = some_removed(channels, share, seed=3)
        left = smaller(graph, channels, removed)
        assert named_tensors(left) == {
            key: tuple(
                size if places is None else len(places)
                for size, places in zip(shape, channels.kept(key, removed), strict=True)
            )
            for key, shape in shapes.items()
        }
        shown = {head: (each.shape, each.training_only) for head, each in left.outputs.items()}
        assert shown == {head: (each.shape, each.training_only) for head, each in graph.outputs.items()}


def test_importance_is_the_norm_relative_to_the_layer() -> None:
    graph = open_text(SPECS["residual"]).graph
    channels = channels_of(graph)
    network = random_network(graph)
    tensors = {key: each.numpy() for key, each in network.state_dict().items()}
    found = importance_of(channels, tensors)
    stem, inner = (
        network.state_dict()[f"{name}.weight"].flatten(1).norm(dim=1) for name in ("stem", "inner")
    )
    wanted = (stem / stem.square().mean().sqrt() + inner / inner.square().mean().sqrt()) / 2
    np.testing.assert_allclose([found[unit] for unit in channels.units["stem"]], wanted, rtol=1e-9)


@pytest.mark.parametrize("name", ["chain", "residual", "branches"])
def test_no_removed_channel_would_fit_beside_the_rest(name: str) -> None:
    graph = open_text(SPECS[name]).graph
    channels = channels_of(graph)
    draw = chance(1)
    importance = {unit: draw.random() for unit in channels.removable}

    def weights(removed: frozenset[int]) -> int:
        kept = [channels.kept(key, removed) for key in named_tensors(graph)]
        sizes = zip(named_tensors(graph).values(), kept, strict=True)
        return sum(
            int(
                np.prod([n if places is None else len(places) for n, places in zip(shape, axes, strict=True)])
            )
            for shape, axes in sizes
        )

    def within(limit: int) -> Callable[[frozenset[int]], bool]:
        return lambda removed: weights(removed) <= limit

    whole, least = weights(frozenset()), weights(some_removed(channels, 1.0, seed=0))
    for limit in range(whole - 1, least - 1, -37):
        removed = to_remove(channels, importance, within(limit))
        assert weights(removed) <= limit
        assert all(weights(removed - {unit}) > limit for unit in removed)
        assert all(
            {*channels.units[layer]} - removed for unit in removed for layer in channels.removable[unit]
        )
    with pytest.raises(NothingFitsError):
        to_remove(channels, importance, within(least - 1))
