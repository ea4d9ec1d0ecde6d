"""Window arithmetic against enumeration and against torch's own sizes."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional

from cnncli.algebra import Dim, evaluate, symbol
from cnncli.layers.window import AdaptiveWindow, TransposedWindow, Window

small = st.integers(1, 7)
sizes = st.integers(1, 60)
pads = st.integers(0, 6)


def starts(n: int, window: Window) -> list[int]:
    """Where the kernel lies wholly inside the padded input, found by trying every place."""
    before, after = window.pads(n)
    places = range(-before, n + after)
    return [p for p in places if (p + before) % window.stride == 0 and p + window.extent <= n + after]


@given(small, small, small, pads, pads, sizes)
def test_placements_are_those_that_fit(k: int, s: int, d: int, before: int, after: int, n: int) -> None:
    window = Window(k, s, d, before, after)
    assume(window.fits(n))
    assert window.placements(n) == len(starts(n, window))


@given(small, small, small, pads, pads, sizes)
def test_fits_says_whether_there_is_a_placement(
    k: int, s: int, d: int, before: int, after: int, n: int
) -> None:
    window = Window(k, s, d, before, after)
    assert window.fits(n) is (len(starts(n, window)) > 0)


@given(small, small, small, sizes)
def test_same_gives_ceil_of_n_over_s_and_no_more_pads_than_needed(k: int, s: int, d: int, n: int) -> None:
    window = Window(k, s, d, same=True)
    before, after = window.pads(n)
    assert window.placements(n) == -(-n // s)
    assert 0 <= after - before <= 1
    explicit = Window(k, s, d, before, after)
    assert explicit.placements(n) == -(-n // s)
    if after:
        assert not Window(k, s, d, before, after - 1).fits(n) or (
            Window(k, s, d, before, after - 1).placements(n) < window.placements(n)
        )


@given(small, small, sizes, st.booleans(), st.data())
def test_pooling_sizes_are_torchs(k: int, s: int, n: int, ceil_mode: bool, data: st.DataObject) -> None:
    pad = data.draw(st.integers(0, k // 2))
    window = Window(k, s, 1, pad, pad, ceil_mode=ceil_mode)
    assume(window.fits(n))
    x = torch.empty(1, 1, n, device="meta")
    theirs = functional.max_pool1d(x, k, s, pad, ceil_mode=ceil_mode).shape[-1]
    assert window.placements(n) == theirs


@given(small, small, small, st.integers(0, 3), sizes, st.data())
def test_transposed_sizes_are_torchs(k: int, s: int, d: int, pad: int, n: int, data: st.DataObject) -> None:
    extra = data.draw(st.integers(0, max(s, d) - 1))
    window = TransposedWindow(k, s, d, pad, pad, extra)
    assume(window.fits(n))
    x, w = torch.empty(1, 1, n, device="meta"), torch.empty(1, 1, k, device="meta")
    theirs = functional.conv_transpose1d(x, w, None, s, pad, extra, 1, d).shape[-1]
    assert window.placements(n) == theirs


@given(st.integers(1, 12), sizes)
def test_adaptive_windows_cover_the_input_in_order(size: int, n: int) -> None:
    window = AdaptiveWindow(size)
    reaches = [window.reach(i, n) for i in range(size)]
    assert reaches[0] is not None
    assert reaches[-1] is not None
    assert (reaches[0][0], reaches[-1][1]) == (0, n - 1)
    lengths = [last - first + 1 for first, last in (reach for reach in reaches if reach is not None)]
    assert window.total(n) == sum(lengths)


@given(small, small, small, pads, pads, st.booleans(), st.booleans(), sizes)
def test_formulas_agree_with_numbers(
    k: int, s: int, d: int, before: int, after: int, same: bool, ceil_mode: bool, n: int
) -> None:
    window = Window(k, s, d, before, after, same, ceil_mode)
    assume(window.fits(n))
    formula: Dim = window.placements(symbol("n"))
    assert evaluate(formula, {"n": n}) == window.placements(n)


@pytest.mark.parametrize(
    ("window", "chain"),
    [
        (Window(5), [128, 124, 120, 116]),
        # The slide shows 12 after 29; its own formula, floor((29 - 5) / 2) + 1, gives 13.
        (Window(5, 2), [128, 62, 29, 13, 5, 1]),
        (Window(3, 2, same=True), [224, 112, 56, 28, 14, 7, 4]),
    ],
)
def test_the_lectures_chains(window: Window, chain: list[int]) -> None:
    for n, following in pairwise(chain):
        assert window.placements(n) == following
    assert Window(5, 2).fits(1) is False
