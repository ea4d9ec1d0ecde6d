"""Padding and its modes, as they are written."""

from __future__ import annotations

import pytest

from tests.language.support import fault, layer, pointed

CONV = (
    "input: [2, 10, 9]\n"
    "vars: {p: same, n: 2}\nlayers: [conv: {channels: 1, kernel: [5, 4], stride: 2, padding: %s}]"
)


@pytest.mark.parametrize(
    ("written", "output"),
    [
        ("valid", (1, 3, 3)),
        ("same", (1, 5, 5)),
        ("half", (1, 5, 4)),
        ("0", (1, 3, 3)),
        ("1", (1, 4, 4)),
        ("[1, 2]", (1, 4, 5)),
        ("n", (1, 5, 5)),
        ("'n - 1'", (1, 4, 4)),
        ("[n, 0]", (1, 5, 3)),
        ("{top: 1}", (1, 4, 3)),
        ("{top: 1, bottom: 2, left: 0, right: n}", (1, 5, 4)),
        ("$p", (1, 5, 5)),
    ],
)
def test_every_way_to_write_it(written: str, output: tuple[int, ...]) -> None:
    assert layer(CONV % written).output_shape == output


def test_valid_is_the_default() -> None:
    assert layer("layers: [conv: {channels: 1, kernel: 3}]").output_shape == (1, 6, 6)


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_half_is_half_of_the_dilated_kernel(kernel: int, dilation: int) -> None:
    text = (
        f"input: [1, 20]\n"
        f"layers: [conv: {{channels: 1, kernel: {kernel}, dilation: {dilation}, padding: half}}]"
    )
    each = dilation * (kernel - 1) // 2
    assert layer(text).output_shape == (1, 20 + 2 * each - dilation * (kernel - 1))


@pytest.mark.parametrize("mode", ["zeros", "constant", "symmetric", "reflect", "replicate", "circular"])
def test_every_mode(mode: str) -> None:
    assert layer(
        f"layers: [conv: {{channels: 1, kernel: 3, padding: same, padding_mode: {mode}}}]"
    ).output_shape == (1, 8, 8)


def test_the_value_of_constant() -> None:
    text = "layers: [conv: {channels: 1, kernel: 3, padding: 1, padding_mode: constant, padding_value: -0.5}]"
    assert "padding_value=-0.5" in repr(layer(text).layer)


@pytest.mark.parametrize(
    ("written", "hint"),
    [("smae", "did you mean 'same'?"), ("vaild", "did you mean 'valid'?"), ("Same", "did you mean 'same'?")],
)
def test_a_misspelled_word(written: str, hint: str) -> None:
    found = fault(CONV % written)
    assert (pointed(found), found.hint) == (written, hint)


@pytest.mark.parametrize(
    "written", ["-1", "1.5", "[]", "[1, 2, 3, 4]", "{}", "{up: 1}", "{top: -1}", "{top: }", "[-1, 2]", "''"]
)
def test_what_is_not_a_padding(written: str) -> None:
    assert fault(CONV % written).code in {"value", "expression"}


@pytest.mark.parametrize("written", ["[1, 2, 3]", "{top: 1}"])
def test_amounts_for_other_axes(written: str) -> None:
    found = fault(f"input: [1, 20]\nlayers: [conv: {{channels: 1, kernel: 3, padding: {written}}}]")
    assert found.code == "shape"
    assert "padding" in found.message


def test_reflect_needs_more_than_it_mirrors() -> None:
    text = "input: [1, 3, 9]\nlayers: [conv: {channels: 1, kernel: 3, padding: %d, padding_mode: reflect}]"
    assert layer(text % 2).output_shape == (1, 5, 11)
    assert pointed(fault(text % 3)) == "reflect"
