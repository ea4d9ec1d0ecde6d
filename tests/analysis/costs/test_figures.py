"""Figures worked out by hand, and how totals are made."""

from __future__ import annotations

import pytest

from cnncli.algebra import evaluate, symbol
from cnncli.analysis.costs.figures import Figures, costs, total
from cnncli.analysis.costs.fully_connected import compare
from cnncli.graph import open_spec, open_text

HEADS = """
input: [1, 8, 8]
layers:
  - {conv: {channels: 2, kernel: 3}, name: trunk}
heads:
  main: [flatten, linear: 4]
  extra: {from: trunk, layers: [globalavgpool, linear: 3], training_only: true}
"""


def by_name(text: str) -> dict[str, Figures]:
    return {row.node.name: row.figures for row in costs(open_text(text).graph).rows}


def test_lenet5() -> None:
    figures = {row.node.name: row.figures for row in costs(open_spec("specs/lenet5.yaml").graph).rows}
    assert {name: each.params for name, each in figures.items() if each.params} == {
        "conv1": 156,
        "conv2": 2416,
        "linear1": 48120,
        "linear2": 10164,
        "linear3": 850,
    }
    # The paper counts C1's connections: (25 + 1) x 6 x 28 x 28.
    assert figures["conv1"].connections == 122_304
    assert figures["linear1"].connections == 48_120


def test_each_figure_of_a_small_network() -> None:
    figures = by_name(
        """
        input: [2, 5, 5]
        layers:
          - conv: {channels: 3, kernel: 2, norm: batch, activation: relu}
          - maxpool: 2
          - flatten
          - linear: {features: 4, bias: false}
        """
    )
    # 3 kernels of 2x2 over 2 channels at 4x4 places; 48 values.
    assert figures["conv1"] == Figures(27, 0, 24 * 16, 2 * 24 * 16 + 48, 48, 48, 24 * 16 + 48)
    assert figures["conv1_norm"] == Figures(6, 6, 0, 4 * 48, 0, 48, 2 * 48)
    assert figures["conv1_activation"] == Figures(0, 0, 0, 48, 0, 48, 0)
    # Three comparisons for each of 3x2x2 outputs.
    assert figures["maxpool1"] == Figures(0, 0, 0, 36, 0, 12, 0)
    assert figures["flatten1"] == Figures(0, 0, 0, 0, 0, 12, 0)
    assert figures["linear1"] == Figures(48, 0, 48, 96, 4, 4, 48)


def test_grouped_and_transposed_macs() -> None:
    figures = by_name(
        """
        input: [4, 6, 6]
        layers:
          - conv: {channels: 8, kernel: 3, groups: 2, padding: same, bias: false}
          - convtranspose: {channels: 2, kernel: 2, stride: 2, bias: false}
        """
    )
    # The full kernel counts over padding too; a group sees half of the channels.
    assert figures["conv1"].macs == 8 * 36 * (4 // 2) * 9
    # A transposed convolution places its kernel at every INPUT position.
    assert figures["convtranspose1"].macs == 8 * 2 * 4 * 36


def test_totals_are_the_sums_of_the_rows() -> None:
    found = costs(open_spec("specs/lenet5.yaml").graph)
    for figure in Figures._fields:
        assert getattr(found.totals, figure) == sum(getattr(row.figures, figure) for row in found.rows)
    assert total([]) == Figures()


def test_a_batch_multiplies_work_but_not_weights() -> None:
    graph = open_spec("specs/lenet5.yaml").graph
    one, many = costs(graph).totals, costs(graph, batch=8).totals
    assert (many.params, many.buffers) == (one.params, one.buffers)
    assert many[2:] == tuple(8 * each for each in one[2:])


def test_heads_for_training_only_are_counted_apart() -> None:
    found = costs(open_text(HEADS).graph)
    assert {row.node.name for row in found.rows if row.node.training_only} == {
        "extra.globalavgpool1",
        "extra.linear1",
    }
    assert found.totals.params == 20 + 72 * 4 + 4
    assert found.training_totals.params == 20 + 72 * 4 + 4 + 2 * 3 + 3


def test_formulas_for_every_input_size() -> None:
    opened = open_text("input: [3, 40, 30]\nlayers: [conv: {channels: 8, kernel: 5, stride: 2}]")
    layer = opened.graph.nodes[0].layer
    x = (3, symbol("H"), symbol("W"))
    macs = layer.macs(x, layer.output(x))
    assert evaluate(macs, {"H": 40, "W": 30}) == costs(opened.graph).totals.macs


def test_the_lectures_comparison() -> None:
    graph = open_text("input: [1, 64, 64]\nlayers: [flatten, linear: 128]").graph
    (comparison,) = compare(graph)
    assert (comparison.weights, comparison.dense_weights, comparison.factor) == (524_288, 524_288, 1)
    graph = open_text("input: [1, 64, 64]\nlayers: [conv: {channels: 16, kernel: 5}]").graph
    (comparison,) = compare(graph)
    assert (comparison.weights, comparison.dense_weights) == (400, 64 * 64 * 16 * 60 * 60)


@pytest.mark.parametrize(
    ("layer", "shape", "operations"),
    [
        # 9 windows of 4: 3 additions, a product and the bias, in each of 2 channels.
        ("subsample: 2", [2, 6, 6], 2 * 9 * 5),
        # For each class and feature a difference and a square, and 83 additions.
        ("rbf: 3", [84], 3 * (84 + 84 + 83)),
        # Two values each: two squares, an addition and a root.
        ("capsulelength", [3, 2], 3 * (2 + 1 + 1)),
        ("capsulemask", [3, 2], 3 * (2 + 1 + 1) + 2),
        # 2 input capsules of 2 values and 3 outputs of 4, squashed with 3 operations a value; one round: a
        # softmax of 5 over 6 couplings, a product and an addition for each of 24 values of a prediction.
        ("capsules: {count: 3, size: 4, reads: 2, routings: 1}", [4, 1], 3 * 4 + 3 * 12 + 5 * 6 + 2 * 24),
        # Another round: squashing, softmax and sums again, and the agreement of the first, as much as a sum.
        (
            "capsules: {count: 3, size: 4, reads: 2, routings: 2}",
            [4, 1],
            3 * 4 + 2 * (3 * 12 + 5 * 6 + 2 * 24) + 2 * 24,
        ),
        # 16 positions, 2 outputs: a bias each.
        ("conv: {channels: 2, kernel: 1, table: [[0], [0, 1]], flip: true}", [2, 4, 4], 2 * 16),
    ],
)
def test_operations_counted_by_hand(layer: str, shape: list[int], operations: int) -> None:
    (node,) = open_text(f"input: {shape}\nlayers:\n  - {layer}\n").graph.nodes
    assert node.layer.operations(node.input_shape, node.output_shape) == operations
