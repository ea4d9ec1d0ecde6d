"""Pooling, compared with every window computed separately."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from cnncli.algebra import symbol
from cnncli.diagnostics import ShapeError, SpecError
from cnncli.graph import open_text
from cnncli.layers.geometry.window import Window
from cnncli.layers.pooling import Pool
from cnncli.network.pooling import Maximum, Mean
from tests.network.support import only_module, run

FIGURES: dict[str, Callable[[list[float]], float]] = {
    "maxpool": max,
    "minpool": min,
    "medianpool": statistics.median,
    "avgpool": statistics.fmean,
}
ARGUMENTS = [
    "kernel: 2",
    "kernel: 3, stride: 2",
    "kernel: 3, stride: 2, padding: same",
    "kernel: 2, stride: 1, padding: same",
    "kernel: 4, stride: 3, padding: half",
    "kernel: 3, stride: 1, padding: 1",
    "kernel: 3, stride: 2, padding: 1, ceil_mode: true",
    "kernel: 2, stride: 3, ceil_mode: true",
    "kernel: 2, stride: 2, padding: same, ceil_mode: true",
]
SIDES = "kernel: [3, 2], stride: 2, padding: {top: 1, right: 1}"


def windows_of(layer: str, shape: tuple[int, ...]) -> tuple[Window, ...]:
    kind = open_text(f"input: {list(shape)}\nlayers:\n  - {layer}\n").graph.nodes[0].layer
    assert isinstance(kind, Pool)
    return kind.windows(shape)


def seen(x: Tensor, windows: tuple[Window, ...]) -> Iterator[tuple[tuple[int, ...], list[float], int]]:
    """Yield for every output position the values in its window and the number of its padded positions."""
    sizes = x.shape
    placements: list[Any] = [window.placements(n) for window, n in zip(windows, sizes, strict=True)]
    places = [range(number) for number in placements]
    for position in itertools.product(*places):
        inside, in_pads = [], 0
        spans = []
        for window, n, place in zip(windows, sizes, position, strict=True):
            before, after = window.pads(n)
            start = place * window.stride - before
            spans.append([i for i in range(start, start + window.extent, window.dilation) if i < n + after])
        for index in itertools.product(*spans):
            if all(0 <= i < n for i, n in zip(index, sizes, strict=True)):
                inside.append(float(x[index]))
            else:
                in_pads += 1
        yield position, inside, in_pads


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.parametrize(
    ("arguments", "sizes"),
    [
        *itertools.product(ARGUMENTS, [(9,), (8, 7)]),
        ("kernel: 2, padding: same", (3, 5, 4)),
        ("kernel: 3, stride: 2, padding: 1", (2, 3, 4)),
        (SIDES, (6, 7)),
    ],
    ids=str,
)
def test_every_window_has_its_figure(kind: str, arguments: str, sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, *sizes, dtype=torch.float64)
    for count_padding in (True, False) if kind == "avgpool" else (True,):
        more = "" if count_padding else ", count_padding: false"
        layer = f"{kind}: {{{arguments}{more}}}"
        y = run(layer, x)
        for position, inside, in_pads in seen(x[1, 2], windows_of(layer, (3, *sizes))):
            zeros = [0.0] * in_pads if kind == "avgpool" and count_padding else []
            wanted = FIGURES[kind]([*inside, *zeros])
            assert y[(1, 2, *position)].item() == pytest.approx(wanted, abs=1e-12), (layer, position)


@pytest.mark.parametrize("count_padding", [True, False])
@pytest.mark.parametrize("ceil_mode", [True, False])
@pytest.mark.parametrize("n", [7, 8, 9, 10])
def test_own_average_is_torchs_where_torch_has_one(n: int, ceil_mode: bool, count_padding: bool) -> None:
    x = torch.randn(2, 3, n, n, dtype=torch.float64)
    window = Window(3, 2, before=1, after=1, ceil_mode=ceil_mode)
    theirs = nn.AvgPool2d(3, 2, 1, ceil_mode, count_padding)(x)
    assert torch.allclose(Mean([window] * 2, count_padding=count_padding)(x), theirs)
    theirs = nn.MaxPool2d(3, 2, 1, ceil_mode=ceil_mode)(x)
    assert torch.equal(Maximum([window] * 2)(x), theirs)


@pytest.mark.parametrize("sign", [1, -1])
def test_padding_never_wins(sign: int) -> None:
    x = torch.full((1, 1, 5, 5), -3.0 * sign)
    for kind in ("maxpool", "minpool", "medianpool"):
        assert (run(f"{kind}: {{kernel: 2, padding: same}}", x) == -3 * sign).all()


def test_native_layers_where_torch_has_them() -> None:
    assert type(only_module("maxpool: {kernel: 3, stride: 2, padding: 1}", [2, 8, 8])) is nn.MaxPool2d
    assert type(only_module("maxpool: {kernel: 3, stride: 1, padding: same}", [2, 8])) is nn.MaxPool1d
    assert type(only_module("avgpool: 2", [2, 4, 4, 4])) is nn.AvgPool3d


def test_median_learns_through_the_middle_value() -> None:
    x = torch.tensor([[[1.0, 5.0, 3.0, 2.0, 8.0, 4.0]]], requires_grad=True)
    y = only_module("medianpool: 3", [1, 6])(x)
    y.sum().backward()
    assert y.tolist() == [[[3, 4]]]
    assert x.grad is not None
    assert x.grad.tolist() == [[[0, 0, 1, 0, 0, 1]]]


def test_global_pooling_takes_every_position() -> None:
    x = torch.randn(2, 3, 4, 5)
    assert torch.allclose(run("globalavgpool", x), x.mean((2, 3)))
    assert torch.equal(run("globalmaxpool: {keepdims: true}", x), x.amax((2, 3), keepdim=True))


# -- beside scipy ----------------------------------------------------------------------------------

FILTERS: dict[str, Any] = {
    "maxpool": ndimage.maximum_filter,
    "minpool": ndimage.minimum_filter,
    "medianpool": ndimage.median_filter,
    "avgpool": ndimage.uniform_filter,
}


def picture(height: int, width: int) -> Tensor:
    return torch.randn(height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(height))


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kind", FILTERS)
def test_valid_pooling_is_scipys_filter_away_from_the_borders(kind: str, stride: int, k: int) -> None:
    x = picture(11, 12)
    theirs = FILTERS[kind](x.numpy(), size=k)[k // 2 : 11 - k // 2 : stride, k // 2 : 12 - k // 2 : stride]
    ours = run(f"{kind}: {{kernel: {k}, stride: {stride}}}", x[None, None])[0, 0]
    assert np.allclose(ours.numpy(), theirs, atol=1e-12)


@pytest.mark.parametrize(("kind", "value"), [("maxpool", -np.inf), ("minpool", np.inf), ("avgpool", 0.0)])
def test_same_pooling_is_scipys_filter_with_what_cannot_win_outside(kind: str, value: float) -> None:
    x = picture(8, 9)
    theirs = FILTERS[kind](x.numpy(), size=3, mode="constant", cval=value)
    ours = run(f"{kind}: {{kernel: 3, stride: 1, padding: same}}", x[None, None])[0, 0]
    assert np.allclose(ours.numpy(), theirs, atol=1e-12)


@pytest.mark.parametrize("kind", FILTERS)
def test_pooling_after_symmetric_padding_is_scipys_filter(kind: str) -> None:
    x = picture(8, 9)
    theirs = FILTERS[kind](x.numpy(), size=3, mode="reflect")  # scipy's reflect repeats the edge
    padded = run("pad: {amount: 1, mode: symmetric}", x[None, None])
    ours = run(f"{kind}: {{kernel: 3, stride: 1}}", padded)[0, 0]
    assert np.allclose(ours.numpy(), theirs, atol=1e-12)


DILATED = [
    "kernel: 3, stride: 1, dilation: 2",
    "kernel: 2, stride: 2, dilation: 3, padding: 1, ceil_mode: true",
    "kernel: 3, stride: 2, dilation: 2, padding: half",
    "kernel: 2, stride: 1, dilation: 4, padding: same",
    "kernel: 2, stride: 1, dilation: 4, padding: 2",
]


@pytest.mark.parametrize("arguments", DILATED)
@pytest.mark.parametrize("sizes", [(9,), (8, 7), (6, 5, 7)])
def test_every_dilated_window_has_its_maximum(arguments: str, sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, *sizes, dtype=torch.float64)
    layer = f"maxpool: {{{arguments}}}"
    y = run(layer, x)
    for position, inside, _ in seen(x[1, 2], windows_of(layer, (3, *sizes))):
        assert y[(1, 2, *position)].item() == max(inside), (layer, position)


def test_a_dilated_window_never_misses_the_input() -> None:
    """Kernel 2, dilation 4, two pads: on three positions a window would read -2 and 2, on one only pads."""
    layer = "maxpool: {kernel: 2, stride: 1, dilation: 4, padding: 2}"
    with pytest.raises(ShapeError, match="could miss the whole input") as caught:
        open_text(f"input: [1, 3]\nlayers:\n  - {layer}\n")
    assert caught.value.diagnostics[0].expected == "at least 4 positions, as many as the dilation"
    for n in range(4, 12):
        assert torch.isfinite(run(layer, torch.randn(1, 1, n))).all(), n


@pytest.mark.parametrize(
    ("layer", "shape", "output"),
    [
        ("adaptiveavgpool: [null, 1]", (2, 5, 7), (2, 5, 1)),
        ("adaptivemaxpool: [3, null]", (2, 5, 7), (2, 3, 7)),
        ("adaptiveavgpool: [null, 2, null]", (2, 3, 4, 5), (2, 3, 2, 5)),
    ],
)
def test_an_axis_without_a_size_is_left_alone(
    layer: str, shape: tuple[int, ...], output: tuple[int, ...]
) -> None:
    graph = open_text(f"input: {list(shape)}\nlayers:\n  - {layer}\n").graph
    assert graph.nodes[0].output_shape == output
    x = torch.randn(2, *shape, dtype=torch.float64)
    y = run(layer, x)
    kind, _, sizes = layer.partition(": ")
    functions: dict[tuple[str, int], Any] = {
        ("adaptiveavgpool", 2): functional.adaptive_avg_pool2d,
        ("adaptivemaxpool", 2): functional.adaptive_max_pool2d,
        ("adaptiveavgpool", 3): functional.adaptive_avg_pool3d,
    }
    wanted = [None if word == "null" else int(word) for word in sizes.strip("[]").split(", ")]
    assert torch.equal(y, functions[kind, len(shape) - 1](x, wanted))


def test_some_axis_has_a_size() -> None:
    for sizes in ("[null, null]", "null", "[null]"):
        with pytest.raises(SpecError, match="size"):
            open_text(f"input: [2, 5, 7]\nlayers:\n  - adaptiveavgpool: {{size: {sizes}}}\n")


def test_unknown_sizes_pass_an_axis_that_is_left_alone() -> None:
    text = "input: [2, 5, 7]\nlayers:\n  - adaptiveavgpool: [null, 1]\n"
    height = symbol("H")
    graph = open_text(text, size=(2, height, symbol("W"))).graph
    assert graph.nodes[0].output_shape == (2, height, 1)
