"""Every prediction about shifts is measured, and the measurement can fail."""

from __future__ import annotations

import pytest
import torch

from cnncli.analysis.space.claims import Claim, claims
from cnncli.analysis.space.shifts import Shift
from cnncli.graph import Graph
from cnncli.network import build_network
from cnncli.network import probe as module
from cnncli.network.probe import probe, seeded
from cnncli.results.probe import Probe
from tests.generate import random_graphs, random_spec
from tests.network.support import RESIDUAL, SKIPS, graph_of

SUITE = 60


def measure(graph: Graph, most: int = 1) -> Probe:
    return measure_with(graph, 0, most)


def measure_with(graph: Graph, seed: int, most: int = 1) -> Probe:
    with seeded(seed):
        return probe(graph, build_network(graph), most, 1)


@pytest.mark.parametrize("text", [RESIDUAL, SKIPS])
def test_joins_and_enlargements_move_as_predicted(text: str) -> None:
    found = measure(graph_of(text.replace("19, 22", "59, 62").replace("20, 17", "60, 57")))
    assert found.holds
    assert sum(each.deviation is not None for each in found.found) > 10


@pytest.mark.slow
def test_random_specs_move_as_predicted() -> None:
    measured = 0
    for seed, graph in random_graphs(range(SUITE)):
        if any(node.kind == "noise" for node in graph.nodes):
            continue
        for each in measure(graph).found:
            assert each.holds, f"seed {seed}, {each}\n{random_spec(seed)}"
            measured += each.deviation is not None
    assert measured > 3 * SUITE


@pytest.mark.parametrize(
    ("layer", "smaller"),
    [
        ("conv: {channels: 2, kernel: 3, stride: 2}", Shift(1, 1)),
        ("maxpool: 4", Shift(2, 1)),
        ("upsample: 3", Shift(1, 2)),
        ("convtranspose: {channels: 2, kernel: 3, stride: 2}", Shift(1, 1)),
    ],
)
def test_another_shift_is_seen_to_be_wrong(
    layer: str, smaller: Shift, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the predicted shift, or another distance, causes a deviation far above rounding."""
    graph = graph_of(f"input: [2, 20, 22]\nlayers:\n  - {layer}\n")
    wrong = [claim._replace(shift=smaller) for claim in claims(graph)]
    monkeypatch.setattr(module, "claims", lambda _: iter(wrong))
    found = measure(graph)
    assert not found.holds
    assert all(each.deviation is not None and each.deviation > 0.01 for each in found.found)


def test_positions_that_see_a_border_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With borders the same layer deviates, because the pads do not move with the image."""
    graph = graph_of("input: [2, 20, 22]\nlayers:\n  - conv: {channels: 2, kernel: 3, padding: same}\n")
    assert measure(graph).holds
    everywhere = [claim._replace(clear=range((20, 22)[claim.axis])) for claim in claims(graph)]
    monkeypatch.setattr(module, "claims", lambda _: iter(everywhere))
    assert not measure(graph).holds


def test_why_a_map_is_not_measured() -> None:
    graph = graph_of(
        """
input: [2, 12, 12]
layers:
  - {conv: {channels: 2, kernel: 3}, name: plain}
  - {conv: {channels: 2, kernel: 3, dilation: 4, padding: same}, name: wide}
  - {conv: {channels: 2, kernel: 3, padding: same}, name: wider}
  - {instancenorm: , name: all}
  - {globalavgpool: {keepdims: true}, name: still}
"""
    )
    void = {claim.node.name: claim.void for claim in claims(graph)}
    assert void == {
        "plain": "",
        "wide": "",
        "wider": "no room",
        "all": "sees all borders",
        "still": "stays the same",
    }
    assert measure(graph).holds


def test_the_counted_positions_are_those_in_both_views() -> None:
    graph = graph_of("input: [1, 20]\nlayers:\n  - conv: {channels: 2, kernel: 5, stride: 2}\n")
    (claim,) = claims(graph)
    assert isinstance(claim, Claim)
    assert claim.compared == 8 - 1


def test_a_fully_connected_layer_changes_and_global_pooling_barely() -> None:
    """The lecture's point, measured: the same convolutions with two different ends."""
    layers = "[conv: {{channels: 8, kernel: 5, activation: relu}}, {}, linear: 5]"
    changes = {
        end: measure(graph_of(f"input: [1, 64, 64]\nlayers: {layers.format(end)}\n"), 3).changes["output"]
        for end in ("flatten", "globalavgpool")
    }
    for flat, pooled in zip(changes["flatten"], changes["globalavgpool"], strict=True):
        for far, near in zip(flat.along, pooled.along, strict=True):
            assert far is not None
            assert near is not None
            assert far > 10 * near


def test_a_map_is_moved_back_before_it_is_compared() -> None:
    graph = graph_of("input: [1, 40, 40]\nlayers:\n  - maxpool: 2\n")
    one, two = measure(graph, 2).changes["output"]
    assert one.along[0] is not None
    assert one.along[0] > 0.1
    assert two.along == (0.0, 0.0)


def test_nothing_in_both_views_has_no_change() -> None:
    graph = graph_of("input: [1, 4]\nlayers:\n  - conv: {channels: 1, kernel: 4}\n")
    assert [change.along for change in measure(graph, 2).changes["output"]] == [(None,), (None,)]


def test_heads_and_a_seed() -> None:
    text = """
input: [1, 12, 12]
layers:
  - {conv: {channels: 2, kernel: 3}, name: trunk}
heads:
  label: [globalavgpool, {linear: 3}]
  map: {from: trunk, layers: [relu]}
  aux: {from: trunk, layers: [flatten, {linear: 5}], training_only: true}
"""
    first, again = measure(graph_of(text)), measure(graph_of(text))
    assert first.changes.keys() == {"label", "map"}
    assert first == again
    other = measure_with(graph_of(text), 1)
    assert other.changes != first.changes
    assert torch.get_default_dtype() is torch.float32
