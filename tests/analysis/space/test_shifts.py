"""Shift equivariance, by hand; the tests of ``probe`` compare it with torch."""

from __future__ import annotations

import pytest

from cnncli.analysis.space.shifts import Break, Shift, shifts
from cnncli.graph import open_text

DEPENDS = "it depends on position"
MOVED = "it rearranges positions"


def last(layers: str, size: str = "[2, 24, 24]") -> tuple[Shift, ...]:
    graph = open_text(f"input: {size}\nlayers:\n{layers}").graph
    return shifts(graph)[graph.nodes[-1].name]


@pytest.mark.parametrize(
    ("layers", "pixels", "moves"),
    [
        ("  - conv: {channels: 1, kernel: 3}\n", 1, 1),
        ("  - conv: {channels: 1, kernel: 3, stride: 2, padding: same}\n  - maxpool: 3\n", 6, 1),
        ("  - upsample: 2\n", 1, 2),
        ("  - upsample: 3\n  - maxpool: 2\n", 2, 3),
        ("  - convtranspose: {channels: 1, kernel: 3, stride: 4}\n  - maxpool: 6\n", 3, 2),
        ("  - maxpool: 2\n  - convtranspose: {channels: 1, kernel: 2, stride: 2}\n", 2, 2),
        ("  - adaptiveavgpool: 8\n", 3, 1),
        ("  - adaptiveavgpool: 48\n", 1, 2),
        ("  - instancenorm\n", 1, 1),
        ("  - layernorm: {affine: false}\n", 1, 1),
        ("  - groupnorm: 2\n  - pixelshuffle: 1\n", 1, 1),
        ("  - maxpool: 2\n  - globalavgpool\n  - linear: 3\n  - relu\n", 2, 0),
        ("  - maxpool: 2\n  - adaptiveavgpool: 1\n  - flatten\n", 2, 0),
        ("  - capsulelength\n", 1, 0),
        ("  - capsulemask\n", 1, 1),
    ],
)
def test_chains(layers: str, pixels: int, moves: int) -> None:
    assert last(layers) == (Shift(pixels, moves),) * 2


def test_axes_of_their_own() -> None:
    layers = "  - maxpool: {kernel: 3, stride: [2, 3]}\n  - adaptivemaxpool: [1, 7]\n"
    assert last(layers, "[1, 9, 21]") == (Shift(2, 0), Shift(3, 1))


def test_uneven_windows_that_repeat_move_by_a_period() -> None:
    """Windows 0..1, 1..2 and again 3..4, 4..5: three positions of the input for two of the output."""
    assert last("  - adaptiveavgpool: 4\n", "[1, 6]") == (Shift(3, 2),)


@pytest.mark.parametrize(
    ("layers", "node", "reason"),
    [
        ("  - conv: {channels: 1, kernel: 3}\n  - flatten\n  - linear: 3\n", "flatten1", MOVED),
        ("  - reshape: [-1]\n  - linear: 3\n", "reshape1", MOVED),
        ("  - layernorm\n  - conv: {channels: 1, kernel: 3}\n", "layernorm1", DEPENDS),
        ("  - conv: {channels: 8, kernel: 3}\n  - capsules: 2\n  - capsulelength\n", "capsules1", DEPENDS),
        ("  - adaptivemaxpool: 7\n", "adaptivemaxpool1", "its windows differ in length"),
        (
            "  - add: {branches: [identity, {maxpool: 2}], align: crop}\n  - relu\n",
            "add1",
            "its branches move by different distances",
        ),
        (
            "  - multiply: [identity, [{conv: {channels: 2, kernel: 24}}]]\n",
            "multiply1",
            "all its outputs read the same position",
        ),
    ],
)
def test_what_breaks(layers: str, node: str, reason: str) -> None:
    assert [shift.broken for shift in last(layers)] == [Break(node, reason)] * 2


def test_a_join_needs_a_shift_that_suits_every_branch() -> None:
    """One branch halves and doubles, the other divides by three."""
    layers = """
  - concat:
      - [{maxpool: 2}, {upsample: 2}]
      - [{maxpool: 3}, {upsample: 3}]
"""
    assert last(layers) == (Shift(6, 6),) * 2


def test_a_gate_that_stays_the_same_moves_with_the_map() -> None:
    """Squeeze and excitation: the gate reads a map of half the size, so shifts must be even."""
    layers = "  - multiply: [identity, [{maxpool: 2}, {globalavgpool: {keepdims: true}}, sigmoid]]\n"
    assert last(layers) == (Shift(2, 2),) * 2


def test_a_vector_has_nowhere_to_move() -> None:
    assert last("  - linear: 3\n", "[7]") == ()
