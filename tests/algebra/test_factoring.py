"""Formulas as a person would write them: they mean the same, are never longer, and look like this."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.algebra import Dim, Expr, symbol
from cnncli.algebra.factoring import readable
from tests.algebra.arithmetic import SYMBOLS, compute, formulas

NAMES: dict[str, Dim] = {name: symbol(name) for name in ("C", "D", "H", "K", "W", "h", "w", "h1", "w1")}

_number = st.integers(-40, 40)
_axes = st.builds("({}*{} + {})".format, st.integers(-3, 9), st.sampled_from([*NAMES]), _number)
_products = st.lists(_axes, max_size=4).map(lambda factors: "*".join(["1", *factors]))
costs = st.lists(st.builds("{}*{}".format, _number, _products), min_size=1, max_size=4).map(" + ".join)
"""Sums of products along axes, which is what costs are."""


def assert_readable(value: Dim, names: dict[str, Dim], summands: tuple[Dim, ...] = ()) -> None:
    shown = readable(value, summands)
    assert compute(shown, names) == value, f"{value}  # shown as {shown}"
    assert len(shown) <= len(str(value)), f"{value}  # shown as {shown}"


@given(formulas)
def test_it_means_the_same_and_is_never_longer(text: str) -> None:
    assert_readable(compute(text, SYMBOLS), SYMBOLS)


@given(costs)
def test_so_it_is_for_costs(text: str) -> None:
    assert_readable(compute(text, NAMES), NAMES)


@pytest.mark.slow
@given(st.lists(costs, max_size=4))
def test_so_it_is_for_totals(texts: list[str]) -> None:
    parts = tuple(compute(text, NAMES) for text in texts)
    assert_readable(sum(parts), NAMES, parts)


@pytest.mark.slow
@given(costs, formulas)
def test_what_was_not_added_up_does_no_harm(text: str, other: str) -> None:
    assert_readable(compute(text, NAMES), NAMES, (compute(other, SYMBOLS), compute(text, NAMES)))


@given(st.lists(_axes, min_size=2, max_size=4))
def test_the_order_of_the_terms_leaves_no_trace(factors: list[str]) -> None:
    value = compute("*".join(factors), NAMES)
    if isinstance(value, Expr):
        assert readable(Expr(dict(reversed([*value.terms.items()])))) == readable(value)


@given(
    st.integers(1, 10**7),
    st.lists(st.integers(1, 400), min_size=2, max_size=3),
    st.integers(0, 2),
)
def test_a_product_over_axes_is_seen(number: int, shifts: list[int], bare: int) -> None:
    """Not one more character than who knows the factors needs, or than the sum has."""
    factors = [f"({axis} - {shift})" for axis, shift in zip("DHW", shifts, strict=False)]
    written = "*".join([*([str(number)] if number > 1 else []), *["C", "K"][:bare], *factors])
    value = compute(written, NAMES)
    assert len(readable(value)) <= min(len(written), len(str(value)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("14155776*h*w - 113246208*h - 113246208*w + 905969664", "14155776*(h - 8)*(w - 8)"),
        ("3*H*W - 12*H - 6*W + 24", "3*(H - 2)*(W - 4)"),
        ("64*(D - 1)*(H - 2)*(W - 3)", "64*(D - 1)*(H - 2)*(W - 3)"),
        ("64*D*(H - 2)*(W - 3)", "64*D*(H - 2)*(W - 3)"),
        ("64*(D - 1)*H*(W - 3)", "64*H*(D - 1)*(W - 3)"),
        ("-5*(H//2 - 3)*(W//2 - 4)", "-5*(H//2 - 3)*(W//2 - 4)"),
        ("576*(16*h - 188)*(16*w - 188)", "9216*(4*h - 47)*(4*w - 47)"),
        ("4*(H + H//2)*(W + W//2)", "4*(H + H//2)*(W + W//2)"),
        ("9*C*K*(H - 2)*(W - 2)", "9*C*K*(H - 2)*(W - 2)"),
        ("14155776*h - 113246208", "14155776*(h - 8)"),
        ("1000*H + 1000*W", "1000*(H + W)"),
    ],
)
def test_products(text: str, shown: str) -> None:
    assert readable(compute(text, NAMES)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("h**2 - 16*h + 64", "(h - 8)**2"),
        ("576*(16*h - 188)**2", "9216*(4*h - 47)**2"),
        ("7*(H - 2)**3", "7*(H - 2)**3"),
        ("576*(H - 2)*(H - 4)", "576*(H - 2)*(H - 4)"),
        ("36864*(2*H - 3)*(3*H - 5)", "36864*(2*H - 3)*(3*H - 5)"),
        ("H**3 - 5*H**2 + 6*H", "H*(H - 2)*(H - 3)"),
        ("(H - 2)**2*(W - 1)**2", "(H - 2)**2*(W - 1)**2"),
        ("(H//2)**2*(H//2 - 1)", "(H//2)**2*(H//2 - 1)"),
        ("1920*h**2 - 11520*h + 17400", "1920*(h - 3)**2 + 120"),
        # Kernels and biases, as for any width.
        ("18*h*h + 2*h", "18*h**2 + 2*h"),
        ("1152*h*h + 8*h", "1152*h**2 + 8*h"),
    ],
)
def test_powers_of_one_size(text: str, shown: str) -> None:
    assert readable(compute(text, NAMES)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1920*(h - 3)*(w - 3) + 120", "1920*(h - 3)*(w - 3) + 120"),
        (
            "150*(H - 4)*(W - 4) + 24*(h - 6)*(w - 6) - 3264",
            "150*(H - 4)*(W - 4) + 24*(h - 6)*(w - 6) - 3264",
        ),
        # Shifts of 1032/260 and 16/3 pixels, the means of those of several layers, would say nothing.
        (
            "37440*H*W - 148608*H - 148608*W + 221184*h*w - 1179648*h - 1179648*w + 7",
            "37440*H*W - 148608*(H + W) + 221184*h*w - 1179648*(h + w) + 7",
        ),
        ("64*D*H*W - 128*D*H - 128*D*W", "64*D*(H*W - 2*(H + W))"),
        ("5 - (H - 1)*(W - 1)", "H - H*W + W + 4"),
        ("9*C*K + K", "9*C*K + K"),
        ("2*H + 4", "2*H + 4"),
        ("-H - W//3", "-H - W//3"),
    ],
)
def test_sums(text: str, shown: str) -> None:
    assert readable(compute(text, NAMES)) == shown


def test_summands_show_factors_that_the_total_hides() -> None:
    parts = [compute(text, NAMES) for text in ("2048*(h - 1)*(w - 1)", "256*(h - h1 - 4)*(w - w1 - 4)", "5")]
    total = sum(parts, start=symbol("H") * symbol("W"))
    assert readable(total, parts) == "H*W + 2048*(h - 1)*(w - 1) + 256*(h - h1 - 4)*(w - w1 - 4) + 5"


def test_numbers_are_numbers() -> None:
    assert readable(12345) == "12345"
