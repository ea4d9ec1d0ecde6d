"""``cnncli inspect --format json``: a versioned document for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnncli.analysis.costs.figures import Costs, Figures, Row
from cnncli.analysis.costs.fully_connected import Comparison
from cnncli.graph import Graph
from cnncli.report.pages.views import View
from cnncli.report.text.json_values import number, shape_numbers, text

SCHEMA = "cnncli.inspect/1"


def document(
    graph: Graph,
    costs: Costs,
    batch: int,
    comparisons: Sequence[Comparison] | None,
    views: Sequence[View] = (),
    *,
    more: Mapping[str, Any] | None = None,
) -> str:
    """The document as text, with ``more`` keys. Figures are for ``batch`` samples, shapes for one."""
    dense = {each.node.name: each for each in comparisons or ()}
    layers = [_layer(row, dense, views) for row in costs.rows]
    outputs = {name: shape_numbers(output.shape) for name, output in graph.outputs.items()}
    whole = {"schema": SCHEMA} | summary(graph, costs, batch) | dict(more or {})
    return text(whole | {"layers": layers, "outputs": outputs})


def summary(graph: Graph, costs: Costs, batch: int) -> dict[str, Any]:
    """What a document says of a whole network."""
    totals = {"totals": _totals(costs.totals)}
    if graph.has_training_only:
        totals["training_totals"] = _totals(costs.training_totals)
    return {
        "name": graph.name,
        "spec": graph.source.name,
        "input": shape_numbers(graph.input),
        "batch": batch,
        **totals,
    }


def _totals(figures: Figures) -> dict[str, int | str]:
    return {
        "params": number(figures.params),
        "trainable_params": number(figures.params),
        "buffers": number(figures.buffers),
        "macs": number(figures.macs),
        "flops": number(figures.flops),
        "neurons": number(figures.neurons),
        "connections": number(figures.connections),
        "weights_size": number(figures.weights_size),
    }


def _layer(row: Row, dense: Mapping[str, Comparison], views: Sequence[View]) -> dict[str, Any]:
    node, figures = row
    layer: dict[str, Any] = {
        "name": node.name,
        "kind": node.kind,
        "line": node.location.line,
        "inputs": list(node.inputs),
        "output": shape_numbers(node.output),
        "params": number(figures.params),
        "buffers": number(figures.buffers),
        "macs": number(figures.macs),
        "flops": number(figures.flops),
        "neurons": number(figures.neurons),
        "connections": number(figures.connections),
    }
    if node.training_only:
        layer["training_only"] = True
    compared = dense.get(node.name)
    if compared is not None:
        layer["fully_connected"] = {
            "weights": compared.weights,
            "dense_weights": compared.dense_weights,
            "factor": compared.factor,
        }
    for view in views:
        layer |= view.document(node.name)
    return layer
