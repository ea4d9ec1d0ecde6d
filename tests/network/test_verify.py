"""The comparison with torch and torchinfo, which notices wrong figures."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchinfo

from cnncli.algebra import summed, whole
from cnncli.diagnostics import CnncliError
from cnncli.graph import Graph, Node
from cnncli.network import build_network
from cnncli.network.verify import BIAS, BOTH, SCALES, SUM, TABLE, TRACKED, TRANSPOSED, verify
from cnncli.results.verify import Compared
from tests.generate import random_graphs, random_spec
from tests.network.support import graph_of

TEXT = """
input: [4, 9, 8]
layers:
  - conv: {channels: 4, kernel: 3, stride: 2, padding: same, groups: 2, norm: batch, activation: prelu}
  - {convtranspose: {channels: 6, kernel: 2, stride: 2}, name: with_bias}
  - convtranspose: {channels: 6, kernel: 3, stride: 2, padding: same, bias: false, groups: 3}
    name: without_bias
  - shortcut: {channels: 8, stride: 2}
  - conv: {channels: 8, kernel: 1, bias: false}
  - layernorm: {over: channels}
  - globalavgpool
  - linear: 10
heads:
  main: [identity]
  aux: {from: conv1, layers: [flatten, {linear: 3}], training_only: true}
"""


def rows_of(rows: tuple[Compared, ...]) -> dict[tuple[str, str], Compared]:
    return {(row.name, row.figure): row for row in rows}


def test_every_difference_is_explained() -> None:
    report = verify(graph_of(TEXT))
    assert report.ok
    explained = {row.name: row.explanation for row in report.differences}
    assert {row.figure for row in report.differences} == {"MACs (torchinfo)"}
    assert explained == {
        "conv1": BIAS,
        "conv1_norm": SCALES,
        "conv1_activation": SCALES,
        "with_bias": BOTH,
        "without_bias": TRANSPOSED,
        "shortcut1": SCALES,
        "layernorm1": SCALES,
        "linear1": BIAS,
        "aux.linear1": BIAS,
    }


def test_layers_that_torch_has_none_of() -> None:
    report = verify(
        graph_of(
            """
input: [6, 9, 8]
layers:
  - {conv: {channels: 4, kernel: 3, table: [[0, 3], [5], [1], [0, 1, 2, 3, 4, 5]]}, name: table}
  - {conv: {channels: 4, kernel: 3, flip: true, bias: false}, name: flipped}
  - subsample: 2
  - {capsules: {count: 3, size: 2, reads: 2}, name: capsules}
  - flatten
  - {linear: {features: 84, bias: false}, name: linear}
  - rbf: 10
"""
        )
    )
    assert report.ok
    assert [(row.name, row.figure, row.ours, row.theirs, row.explanation) for row in report.differences] == [
        ("table", "MACs (torch)", 10 * 9 * 42, 24 * 9 * 42, TABLE),
        ("table", "MACs (torchinfo)", 10 * 9 * 42, (10 * 9 + 4) * 42, BIAS),
        ("subsample1", "MACs (torchinfo)", 0, 8, SCALES),
    ]


def test_totals_are_there_whether_they_differ_or_not() -> None:
    graph = graph_of(TEXT)
    totals = rows_of(verify(graph).totals)
    macs = whole(summed(node.layer.macs(node.input_shape, node.output_shape) for node in graph.nodes))
    assert totals["total", "MACs (torch)"] == Compared("total", "MACs (torch)", macs, macs)
    row = totals["total", "MACs (torchinfo)"]
    assert (row.ours, row.explanation) == (macs, SUM)
    assert row.theirs != macs
    row = totals["total", "buffers"]
    assert (row.ours, row.theirs, row.explanation) == (2 * 4 + 2 * 8, 2 * 4 + 2 * 8 + 2, TRACKED)


def test_torchinfo_is_shown_what_a_person_would_show_it() -> None:
    """torchinfo's own summary of a network without groups has the same total as the report."""
    graph = graph_of(
        "input: [3, 8, 8]\nlayers:\n  - conv: {channels: 4, kernel: 3}\n  - batchnorm\n  - relu\n"
    )
    network = build_network(graph, "meta")
    x = torch.empty(1, 3, 8, 8, device="meta")
    theirs = torchinfo.summary(network, input_data=x, device="meta", verbose=0).total_mult_adds
    assert rows_of(verify(graph).totals)["total", "MACs (torchinfo)"].theirs == theirs


def changed(graph: Graph, number: int, **fields: Any) -> Graph:
    nodes = list(graph.nodes)
    nodes[number] = nodes[number]._replace(**fields)
    return graph._replace(nodes=tuple(nodes))


SMALL = "input: [3, 8, 8]\nlayers:\n  - conv: {channels: 4, kernel: 3}\n  - batchnorm\n  - relu\n"


@pytest.mark.parametrize(
    ("number", "fields", "figure"),
    [
        (0, {"output_shape": (4, 7, 6)}, "output"),
        (0, {"parameters": {"weight": (4, 3, 3, 3), "bias": (5,)}}, "parameter bias"),
        (0, {"parameters": {"weight": (4, 3, 3, 3)}}, "parameter bias"),
        (0, {"parameters": {"weight": (4, 3, 3, 3), "bias": (4,), "more": (1,)}}, "parameter more"),
        (1, {"buffers": {}}, "buffer running_mean"),
        (1, {"buffers": {"running_mean": (4,), "running_var": (1,)}}, "buffer running_var"),
    ],
)
def test_a_wrong_analysis_is_noticed(number: int, fields: dict[str, Any], figure: str) -> None:
    graph = changed(graph_of(SMALL), number, **fields)
    report = verify(graph)
    assert not report.ok
    assert (graph.nodes[number].name, figure) in rows_of(report.unexplained)


def test_wrong_costs_are_noticed_in_node_and_total(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(SMALL)
    monkeypatch.setattr(type(graph.nodes[0].layer), "macs", lambda *_: 7)
    unexplained = rows_of(verify(graph).unexplained)
    assert ("conv1", "MACs (torch)") in unexplained
    assert ("total", "MACs (torch)") in unexplained


def test_costs_that_only_torchinfo_disputes_need_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from cnncli.network import verify as module

    monkeypatch.setattr(module, "_predicted", lambda _: -1)
    report = verify(graph_of(SMALL))
    assert {row.figure for row in report.unexplained} == {"MACs (torchinfo)"}


def test_a_node_that_torch_cannot_run_is_reported_and_the_rest_compared() -> None:
    graph = graph_of("input: [3, 8, 8]\nlayers:\n  - conv: {channels: 4, kernel: 3}\n  - relu\n")
    wrong = graph.nodes[0]._replace(input_shapes=((5, 8, 8),))
    report = verify(graph._replace(nodes=(wrong, graph.nodes[1])))
    row = rows_of(report.unexplained)["conv1", "output"]
    assert row.ours == "4x6x6"
    assert str(row.theirs).startswith("an error: ")


def test_an_output_that_torch_cannot_address_is_refused_at_its_node() -> None:
    graph = graph_of("input: [2, 2097152, 2097152]\nlayers:\n  - relu\n  - upsample: 1024\n")
    with pytest.raises(CnncliError, match=r":4:5: upsample1: torch cannot hold the output"):
        verify(graph)


@pytest.mark.slow
def test_random_specs_verify() -> None:
    graphs = dict(random_graphs(range(20)))
    assert len(graphs) >= 10
    for seed, graph in graphs.items():
        report = verify(graph)
        assert report.ok, (report.unexplained, random_spec(seed))
        assert report.compared > 3 * len(graph.nodes)


def test_rows_of_nodes_come_in_the_order_of_the_graph() -> None:
    graph = graph_of(TEXT)
    order: list[Node] = list(graph.nodes)
    names = [row.name for row in verify(graph).differences]
    assert names == sorted(names, key=[node.name for node in order].index)
