"""Equations between sizes: all combinations, compared with trying every size."""

from __future__ import annotations

import random
from itertools import product as every

import pytest

from cnncli.algebra import Condition, Dim, Expr, evaluate, same, symbol, symbols_of
from cnncli.algebra.coupled import combinations
from cnncli.algebra.size_sets import ALL, SizeSet, TooFineError, make

MOST = 60
D, H, W = symbol("D"), symbol("H"), symbol("W")


def tried(equation: Condition, sizes: dict[str, SizeSet]) -> set[tuple[int, ...]]:
    names = sorted(sizes)
    possible = [[n for n in range(1, MOST + 1) if n in sizes[name]] for name in names]
    return {each for each in every(*possible) if evaluate(equation, dict(zip(names, each, strict=True)))}


def small(found: tuple[tuple[int, ...], ...]) -> set[tuple[int, ...]]:
    return {each for each in found if max(each) <= MOST}


def layers(size: Dim, rng: random.Random) -> Dim:
    """Return the size after random convolutions and poolings."""
    for _ in range(rng.randint(0, 3)):
        size = (size + rng.randint(-3, 2)) // rng.randint(1, 3)
    return size


def from_one(size: Dim, name: str) -> SizeSet:
    """Return the sizes of the input at which a size is at least 1."""
    first = next(n for n in range(1, 1000) if evaluate(size, {name: n}) >= 1)
    return SizeSet(1, ((0, first),), ())


@pytest.mark.parametrize("seed", range(60))
def test_products_of_sizes_after_random_layers(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - nothing here is a secret
    height, width = layers(H, rng), layers(W, rng)
    period = rng.choice([1, 2, 3])
    sizes = {
        "H": from_one(height, "H") & make(period, {rng.randrange(period): 2 * period}, ()),
        "W": from_one(width, "W"),
    }
    equation = same(3 * height * width, 3 * rng.randint(1, 14))
    assert isinstance(equation, Condition)
    assert small(combinations(equation, sizes)) == tried(equation, sizes)


@pytest.mark.parametrize(
    "formula",
    [D * H * W - 48, 2 * H + 3 * W - 100, H * W + H // 2 - 30, 40 - H * W, (H // 4) * (W // 5) - 6, H + W],
    ids=str,
)
def test_other_expressions_that_rise(formula: Expr) -> None:
    equation = same(formula, 0)
    assert isinstance(equation, Condition)
    sizes = dict.fromkeys(symbols_of(equation), ALL)
    assert small(combinations(equation, sizes)) == tried(equation, sizes)


def test_a_large_size_along_one_axis_is_found_too() -> None:
    equation = same(H * W, 2 * 1_000_003)
    assert isinstance(equation, Condition)
    expected = ((1, 2_000_006), (2, 1_000_003), (1_000_003, 2), (2_000_006, 1))
    assert combinations(equation, {"H": ALL, "W": ALL}) == expected


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        (H - W, "does not rise"),
        ((H * W) % 10, "does not rise"),
        (H * W - 10**12, "sizes times terms"),
        ((H // 500) * (W // 500) - 1, "combinations"),
    ],
    ids=str,
)
def test_what_cannot_be_enumerated(formula: Expr, reason: str) -> None:
    equation = same(formula, 0)
    assert isinstance(equation, Condition)
    with pytest.raises(TooFineError, match=reason):
        combinations(equation, {"H": ALL, "W": ALL})
