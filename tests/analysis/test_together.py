"""Sizes that a network accepts together, compared with opening it at every small size."""

from __future__ import annotations

import pytest

from cnncli.analysis.sizes import near, valid_sizes
from cnncli.graph import all_sizes, open_text
from tests.graph.symbolic import accepted, spec_of

SPECS = {
    "flat": "{input: [1, 4, 6], layers: [flatten, {reshape: [24]}, {linear: 2}]}",
    "map": "{input: [1, 8, 8], layers: [{conv: {channels: 4, kernel: 3, padding: 1}}, {maxpool: 2},"
    " {reshape: [16, 2, 2]}, {conv: {channels: 2, kernel: 1}}]}",
    "pooled": "{input: [1, 10, 10], layers: [{conv: {channels: 2, kernel: 5}}, {maxpool: 2},"
    " {reshape: [18]}]}",
    "multiples": "{input: [1, 8, 4], layers: [{concat: {branches: [[{maxpool: 2},"
    " {upsample: 2}], identity]}}, {reshape: [64]}]}",
    "divided": "{input: [1, 6, 4], layers: [{reshape: [-1, 4]}, {reshape: [24]}]}",
    "unequal": "{input: [1, 9, 5], layers: [{conv: {channels: 3, kernel: [3, 1], stride: [2, 1]}},"
    " {reshape: [60]}]}",
}


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS)
def test_every_small_size(text: str) -> None:
    spec = spec_of(text)
    graph, _ = spec.graph(all_sizes(spec.input))
    sizes = [(spec.input[0], height, width) for height in range(1, 31) for width in range(1, 31)]
    numeric = {size for size in sizes if spec.graph(size)[0] is not None}
    assert graph is not None
    found = valid_sizes(graph)
    assert found.open_bounds == ()
    assert len(found.together) == 1
    assert {size for size in sizes if accepted(found, size)} == numeric
    for axis, place in zip(found.axes, range(2), strict=True):
        occurring = {each[place] for each in found.together[0].sizes}
        assert set(axis.sizes.isolated) == occurring
        assert axis.sizes.tails == ()


def test_three_axes() -> None:
    text = "{input: [1, 2, 3, 4], layers: [{reshape: [24]}]}"
    found = valid_sizes(open_text(text, size=all_sizes).graph)
    (group,) = found.together
    assert group.symbols == ("D", "H", "W")
    assert len(group.sizes) == 30
    assert group.sizes[0] == (2, 3, 4)
    assert all(depth * height * width == 24 for depth, height, width in group.sizes)


def test_two_layers_that_contradict_each_other_leave_no_size() -> None:
    text = "{input: [1, 3, 10], layers: [{maxpool: 7}, {reshape: [30], from: input}]}"
    found = valid_sizes(open_text(text, size=all_sizes).graph)
    assert found.together[0].sizes == ()
    assert not any(axis.sizes for axis in found.axes)
    assert near(found.axes, 3, together=found.together)["height"].together == {}


def test_the_nearest_combination() -> None:
    found = valid_sizes(open_text(SPECS["pooled"], size=all_sizes).graph)
    close = near(found.axes, 12, together=found.together)
    assert close["height"].together == {"height": 11, "width": 11}
    assert not close["height"].fits
    assert near(found.axes, 10, together=found.together)["width"].fits
    # Both 9 and 23 occur, 9 x 9 does not.
    assert not near(found.axes, 8, together=found.together)["height"].fits


def test_what_is_too_much_stays_a_condition() -> None:
    text = f"{{input: [1, 8, 8], layers: [{{reshape: [{10**9}, 1000]}}]}}"
    found = valid_sizes(open_text(text, size=all_sizes).graph)
    assert found.together == ()
    assert [str(bound.condition) for bound in found.open_bounds] == [f"H*W - {10**12} == 0"]
