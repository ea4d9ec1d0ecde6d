"""``cnncli inspect --format json``: a versioned document for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cnncli.algebra import Dim
from cnncli.analysis.costs import Costs, Figures, Row
from cnncli.analysis.dense import Comparison
from cnncli.graph import Graph
from cnncli.layers import Shape

SCHEMA = "cnncli.inspect/1"


def render(graph: Graph, costs: Costs, batch: int, comparisons: Sequence[Comparison] | None) -> str:
    """The document as text. Figures are for ``batch`` samples, shapes for one."""
    dense = {each.node.name: each for each in comparisons or ()}
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "name": graph.name,
        "spec": graph.source.name,
        "input": _shape(graph.input),
        "batch": batch,
        "totals": _totals(costs.totals),
    }
    if graph.has_training_only:
        document["training_totals"] = _totals(costs.training_totals)
    document["layers"] = [_layer(row, dense) for row in costs.rows]
    document["outputs"] = {name: _shape(output.shape) for name, output in graph.outputs.items()}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _totals(figures: Figures) -> dict[str, int | str]:
    return {
        "params": _number(figures.params),
        "trainable_params": _number(figures.params),
        "buffers": _number(figures.buffers),
        "macs": _number(figures.macs),
        "flops": _number(figures.flops),
        "neurons": _number(figures.neurons),
        "connections": _number(figures.connections),
        "weights_size": _number(figures.weights_size),
    }


def _layer(row: Row, dense: Mapping[str, Comparison]) -> dict[str, Any]:
    node, figures = row
    layer: dict[str, Any] = {
        "name": node.name,
        "kind": node.kind,
        "line": node.location.line,
        "inputs": list(node.inputs),
        "output": _shape(node.output),
        "params": _number(figures.params),
        "buffers": _number(figures.buffers),
        "macs": _number(figures.macs),
        "flops": _number(figures.flops),
        "neurons": _number(figures.neurons),
        "connections": _number(figures.connections),
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
    return layer


def _number(value: Dim) -> int | str:
    return value if isinstance(value, int) else str(value)


def _shape(shape: Shape) -> list[int | str]:
    """Numbers, and formulas as text."""
    return [_number(dim) for dim in shape]
