"""Where the resolution changes: which layers stand in which stage."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cnncli.analysis.costs.stages import stages
from cnncli.graph import Node
from tests.language.support import graph
from tests.specs.support import graph as shipped


def names(nodes: Sequence[Node]) -> list[str]:
    return [node.name for node in nodes]


def test_resnet_18_has_the_resolutions_of_its_table_1() -> None:
    maps, vectors = stages(shipped("resnet/resnet18"))
    # He et al., 2015, table 1: 112x112, 56x56, 28x28, 14x14, 7x7; before them the image.
    found = [{node.output_shape[1:] for node in stage.ends} for stage in maps]
    assert found == [{(n, n)} for n in (112, 56, 28, 14, 7)] + [set()]
    assert [{node.output_shape[1:] for node in stage.layers} for stage in maps[1:]] == [*found[:-1]]
    assert [names(stage.ends) for stage in maps[:3]] == [
        ["conv1"],
        ["maxpool"],
        ["layer2.0.conv1", "layer2.0.downsample"],
    ]
    assert names(vectors) == ["avgpool", "fc"]


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ("[[{maxpool: 2, name: a}, {maxpool: 2, name: b}], [{maxpool: 4, name: c}]]", (["a", "c"], ["b"])),
        ("[[{conv: {channels: 3, kernel: 4, stride: 4}, name: a}], [{maxpool: 4, name: b}]]", (["a", "b"],)),
    ],
)
def test_where_branches_join_the_way_with_most_changes_counts(
    branches: str, expected: tuple[list[str], ...]
) -> None:
    maps, _ = stages(graph(f"layers: [{{add: {branches}, name: sum}}]"))
    assert tuple(names(stage.ends) for stage in maps[:-1]) == expected
    assert names(maps[-1].layers) == ["sum"]


def test_a_network_of_nothing_that_matters() -> None:
    assert stages(graph("layers: [relu, {maxpool: 1}, flatten]")) == ([], [])
