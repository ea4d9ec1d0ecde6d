"""Conditions on one unknown size, decided for all sizes, against trying them one by one."""

from __future__ import annotations

from itertools import pairwise, takewhile

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from cnncli.algebra import Condition, Dim, Undecidable, evaluate, known, largest, same, smallest, symbol
from cnncli.algebra.deciding import Domain, solve
from cnncli.algebra.polynomials import nonnegative, value
from cnncli.algebra.size_sets import ALL, SizeSet, TooFineError, make
from tests.algebra.arithmetic import compute

H, W = symbol("H"), symbol("W")
TRIED = range(1, 301)


def condition(text: str, relation: str) -> bool | Condition:
    found: Dim = compute(text, {"H": H})
    return found >= 0 if relation == ">=" else same(found, 0)


NUMBERS = st.integers(-60, 60)
LINES = st.builds("({}*H + {})".format, st.integers(-3, 4), NUMBERS)
FLOORS = st.builds("({}//{})".format, LINES, st.integers(2, 12))
DEEPER = st.builds("(({} + {})//{})".format, FLOORS, LINES, st.integers(2, 5))
ATOMS = st.one_of(LINES, FLOORS, DEEPER, NUMBERS.map("({})".format))
TERMS = st.one_of(ATOMS, st.builds("{}*{}".format, ATOMS, ATOMS))
SUMS = st.lists(TERMS, min_size=1, max_size=3).map(" + ".join)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, derandomize=True)
@given(SUMS, st.sampled_from([">=", "=="]))
def test_the_set_is_what_trying_finds(text: str, relation: str) -> None:
    asked = condition(text, relation)
    if isinstance(asked, bool):
        reject()
    found = solve(asked)
    wanted = [n for n in TRIED if evaluate(asked, {"H": n})]
    assert [n for n in TRIED if n in found] == wanted, (text, relation, found)
    assert list(takewhile(lambda n: n in TRIED, found.upwards())) == wanted, (text, relation, found)


@pytest.mark.parametrize(
    ("text", "relation", "sizes"),
    [
        ("H - 7", ">=", SizeSet(1, ((0, 7),), ())),
        ("H//8 - 2*(H//16)", "==", SizeSet(16, tuple((n, n or 16) for n in range(8)), ())),
        ("H - 16*(H//16)", "==", SizeSet(16, ((0, 16),), ())),
        ("(H + 31)//32 - 7", "==", SizeSet(1, (), tuple(range(193, 225)))),
        ("7 - H", ">=", SizeSet(1, (), (1, 2, 3, 4, 5, 6, 7))),
        ("H*H - 10*H + 21", ">=", SizeSet(1, ((0, 7),), (1, 2, 3))),
        ("H*H - 10*H + 21", "==", SizeSet(1, (), (3, 7))),
        ("0 - H", ">=", SizeSet(1, (), ())),
    ],
)
def test_sets_worked_out_by_hand(text: str, relation: str, sizes: SizeSet) -> None:
    asked = condition(text, relation)
    assert isinstance(asked, Condition)
    assert solve(asked) == sizes


@given(st.lists(st.integers(-30, 30), min_size=1, max_size=5), st.integers(0, 5))
def test_stretches_of_a_polynomial(polynomial: list[int], start: int) -> None:
    stretches = nonnegative(polynomial, start)
    inside = {m for m in range(start, 200) for a, b in stretches if m >= a and (b is None or m <= b)}
    assert inside == {m for m in range(start, 200) if value(polynomial, m) >= 0}
    assert all(b is not None and b + 1 < c for (_, b), (c, _) in pairwise(stretches))


def sets(key: str) -> st.SearchStrategy[SizeSet]:
    """Sets; two keys have two periods."""
    period = st.shared(st.integers(1, 12), key=key)
    return st.builds(
        make,
        period,
        st.dictionaries(st.integers(0, 11), st.integers(0, 5)).flatmap(
            lambda tails: period.map(
                lambda size: {
                    r: r + size * k + (size if r + k == 0 else 0) for r, k in tails.items() if r < size
                }
            )
        ),
        st.lists(st.integers(1, 40)),
    )


SETS, OTHERS = sets("one"), sets("other")


@pytest.mark.slow
@given(SETS, OTHERS)
def test_what_is_in_both(left: SizeSet, right: SizeSet) -> None:
    meet = left & right
    assert [n for n in TRIED if n in meet] == [n for n in TRIED if n in left and n in right]
    assert bool(meet) == bool(meet.at_least(1))
    for n in range(1, 60):
        assert meet.at_most(n) == max((m for m in range(1, n + 1) if m in meet), default=None)
        above = meet.at_least(n)
        assert above == next((m for m in TRIED if m >= n and m in meet), None)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(SETS, OTHERS)
def test_what_is_left_without_another(left: SizeSet, right: SizeSet) -> None:
    rest = left - right
    assert [n for n in TRIED if n in rest] == [n for n in TRIED if n in left and n not in right]
    # Canonical, and together with what was in both the whole again.
    assert rest == make(rest.period, dict(rest.tails), rest.isolated)
    assert rest & right == left - left
    assert left - (left - right) == left & right


@given(SETS)
def test_equal_sets_are_equal_values(sizes: SizeSet) -> None:
    """Also by a larger period, and with the beginnings of tails as single sizes."""
    period = 3 * sizes.period
    tails = {}
    single = list(sizes.isolated)
    for residue, first in sizes.tails:
        for k in range(3):
            start = first + k * sizes.period
            tails[start % period] = start + period
            single.append(start)
        assert residue == first % sizes.period
    assert make(period, tails, single) == sizes


def test_what_is_too_fine_is_refused() -> None:
    with pytest.raises(TooFineError, match="a period of more than 100,000"):
        solve_of(same(H - 1000003 * (H // 1000003), 0))
    with pytest.raises(TooFineError, match="single sizes"):
        solve_of(10**9 - H >= 0)
    assert Domain().decide(condition_of(same(H - 1000003 * (H // 1000003), 0))) is None


def solve_of(asked: bool | Condition) -> SizeSet:
    return solve(condition_of(asked))


def condition_of(asked: bool | Condition) -> Condition:
    assert isinstance(asked, Condition)
    return asked


def test_a_domain_decides_what_it_can() -> None:
    domain = Domain()
    assert domain.sizes("H") == ALL
    at_least = condition_of(H >= 10)
    assert domain.decide(at_least) is None
    assert domain.assume(at_least) == SizeSet(1, ((0, 10),), ())
    assert domain.decide(at_least) is True
    assert domain.decide(condition_of(H >= 5)) is True
    assert domain.decide(condition_of(H < 3)) is False
    assert domain.decide(condition_of(H >= 11)) is None
    assert domain.decide(condition_of(H - W >= 0)) is None


def test_conditions_are_truth_values_where_they_are_decided() -> None:
    domain = Domain()
    domain.assume(condition_of(H >= 10))
    with domain.applied():
        assert H >= 10
        assert not H < 10
        assert smallest([H, 9, H // 4 + 12]) == 9
        assert largest([H - 1, H // 2]) == H - 1
        assert known(H > 3)
        assert not known(H > 30)
        with pytest.raises(Undecidable):
            bool(H >= 11)
        with pytest.raises(Undecidable):
            smallest([H, 11])
    with pytest.raises(Undecidable):
        bool(H >= 10)


def test_of_two_equal_sizes_either_is_the_smallest() -> None:
    """H//8 is twice H//16, or one more: never less, though never known to be more."""
    domain = Domain()
    with domain.applied():
        for pair in ([H // 8, 2 * (H // 16)], [2 * (H // 16), H // 8]):
            assert smallest(pair) == 2 * (H // 16)
            assert largest(pair) == H // 8
