from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.algebra import Dim, Expr, ceil_div, evaluate, symbol, symbols_of
from cnncli.algebra.terms import Atom, Floor, Symbol, atoms
from cnncli.work import metered
from tests.algebra.arithmetic import SYMBOLS, compute, formulas
from tests.steps import at_most

H = symbol("H")
numbers = st.integers(-50, 50)
divisors = st.one_of(st.integers(1, 8), st.integers(1, 40))
linear = st.builds("({}*H + {}*W + {})".format, numbers, numbers, numbers)


def assert_same(one: str, other: str) -> None:
    a, b = compute(one, SYMBOLS), compute(other, SYMBOLS)
    assert a == b, f"paste: {one} == {other}  # {a} and {b}"


@given(numbers, divisors, numbers, divisors)
def test_nested_divisions_fold(a: int, b: int, c: int, d: int) -> None:
    assert_same(f"((H + {a})//{b} + {c})//{d}", f"(H + {a} + {b}*{c})//({b}*{d})")


@given(linear, divisors, numbers, divisors, numbers, divisors)
def test_divisions_of_two_sizes_fold_three_deep(p: str, b: int, c: int, d: int, e: int, f: int) -> None:
    assert_same(f"((({p})//{b} + {c})//{d} + {e})//{f}", f"({p} + {b * c} + {b * d * e})//{b * d * f}")


@given(formulas, formulas, divisors.filter(lambda d: d % 2))
def test_multiples_of_an_odd_divisor_leave(p: str, q: str, d: int) -> None:
    assert_same(f"({p} + {d}*{q})//{d}", f"{p}//{d} + {q}")


@given(st.integers(0, 50), st.integers(0, 9), formulas, numbers, divisors)
def test_multiples_of_the_divisor_leave_a_size(a: int, k: int, q: str, c: int, d: int) -> None:
    """Where no half changes sign: (d/2)*H and (-d/2)*H are as near to zero, and both stay."""
    assert_same(f"({a}*H + {c} + {d}*({k}*H))//{d}", f"({a}*H + {c})//{d} + {k}*H")
    assert_same(f"({c} + {d}*{q})//{d}", f"{c}//{d} + {q}")


@given(formulas, numbers, divisors, divisors)
def test_common_factors_cancel(p: str, r: int, g: int, d: int) -> None:
    assert_same(f"({g}*{p} + {r})//({g}*{d})", f"({p} + {r}//{g})//{d}")


@given(formulas, divisors)
def test_remainder_is_what_division_leaves(p: str, d: int) -> None:
    assert_same(f"{p} % {d}", f"{p} - {d}*({p}//{d})")


@given(formulas, st.integers(-9, 9).filter(bool))
def test_negative_divisors_turn_round(p: str, d: int) -> None:
    assert_same(f"{p}//{-d}", f"(-{p})//{d}")


@given(linear, divisors)
def test_the_ways_to_round_up_agree(p: str, d: int) -> None:
    size = compute(p, SYMBOLS)
    assert -(-size // d) == ceil_div(size, d) == (size - 1) // d + 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("(4*H + 3)//4", "H"),
        ("(4*H + 9)//4", "H + 2"),
        ("(2*H)//4", "H//2"),
        ("(6*H + 5)//4", "H + H//2 + 1"),
        ("(H + 7)//4", "(H + 3)//4 + 1"),
        ("(H - 9)//4", "(H + 3)//4 - 3"),
        ("(3*H)//4", "H - (H + 3)//4"),
        ("(H - W)//4", "(H - W)//4"),
        ("(H - W)//2", "(H - W)//2"),
        ("(5 - H)//2", "2 - H//2"),
        ("(H - 16*(H//16))//2", "H//2 - 8*(H//16)"),
        ("(H - 2*(H//2))//2", "0"),
    ],
)
def test_a_division_shows_its_canonical_form(text: str, shown: str) -> None:
    assert str(compute(text, SYMBOLS)) == shown


def test_windows_of_one_axis_have_one_form_each() -> None:
    """Exhaustively: ways to write (a*H + b)//d that agree on 120 sizes give one object."""
    written: dict[tuple[int, ...], set[Dim]] = defaultdict(set)
    for a, b, d in product(range(-4, 6), range(-6, 9), range(1, 7)):
        written[tuple((a * n + b) // d for n in range(-60, 60))].add((a * H + b) // d)
    assert [forms for forms in written.values() if len(forms) > 1] == []


@given(formulas)
def test_facts_about_a_division_are_those_of_what_is_inside(p: str) -> None:
    value = compute(f"({p})//3 + H", SYMBOLS)
    for atom in atoms(value.terms) if isinstance(value, Expr) else ():
        inside = [each for each in all_atoms(atom) if isinstance(each, Symbol)]
        floors = [each for each in all_atoms(atom) if isinstance(each, Floor)]
        numbers_in = [abs(each) for floor in floors for each in (floor.divisor, *floor.numerator.values())]
        monomials = [monomial for floor in floors for monomial in floor.numerator]
        assert atom.names == {each.name for each in inside}
        assert atom.largest == max(numbers_in, default=0)
        assert atom.linear == all(len(monomial) <= 1 for monomial in monomials)
        assert atom.positive == all(each > 0 for floor in floors for each in floor.numerator.values())


def all_atoms(atom: Atom) -> Iterator[Atom]:
    yield atom
    if isinstance(atom, Floor):
        for each in atoms(atom.numerator):
            yield from all_atoms(each)


def test_halves_of_halves_are_not_walked_through_twice_at_each_level() -> None:
    with metered(), at_most(40_000):
        value: Dim = H
        for _ in range(17):
            value = value + value // 2
        assert symbols_of(value) == {"H"}
        assert evaluate(value, {"H": 2**17}) == 3**17
