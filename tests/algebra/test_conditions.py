from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.algebra import Condition, Dim, Undecidable, evaluate, same, symbol, symbols_of
from tests.algebra.arithmetic import SYMBOLS, compute, formulas, sizes

H, W = symbol("H"), symbol("W")

Compare = Callable[[Dim, Dim], bool | Condition]
COMPARISONS: dict[str, Compare] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": same,
}


@given(formulas, st.sampled_from(sorted(COMPARISONS)), formulas, sizes)
def test_a_condition_is_true_where_python_says_so(
    left: str, sign: str, right: str, at: dict[str, int]
) -> None:
    compare = COMPARISONS[sign]
    condition = compare(compute(left, SYMBOLS), compute(right, SYMBOLS))
    expected = compare(compute(left, at), compute(right, at))
    assert type(expected) is bool
    got = evaluate(condition, at)
    assert got is expected, f"paste: {at}\n{left} {sign} {right}  # {expected}, but {condition} gives {got}"


@given(formulas, st.integers(-5, 5))
def test_a_constant_difference_is_decided(text: str, offset: int) -> None:
    value = compute(text, SYMBOLS)
    for compare in COMPARISONS.values():
        assert compare(value + offset, value) is compare(offset, 0)


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        (H >= 5, "H - 5 >= 0"),
        (H > 5, "H - 6 >= 0"),
        (H < 5, "4 - H >= 0"),
        (5 <= H, "H - 5 >= 0"),  # noqa: SIM300 - the number on the left is the point
        (W > H, "W - H - 1 >= 0"),
        (2 * H >= 5, "H - 3 >= 0"),
        (7 > 2 * H, "3 - H >= 0"),  # noqa: SIM300
        (same(2 * H, 6), "H - 3 == 0"),
        (same(6, 2 * H), "H - 3 == 0"),
        (same(W, H), "H - W == 0"),
    ],
)
def test_conditions_come_in_lowest_terms(condition: bool | Condition, shown: str) -> None:
    assert isinstance(condition, Condition)
    assert str(condition) == repr(condition) == shown


def test_an_equation_without_solutions_is_false() -> None:
    assert same(2 * H, 3) is False
    assert same(6 * H + 4 * W, 1) is False


def test_conditions_compare_as_objects() -> None:
    assert (2 * H > 9) == (H >= 5)
    assert hash(2 * H > 9) == hash(H >= 5)
    assert same(H, 5) != (H >= 5)
    assert (H >= 5) != (H >= 6)
    assert (H >= 5) is not True
    assert symbols_of(H >= W // 2) == {"H", "W"}


def test_a_condition_is_never_guessed() -> None:
    with pytest.raises(Undecidable, match=r"whether 4 - H >= 0 .* reported, never guessed") as caught:
        assert H < 5
    assert caught.value.condition == (H < 5)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(Undecidable):
        assert not same(H, W)
    with pytest.raises(Undecidable):
        max(H, 3)
    with pytest.raises(Undecidable, match="whether H == 0"):
        assert H
    # 2*H + 1 is odd, so it is not zero, whatever H is.
    assert 2 * H + 1
