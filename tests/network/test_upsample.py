"""Interpolation by fractions and to sizes: sizes, values, receptive fields and shifts, against torch."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cnncli.algebra import evaluate, symbol
from cnncli.analysis.sizes import valid_sizes
from cnncli.analysis.space.shifts import Shift, shifts
from cnncli.diagnostics import ShapeError, SpecError
from cnncli.graph import all_sizes, open_text
from tests.analysis.space.test_receptive_field import compare
from tests.network.support import graph_of, run
from tests.network.test_probe import measure

SCALES = (0.5, 0.25, 0.75, 1.25, 1.5, 2.5, 1 / 64, 63 / 64, 65 / 64, 101 / 32)
SIZES = (1, 3, 4, 7)


def spec(shape: tuple[int, ...], *layers: str) -> str:
    return f"input: {list(shape)}\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers)


@pytest.mark.parametrize("scale", SCALES)
def test_the_size_is_torchs_for_every_input(scale: float) -> None:
    layer = open_text(spec((1, 64), f"upsample: {scale}")).graph.nodes[0].layer
    formula = layer.output((1, symbol("L")))[1]
    for n in (*range(1, 260), 4_095, 99_999):
        if int(n * scale) == 0:
            continue
        x = torch.empty(1, 1, n, device="meta")
        found = functional.interpolate(x, scale_factor=scale).shape[-1]
        assert layer.output((1, n)) == (1, found), n
        assert evaluate(formula, {"L": n}) == found, n


def nearest(x: Tensor, ratio: float, count: int) -> Tensor:
    """Return the inputs nearest to (i + 1/2) ratio - 1/2."""
    places = ((torch.arange(count, dtype=torch.float64) + 0.5) * ratio + 1e-9).floor().long()
    return x[..., places.clamp(max=x.shape[-1] - 1)]


def between(x: Tensor, ratio: float, count: int) -> Tensor:
    """Return the line between the two inputs around (i + 1/2) ratio - 1/2, and the ends beyond them."""
    places = ((torch.arange(count, dtype=torch.float64) + 0.5) * ratio - 0.5).clamp(0, x.shape[-1] - 1)
    first = places.floor().long()
    second = (first + 1).clamp(max=x.shape[-1] - 1)
    return x[..., first] + (x[..., second] - x[..., first]) * (places - first)


@pytest.mark.parametrize(("n", "scale"), [*product((4, 8, 11), (0.5, 0.75, 1.25, 1.5, 2.5))])
def test_values_by_a_factor(n: int, scale: float) -> None:
    x = torch.randn(2, 3, n, dtype=torch.float64)
    count = int(n * scale)
    assert torch.equal(run(f"upsample: {scale}", x), nearest(x, 1 / scale, count))
    found = run(f"upsample: {{scale: {scale}, mode: bilinear}}", x)
    assert torch.allclose(found, between(x, 1 / scale, count), atol=1e-12)


@pytest.mark.parametrize(("n", "size"), [*product((3, 8, 11), SIZES)])
def test_values_to_a_size(n: int, size: int) -> None:
    x = torch.randn(2, 3, n, dtype=torch.float64)
    assert torch.equal(run(f"upsample: {{size: {size}}}", x), nearest(x, n / size, size))
    found = run(f"upsample: {{size: {size}, mode: bilinear}}", x)
    assert torch.allclose(found, between(x, n / size, size), atol=1e-12)


@pytest.mark.parametrize("written", ["1.3", "0.1", "0", "-0.5", "1/3", "[0.5, 0.7]", "1.0078125001"])
def test_a_factor_that_is_not_exact_is_refused(written: str) -> None:
    with pytest.raises(SpecError):
        open_text(spec((1, 9, 9), f"upsample: {written}"))


def test_the_message_of_a_factor_names_the_size() -> None:
    with pytest.raises(SpecError) as caught:
        open_text(spec((1, 9, 9), "upsample: 1.3"))
    (fault,) = caught.value.diagnostics
    assert fault.expected.startswith("a whole number, or a multiple of 1/64 such as 0.5 or 1.25")
    assert fault.hint == "'size' sets the size of the output instead"


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("upsample", "'upsample' has either a factor or a size"),
        ("upsample: {scale: 2, size: 4}", "'upsample' has either a factor or a size"),
        ("upsample: 0.0625", "'upsample' leaves no output"),
        ("upsample: {size: [2, 3, 4]}", "'size' of 'upsample' does not match"),
    ],
)
def test_what_does_not_fit(layer: str, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        open_text(spec((1, 9, 9), layer))
    assert message in caught.value.diagnostics[0].message


def test_a_line_between_centers_needs_an_output_of_another_size() -> None:
    """torch copies a map whose size remains, as 3 positions by 1.25 do, on a CPU even along a single axis."""
    layer = "upsample: {scale: 1.25, mode: bilinear}"
    with pytest.raises(ShapeError) as caught:
        open_text(spec((1, 3), layer))
    assert caught.value.diagnostics[0].expected == "at least 4 along length"
    (along,) = valid_sizes(open_text(spec((1, 9), layer), size=all_sizes).graph).axes
    assert [n for n in range(1, 7) if n in along.sizes] == [4, 5, 6]


def test_unknown_sizes() -> None:
    graph = open_text(spec((2, 9, 9), "upsample: [1.5, 0.25]"), size=all_sizes).graph
    height, width = graph.nodes[0].output_shape[1:]
    assert (str(height), str(width)) == ("H + H//2", "W//4")
    _, along_width = valid_sizes(graph).axes
    assert [n for n in range(1, 9) if n in along_width.sizes] == [4, 5, 6, 7, 8]
    graph = open_text(spec((2, 9, 9), "upsample: {size: [4, 7]}"), size=all_sizes).graph
    assert graph.nodes[0].output_shape == (2, 4, 7)


LAYERS = [
    ("upsample: 1.5",),
    ("upsample: {scale: 0.75, mode: bilinear}",),
    ("conv: {channels: 1, kernel: 3, stride: 2}", "upsample: {scale: 2.5, mode: bilinear}"),
    ("upsample: 1.25", "conv: {channels: 1, kernel: 3, padding: same}", "avgpool: 2"),
    ("upsample: {size: 11}", "conv: {channels: 1, kernel: 3}"),
    ("upsample: {size: 9, mode: bilinear}", "conv: {channels: 1, kernel: 2}"),
]


@pytest.mark.parametrize("layers", LAYERS, ids=str)
@pytest.mark.parametrize("n", [16, 21])
def test_receptive_fields_are_what_is_read(layers: tuple[str, ...], n: int) -> None:
    assert compare(graph_of(spec((1, n), *layers)), str(layers)) > 0


@pytest.mark.parametrize(
    ("layer", "shift"),
    [
        ("upsample: 1.5", Shift(2, 3)),
        ("upsample: 0.5", Shift(2, 1)),
        ("upsample: {scale: 1.25, mode: bilinear}", Shift(4, 5)),
        ("upsample: {size: 60}", Shift(1, 2)),
    ],
)
def test_shifts_are_measured(layer: str, shift: Shift) -> None:
    graph = graph_of(spec((1, 30, 30), layer))
    assert shifts(graph)["upsample1"] == (shift, shift)
    assert measure(graph).holds
