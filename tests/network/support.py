"""What several tests of networks share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cnncli.algebra import product, whole, whole_shape
from cnncli.graph import Graph, open_text
from cnncli.layers import Shape
from cnncli.network import Network, build_network

RESIDUAL = """
input: [3, 19, 22]
defaults: {conv: {padding: same}}
blocks:
  unit:
    args: {channels: , stride: 1}
    layers:
      - add:
          - - {conv: {channels: channels, kernel: 3, stride: stride, norm: batch, activation: relu}}
            - {conv: {channels: channels, kernel: 3, norm: batch}, name: last}
          - {shortcut: {channels: channels, stride: stride}, name: downsample}
      - relu
layers:
  - {conv: {channels: 4, kernel: 3, padding_mode: symmetric, bias: false}, name: stem}
  - {maxpool: {kernel: 2, padding: same}}
  - {unit: 6, repeat: 2, first: {stride: 2}, name: layer1}
  - globalavgpool
  - linear: 10
"""

SKIPS = """
input: [2, 20, 17]
layers:
  - {conv: {channels: 4, kernel: 3, activation: relu}, name: enc}
  - maxpool: 2
  - conv: {channels: 6, kernel: 3, activation: {prelu: }}
  - upsample: {scale: 2, mode: bilinear}
  - convtranspose: {channels: 4, kernel: 3, stride: 2, padding: same}
  - concat: {branches: [enc, identity], align: crop}
  - add: {branches: [[conv: {channels: 8, kernel: 3}], identity], align: pad}
  - multiply: [identity, [{globalavgpool: {keepdims: true}}, {conv: {channels: 8, kernel: 1}}, sigmoid]]
  - avgpool: {kernel: 3, stride: 2, padding: same, count_padding: false}
  - medianpool: {kernel: 2, stride: 1, padding: same}
"""

HEADS = """
input: [3, 8, 8]
layers:
  - {conv: {channels: 4, kernel: 3, norm: batch}, name: trunk}
  - relu
heads:
  label: [globalavgpool, {linear: 10}]
  aux: {from: trunk, layers: [flatten, {linear: 5}], training_only: true}
"""


def example(graph: Graph, batch: int, device: str = "cpu") -> Tensor:
    """Return a batch of random inputs of the graph's size."""
    return torch.randn(batch, *whole_shape(graph.input), device=device)


def count(shape: Shape) -> int:
    """Return the number of values in a tensor."""
    return whole(product(shape))


def graph_of(text: str) -> Graph:
    return open_text(text).graph


def network_of(text: str, device: str = "cpu") -> Network:
    torch.manual_seed(0)
    return build_network(graph_of(text), device)


def only_module(layer: str, shape: list[int]) -> nn.Module:
    """Return the module of a spec's last layer."""
    graph = graph_of(f"input: {shape}\nlayers:\n  - {layer}\n")
    torch.manual_seed(0)
    return build_network(graph).get_submodule(graph.nodes[-1].name)


def run(layer: str, x: Tensor) -> Tensor:
    """Return the output of a layer for a batch."""
    y: Any = only_module(layer, list(x.shape[1:])).eval().to(x.dtype)(x)
    assert isinstance(y, Tensor)
    return y
