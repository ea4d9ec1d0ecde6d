"""What is proved of two formulas holds at every size; what networks need is proved."""

from __future__ import annotations

from itertools import islice, product
from random import Random

import pytest

from cnncli.algebra import Dim, ceil_div, evaluate, summed, symbol
from cnncli.algebra.bounds import Bounds
from cnncli.algebra.deciding import Domain
from cnncli.algebra.size_sets import ALL, SizeSet, make

H, W = symbol("H"), symbol("W")
PAIRS = 150
FROM_188 = make(1, {0: 188}, ())
MULTIPLES = make(16, {0: 32}, (5,))


def bounds(high: SizeSet = ALL, wide: SizeSet | None = None) -> Bounds:
    return Bounds(Domain({"H": high, "W": high if wide is None else wide}), ("H", "W"))


def halved(size: Dim, times: int) -> Dim:
    """ceil(size / 2**times)."""
    return ceil_div(size, 2**times)


SETS = (ALL, FROM_188, MULTIPLES, make(2, {1: 3}, ()), make(1, {}, (4, 9, 70)))


def any_map(draw: Random) -> Dim:
    """So many channels of a map that went through strides and lost its borders; or of both axes in one."""
    sizes = []
    for size in (H, W):
        divisor = draw.choice((1, 2, 3, 4, 8))
        sizes.append((size + draw.randint(-4, 7)) // divisor + draw.randint(-3, 3))
    if draw.random() < 0.2:
        return draw.randint(0, 6) * ((H * W + draw.randint(0, 9)) // draw.choice((2, 3, 8))) + draw.randint(
            -9, 9
        )
    return draw.randint(0, 6) * sizes[0] * sizes[1] + draw.randint(-9, 9)


@pytest.mark.slow
def test_what_is_proved_holds() -> None:
    proved = 0
    for seed in range(PAIRS):
        draw = Random(seed)  # noqa: S311 - nothing here is a secret
        one, other = (summed(any_map(draw) for _ in range(draw.randint(1, 3))) for _ in range(2))
        high, wide = draw.choice(SETS), draw.choice(SETS)
        for value, below in ((one, other), (other, one), (one + 8 * H * W + 50, other)):
            if not bounds(high, wide).never_below(value, below):
                continue
            proved += 1
            for h, w in product(some_of(high), some_of(wide)):
                at = {"H": h, "W": w}
                assert evaluate(value, at) >= evaluate(below, at), (value, below, at)
    # Of 213 that hold wherever it is looked, 122.
    assert proved > 100


def some_of(sizes: SizeSet) -> list[int]:
    return [*islice(sizes.upwards(), 12), *islice(sizes.upwards(1000), 3)]


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
