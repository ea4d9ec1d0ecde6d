"""Convolution against the lecture's formula and scipy.ndimage, and with a table of connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from cnncli.diagnostics import SpecError
from cnncli.graph import open_text
from cnncli.network import build_network
from tests.network.support import only_module

Array = NDArray[np.float64]

# Which of the positions 0 .. n - 1 is at an index i - p of the lecture's formula that may be outside of them.
OUTSIDE: dict[str, Callable[[int, int], int | None]] = {
    "zeros": lambda i, n: i if 0 <= i < n else None,
    "symmetric": lambda i, n: i if 0 <= i < n else -i - 1 if i < 0 else 2 * n - 1 - i,
}


def lecture(x: Array, w: Array, pads: tuple[int, int], mode: str) -> Array:
    """a[i, j] = sum over p, q of x[i - p, j - q] w[p, q], where it is defined on the padded image.

    ``pads`` are the positions added before and after, along both axes.
    """
    (height, width), (rows, columns) = x.shape, w.shape
    before, after = pads
    # The mirrored kernel extends backward: in the first full placement its last element is on position 0.
    out = np.zeros((height + before + after - rows + 1, width + before + after - columns + 1))
    for i, j in np.ndindex(*out.shape):
        for p, q in np.ndindex(rows, columns):
            row = OUTSIDE[mode](i + rows - 1 - p - before, height)
            column = OUTSIDE[mode](j + columns - 1 - q - before, width)
            if row is not None and column is not None:
                out[i, j] += x[row, column] * w[p, q]
    return out


def convolved(x: Array, w: Array, arguments: str) -> Array:
    """Return what a ``conv`` of one channel computes."""
    kernel = list(w.shape)
    layer = f"conv: {{channels: 1, kernel: {kernel}, bias: false, {arguments}}}"
    module = only_module(layer, [1, *x.shape]).double()
    with torch.no_grad():
        module.get_parameter("weight").copy_(torch.from_numpy(w)[None, None])
        y: Tensor = module(torch.from_numpy(x)[None, None])
    return y[0, 0].numpy()


def picture(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape)


PADDINGS: dict[str, Callable[[int], tuple[tuple[int, int], str]]] = {
    "padding: valid": lambda _: ((0, 0), "zeros"),
    "padding: same": lambda k: (((k - 1) // 2, k - 1 - (k - 1) // 2), "zeros"),
    "padding: same, padding_mode: symmetric": lambda k: (((k - 1) // 2, k - 1 - (k - 1) // 2), "symmetric"),
}


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_flipped_it_is_the_lectures_formula_to_the_letter(k: int, padding: str) -> None:
    x, w = picture(8, 7), picture(k, k)
    pads, mode = PADDINGS[padding](k)
    assert np.allclose(convolved(x, w, f"{padding}, flip: true"), lecture(x, w, pads, mode), atol=1e-12)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("k", [2, 3])
def test_unflipped_it_is_that_formula_with_the_kernel_mirrored(k: int, padding: str) -> None:
    x, w = picture(8, 7), picture(k, k)
    pads, mode = PADDINGS[padding](k)
    mirrored = lecture(x, w[::-1, ::-1], pads, mode)
    assert np.allclose(convolved(x, w, padding), mirrored, atol=1e-12)
    assert not np.allclose(convolved(x, w, f"{padding}, flip: true"), mirrored)


@pytest.mark.parametrize("mode", ["zeros", "symmetric"])
@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (1, 7)])
def test_same_is_scipys(shape: tuple[int, int], mode: str) -> None:
    x, w = picture(9, 8), picture(*shape)
    theirs = {"zeros": "constant", "symmetric": "reflect"}[mode]  # scipy's reflect repeats the edge
    arguments = f"padding: same, padding_mode: {mode}"
    flipped = convolved(x, w, f"{arguments}, flip: true")
    assert np.allclose(flipped, ndimage.convolve(x, w, mode=theirs), atol=1e-12)
    assert np.allclose(convolved(x, w, arguments), ndimage.correlate(x, w, mode=theirs), atol=1e-12)


@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("flip", ["true", "false"])
def test_strides_take_every_nth_of_the_valid_positions(stride: int, flip: str) -> None:
    x, w = picture(11, 10), picture(3, 3)
    whole = convolved(x, w, f"flip: {flip}")
    assert np.array_equal(convolved(x, w, f"flip: {flip}, stride: {stride}"), whole[::stride, ::stride])


def test_a_flipped_kernel_keeps_its_name_and_shape() -> None:
    plain, flipped = (
        only_module(f"conv: {{channels: 3, kernel: [2, 3], flip: {flip}}}", [2, 5, 5])
        for flip in ("false", "true")
    )
    shapes = [{key: value.shape for key, value in each.state_dict().items()} for each in (plain, flipped)]
    assert shapes[0] == shapes[1]


# -- tables of connections -------------------------------------------------------------------------

TABLES = [
    [[0], [1, 2], [3, 0], [0, 1, 2, 3]],
    [[3], [3], [0, 2]],
    [[0, 1, 2, 3], [0, 1, 2, 3]],
    [[2, 1]],
]


@pytest.mark.parametrize("arguments", ["kernel: 3", "kernel: [2, 3], stride: 2, padding: same, flip: true"])
@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_table_is_a_convolution_with_the_other_kernels_zero(table: list[list[int]], arguments: str) -> None:
    torch.manual_seed(0)
    layer = f"conv: {{channels: {len(table)}, {arguments}, table: {table}}}"
    sparse: Any = only_module(layer, [4, 7, 8]).double()
    sparse.bias.data.normal_()
    dense: Any = only_module(f"conv: {{channels: {len(table)}, {arguments}}}", [4, 7, 8]).double()
    kernels = iter(sparse.weight.detach())
    dense.weight.data.zero_()
    for out, row in enumerate(table):
        for channel in sorted(row):
            dense.weight.data[out, channel] = next(kernels)
    assert next(kernels, None) is None
    dense.bias.data.copy_(sparse.bias.data)
    x = torch.randn(2, 4, 7, 8, dtype=torch.float64)
    assert torch.allclose(sparse(x), dense(x))
    y, z = sparse(x).sum(), dense(x).sum()
    y.backward()
    z.backward()
    places = [(out, channel) for out, row in enumerate(table) for channel in sorted(row)]
    wanted = torch.stack([dense.weight.grad[place] for place in places])
    assert torch.allclose(sparse.weight.grad, wanted)


def test_only_connections_are_counted() -> None:
    conv = "conv: {channels: 3, kernel: 3, stride: 2, table: [[0], [1, 2], [3]]}"
    (node,) = open_text(f"input: [4, 9, 9]\nlayers: [{conv}]").graph.nodes
    positions, connections = 4 * 4, 4
    assert node.parameters == {"weight": (connections, 3, 3), "bias": (3,)}
    assert node.layer.macs(node.input_shape, node.output_shape) == connections * 9 * positions
    assert node.layer.connections(node.input_shape, node.output_shape) == (connections * 9 + 3) * positions


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_table_needs_no_place_for_its_indices(device: str) -> None:
    graph = open_text("input: [4, 5, 5]\nlayers: [conv: {channels: 1, kernel: 2, table: [[1, 3]]}]").graph
    network = build_network(graph, device)
    assert list(network.state_dict()) == ["conv1.weight", "conv1.bias"]
    output = network(torch.zeros(1, 4, 5, 5, device=device))
    assert isinstance(output, Tensor)
    assert output.shape == (1, 1, 4, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("table: [[0], [1]]", "does not have one row per output channel"),
        ("table: [[0], [1], [4]]", "names an input channel that does not exist"),
        ("table: [[0], [1], [2, 1, 2]]", "lists input channel 2 twice"),
        ("table: [[0], [1], []]", "cannot be"),
        ("table: [[0], [1], [-1]]", "cannot be"),
        ("table: [wrong, [0], wrong]", "cannot be 'wrong'"),
        ("table: all", "cannot be"),
        ("table: {0: [1]}", "cannot be"),
        ("table: [[0], [1], [a]]", "unknown name 'a'"),
    ],
)
def test_wrong_tables_are_located(arguments: str, message: str) -> None:
    text = f"input: [4, 5, 5]\nlayers:\n  - conv: {{channels: 3, kernel: 2, {arguments}}}\n"
    with pytest.raises(SpecError) as caught:
        open_text(text)
    faults = caught.value.diagnostics
    assert len(faults) == max(arguments.count("wrong"), 1)
    for fault in faults:
        assert message in fault.message
        assert fault.location is not None
        assert fault.location.line == 3
        assert fault.location.column >= text.splitlines()[2].index("table") + 1


def test_a_table_and_groups_exclude_each_other() -> None:
    text = "input: [4, 5, 5]\nlayers:\n  - conv: {channels: 2, kernel: 2, groups: 2, table: [[0], [1]]}\n"
    with pytest.raises(SpecError, match="a table or groups"):
        open_text(text)
