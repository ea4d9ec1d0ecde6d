"""Window arithmetic, compared with enumeration and with torch's own sizes."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional

from cnncli.algebra import Dim, evaluate, symbol
from cnncli.layers.geometry.axis import AnyWindow
from cnncli.layers.geometry.resampling import AdaptiveWindow, Resampled, Spread
from cnncli.layers.geometry.window import TransposedWindow, Window

small = st.integers(1, 7)
sizes = st.integers(1, 60)
pads = st.integers(0, 6)


def starts(n: int, window: Window) -> list[int]:
    """Return where the kernel lies entirely inside the padded input, by trying every place."""
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


@pytest.mark.slow
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


@given(small, small, small, pads, sizes, st.integers(-40, 80))
def test_transposed_reads_are_those_whose_copies_reach(
    k: int, s: int, d: int, before: int, n: int, position: int
) -> None:
    """Return what an output reads, by placing the kernel at every input nearby."""
    window = TransposedWindow(k, s, d, before)
    placed = range((position - 60) // s - 20, position // s + 20)
    found = [i for i in placed if position + before - i * s in range(0, d * (k - 1) + 1, d)]
    assert list(window.reads(position, n)) == found


windows = st.one_of(
    st.builds(Window, small, small, small, pads, pads, st.booleans()),
    st.builds(TransposedWindow, small, small, small, pads, pads),
    st.builds(AdaptiveWindow, st.integers(1, 12)),
    st.builds(Spread, st.integers(1, 12)),
    st.builds(Resampled, st.integers(1, 12), st.sampled_from((0, 1, 2, 4)), st.booleans()),
)


@given(windows, sizes, st.integers(-40, 80))
def test_reads_repeat_after_a_cycle(window: AnyWindow, n: int, position: int) -> None:
    period, advance = window.cycle(n)
    once, again = window.reads(position, n), window.reads(position + period, n)
    assert list(again) == [each + advance for each in once]


@given(windows, sizes, st.integers(0, 20), st.integers(0, 40))
def test_outputs_within_a_stretch_read_nothing_else(
    window: AnyWindow, n: int, start: int, length: int
) -> None:
    stretch = range(start, start + length)
    inside = window.within(stretch, n)
    for position in range(max(inside.start - 2, 0), inside.stop + 2):
        reads = window.reads(position, n)
        if position in inside:
            assert set(reads) <= set(stretch)
        elif isinstance(window, Window):
            assert not set(reads) <= set(stretch)


@given(windows, sizes, st.integers(0, 80))
def test_reach_is_what_is_read_of_the_input(window: AnyWindow, n: int, position: int) -> None:
    inside = [each for each in window.reads(position, n) if 0 <= each < n]
    assert window.reach(position, n) == ((inside[0], inside[-1]) if inside else None)


def test_windows_are_even_unless_sizes_do_not_divide() -> None:
    assert [size for size in range(1, 25) if AdaptiveWindow(size).even(12)] == [1, 2, 3, 4, 6, 12, 24]


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
