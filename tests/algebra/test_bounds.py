"""What is proved of two formulas holds at every size; what networks need is proved."""

from __future__ import annotations

from itertools import islice, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnncli.algebra import Dim, ceil_div, evaluate, summed, symbol
from cnncli.algebra.bounds import Bounds
from cnncli.algebra.deciding import Domain
from cnncli.algebra.size_sets import ALL, SizeSet, make

H, W = symbol("H"), symbol("W")
FROM_188 = make(1, {0: 188}, ())
MULTIPLES = make(16, {0: 32}, (5,))


def bounds(sizes: SizeSet = ALL) -> Bounds:
    return Bounds(Domain({"H": sizes, "W": sizes}), ("H", "W"))


def halved(size: Dim, times: int) -> Dim:
    """ceil(size / 2**times)."""
    return ceil_div(size, 2**times)


@st.composite
def maps(draw: st.DrawFn) -> Dim:
    """So many channels of a map that went through strides and lost its borders."""
    sizes = []
    for size in (H, W):
        divisor = draw(st.sampled_from((1, 2, 3, 4, 8)))
        sizes.append((size + draw(st.integers(-4, 7))) // divisor + draw(st.integers(-3, 3)))
    return draw(st.integers(0, 6)) * sizes[0] * sizes[1] + draw(st.integers(-9, 9))


@settings(max_examples=100)
@given(
    st.lists(maps(), min_size=1, max_size=3),
    st.lists(maps(), min_size=1, max_size=3),
    st.sampled_from((ALL, FROM_188, MULTIPLES, make(2, {1: 3}, ()))),
)
def test_what_is_proved_holds(left: list[Dim], right: list[Dim], sizes: SizeSet) -> None:
    one, other = summed(left), summed(right)
    for value, below in ((one, other), (other, one), (one + 8 * H * W + 50, other)):
        if bounds(sizes).never_below(value, below):
            some = [*islice(sizes.upwards(), 12), *islice(sizes.upwards(1000), 3)]
            for h, w in product(some, some):
                at = {"H": h, "W": w}
                assert evaluate(value, at) >= evaluate(below, at), (value, below, at)


@pytest.mark.parametrize(
    ("value", "below", "sizes"),
    [
        (H * W, 0, ALL),
        (H * W, H, ALL),
        (64 * halved(H, 1) * halved(W, 1), 64 * halved(H, 2) * halved(W, 2), ALL),
        (4 * halved(H, 2) * halved(W, 2), halved(H, 1) * halved(W, 1), ALL),
        (H * W, 4 * (H // 2) * (W // 2), ALL),
        (3 * H * W, 2 * H * W + 7 * (H // 4) * (W // 4), ALL),
        ((H - 4) * (W - 4), 2 * H * W // 3, FROM_188),
        (64 * (H - 2) * (W - 2), 128 * ((H - 4) // 2 - 2) * ((W - 4) // 2 - 2), FROM_188),
        (H**2, 100, make(1, {0: 10}, ())),
        (H**2 - 6 * H + 9, 0, ALL),
    ],
)
def test_what_networks_need_is_proved(value: Dim, below: Dim, sizes: SizeSet) -> None:
    assert bounds(sizes).never_below(value, below)


@pytest.mark.parametrize(
    ("value", "below", "sizes"),
    [
        (H, 2, ALL),
        (halved(H, 1) * halved(W, 1), 2 * halved(H, 2) * halved(W, 2), ALL),
        (H * W, 5 * (H // 2) * (W // 2), FROM_188),
        (H, W, ALL),
        (H - 5, 1, MULTIPLES),
        (64 * (H // 64), H, ALL),
    ],
)
def test_what_is_wrong_somewhere_is_not_proved(value: Dim, below: Dim, sizes: SizeSet) -> None:
    assert not bounds(sizes).never_below(value, below)


def test_sizes_moved() -> None:
    assert MULTIPLES.moved(-4) == make(16, {12: 28}, (1,))
    assert ALL.moved(0) == ALL
