from __future__ import annotations

import copy

import pytest
from hypothesis import given

from cnncli.algebra import (
    Dim,
    Expr,
    NoFormulaError,
    ceil_div,
    evaluate,
    product,
    symbol,
    symbols_of,
    whole,
    whole_shape,
)
from tests.algebra.arithmetic import SYMBOLS, assert_means, compute, formula, formulas, sizes

H, W = symbol("H"), symbol("W")


@given(formulas, sizes, sizes, sizes)
def test_a_formula_means_what_python_computes(
    text: str, first: dict[str, int], second: dict[str, int], third: dict[str, int]
) -> None:
    value = compute(text, SYMBOLS)
    for at in (first, second, third):
        assert_means(value, text, at)


@given(formulas)
def test_text_parses_back_to_the_same_value(text: str) -> None:
    value = compute(text, SYMBOLS)
    assert compute(str(value), SYMBOLS) == value, f"paste: {text}  # shown as {value}"


@given(formulas, formulas)
def test_only_equal_expressions_have_equal_text(left: str, right: str) -> None:
    a, b = compute(left, SYMBOLS), compute(right, SYMBOLS)
    assert (a == b) == (str(a) == str(b)), f"paste: {left} and {right}  # {a} and {b}"


@given(formulas, formulas, formulas)
def test_the_order_of_work_leaves_no_trace(p: str, q: str, r: str) -> None:
    for one, other in [
        (f"{p} + {q}", f"{q} + {p}"),
        (f"{p} * {q}", f"{q} * {p}"),
        (f"({p} + {q}) + {r}", f"{p} + ({q} + {r})"),
        (f"({p} + {q}) * {r}", f"{p}*{r} + {q}*{r}"),
        (f"{p} - {q}", f"-({q} - {p})"),
        (f"{p} + {q} - {q}", p),
    ]:
        a, b = compute(one, SYMBOLS), compute(other, SYMBOLS)
        assert a == b, f"paste: {one} == {other}  # {a} and {b}"
        assert hash(a) == hash(b)


@given(formulas)
def test_what_cancels_is_a_plain_number(text: str) -> None:
    value = compute(text, SYMBOLS)
    for number, expected in [(value - value, 0), (value * 0, 0), (value**0, 1), ((value * 6 + 11) % 6, 5)]:
        assert type(number) is int, f"paste: {text}  # gives {number!r}"
        assert number == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("64*W*H + 10", "64*H*W + 10"),
        ("10 - 64*H*W", "10 - 64*H*W"),
        ("-H - 3", "-H - 3"),
        ("(H + W)**2", "H**2 + 2*H*W + W**2"),
        ("(H - 1)//32 + 1", "(H + 31)//32"),
        ("3*((H + 1)//2)*((W + 1)//2)", "3*((H + 1)//2)*((W + 1)//2)"),
        ("-(H//3)", "-(H//3)"),
        ("W - H//3", "W - H//3"),
        ("(H//3)**2", "(H//3)**2"),
        ("H**2//3", "(H**2)//3"),
        ("H % 32", "H - 32*(H//32)"),
    ],
)
def test_formulas_read_well(text: str, shown: str) -> None:
    assert str(formula(text)) == shown
    assert repr(formula(text)) == shown


def test_resnets_last_map() -> None:
    size: Dim = H
    for kernel, pad in [(7, 3), (3, 1), (3, 1), (3, 1), (3, 1)]:
        size = (size + pad + pad - kernel) // 2 + 1
    assert str(size) == "(H + 31)//32"
    assert [evaluate(size, {"H": n}) for n in (1, 32, 33, 224, 225)] == [1, 1, 2, 7, 8]


@given(formulas, sizes)
def test_ceil_div_rounds_up(text: str, at: dict[str, int]) -> None:
    value = compute(text, SYMBOLS)
    for divisor in (1, 2, 3, 8):
        assert_means(ceil_div(value, divisor), f"-((-{text})//{divisor})", at)


def test_product() -> None:
    assert product([]) == 1
    assert product([3, 4]) == 12
    assert product([3, H, 0]) == 0
    assert product(size for size in (64, H, W)) == 64 * H * W


def test_given_numbers_the_functions_give_numbers() -> None:
    for number in (ceil_div(7, 2), product([2, 3]), evaluate(5, {})):
        assert type(number) is int


@given(formulas, sizes)
def test_symbols_of_names_what_a_value_needs(text: str, at: dict[str, int]) -> None:
    value = compute(text, SYMBOLS)
    needed = symbols_of(value)
    evaluate(value, {name: at[name] for name in needed})
    for name in needed:
        with pytest.raises(KeyError, match=name):
            evaluate(value, {other: at[other] for other in needed - {name}})


def test_symbols_inside_floor_divisions_are_found() -> None:
    # 2*((W + 4)//5) is not a term that folds, so W stays two divisions deep.
    assert symbols_of((H + 2 * ((W + 4) // 5)) // 7) == {"H", "W"}


def test_an_expression_is_frozen_and_equal_only_to_its_like() -> None:
    expr = formula("H + 1")
    with pytest.raises(AttributeError):
        setattr(expr, "terms", {})  # noqa: B010 - mypy knows that it cannot be assigned
    assert {expr: "found"}[formula("1 + H")] == "found"
    assert expr != 1
    assert expr != "H + 1"
    assert copy.deepcopy(expr) == expr


@pytest.mark.parametrize("name", ["", "2H", "H W", "H+W", "lambda", "\N{GREEK SMALL LETTER ETA}"])
def test_a_symbols_name_must_parse_back(name: str) -> None:
    with pytest.raises(ValueError, match="plain identifier"):
        symbol(name)


@pytest.mark.parametrize("text", ["H//W", "12//H", "12 % H", "W % H", "(H + 1)//(2*H)"])
def test_a_quotient_that_is_not_a_polynomial_is_refused(text: str) -> None:
    with pytest.raises(NoFormulaError, match="divides by an unknown"):
        compute(text, SYMBOLS)


def test_what_has_no_exact_integer_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="is not an integer"):
        H**-1
    with pytest.raises(ZeroDivisionError):
        H // 0


@given(formulas, formulas)
def test_a_product_is_divided_by_its_factors(p: str, q: str) -> None:
    left, right = compute(p, SYMBOLS), compute(q, SYMBOLS)
    if right != 0:
        told = f"paste: ({p}) * ({q}) // ({q})"
        assert left * right // right == left, told
        assert left * right % right == 0, told


def test_what_divides_for_all_values_is_a_quotient() -> None:
    assert (H * H - W * W) // (H + W) == H - W
    assert 6 * (H // 4) * W // (2 * (H // 4)) == 3 * W
    assert 0 // H == 0
    assert H * W % W == 0


@pytest.mark.parametrize("operation", ["__add__", "__sub__", "__mul__", "__floordiv__", "__pow__"])
def test_floats_are_not_sizes(operation: str) -> None:
    # With a float the answer would be inexact for large sizes.
    assert getattr(Expr, operation)(H, 0.5) is NotImplemented


def test_a_formula_is_not_taken_for_a_number() -> None:
    assert (whole(7), whole_shape((3, 7, 7))) == (7, (3, 7, 7))
    for wrong in (lambda: whole(symbol("H")), lambda: whole_shape((3, symbol("H") // 2, 7))):
        with pytest.raises(TypeError, match="a number is needed here, not the formula H"):
            wrong()


@pytest.mark.parametrize("size", [10**201, -(10**5000)], ids=["201 digits", "5,000 digits"])
def test_a_formula_refuses_numbers_of_thousands_of_digits(size: int) -> None:
    with pytest.raises(ValueError, match="H must have at most 200 digits"):
        symbol("H")(H=size)
