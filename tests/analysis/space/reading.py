"""What a network really reads, measured with torch: the oracle for receptive fields.

Every layer is made linear, with weights of one, so that nothing cancels out; then an impulse at an input
position reaches exactly the outputs whose gradient at that position is not zero. All impulses along an
axis go through the network together, as one batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cnncli.graph import Graph, Node
from cnncli.language.description import INPUT
from cnncli.layers import EACH
from cnncli.layers.geometry.window import POINT
from cnncli.layers.joins import Add, Multiply
from cnncli.layers.kind import Kind
from cnncli.layers.pooling import AdaptiveAvgPool, AdaptivePool, AvgPool, GlobalAvgPool, GlobalPool, Pool
from cnncli.layers.shaping import Identity
from cnncli.network.registry import arguments, build


def linear(node: Node) -> Node:
    """Return a node that reads the same and is linear."""
    return node._replace(layer=_linear(node.layer, node))


def _linear(layer: Kind[Any], node: Node) -> Kind[Any]:
    if isinstance(layer, Multiply):
        return Add(align=layer.align)
    if isinstance(layer, AdaptivePool):
        return AdaptiveAvgPool(size=layer.size)
    if isinstance(layer, GlobalPool):
        return GlobalAvgPool(keepdims=layer.keepdims)
    if isinstance(layer, Pool):
        return AvgPool(
            kernel=layer.kernel,
            stride=layer.stride,
            padding=layer.padding,
            ceil_mode=layer.ceil_mode,
            count_padding=True,
        )
    # Activations and normalizations that read one position, and do nothing if everything is positive.
    (extent, *others) = node.layer.extents(node.input_shape)
    by_itself = extent is EACH or extent == (POINT,) * (len(node.output_shape) - 1)
    if by_itself and not others and node.kind not in ("conv", "shortcut", "channelshuffle", "convtranspose"):
        return Identity()
    # Padded positions read nothing.
    mode = {"conv": "padding_mode", "pad": "mode"}.get(node.kind)
    return layer if mode is None else type(layer)(**(vars(layer) | {mode: "zeros"}))


def reached(graph: Graph, axis: int) -> Mapping[str, Tensor]:
    """Return for every node a table of bools: which input position along the axis reaches which output.

    Nodes after one that reads every position or rearranges them are left out.
    """
    size = [n for n in graph.input if isinstance(n, int)]
    count = size[axis + 1]
    impulses = torch.zeros((count, *size), dtype=torch.float64)
    impulses.movedim(axis + 2, 1).diagonal(dim1=0, dim2=1).fill_(1.0)
    values = {INPUT: impulses}
    with torch.no_grad():
        for node in map(linear, graph.nodes):
            placed = all(
                isinstance(each, tuple) or each is EACH for each in node.layer.extents(node.input_shape)
            )
            if placed and set(node.inputs) <= values.keys():
                values[node.name] = module(node)(
                    *arguments(node.layer, [values[name] for name in node.inputs])
                )
    return {name: _any_along(value, axis) for name, value in values.items()}


def module(node: Node) -> torch.nn.Module:
    """Return its module for inference, with weights of one and without biases."""
    made = build(node).double().eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.fill_(0.0 if name.rpartition(".")[2] == "bias" else 1.0)
    return made


def _any_along(value: Tensor, axis: int) -> Tensor:
    others = [each for each in range(1, value.ndim) if each != axis + 2]
    return value.amax(others) > 0
