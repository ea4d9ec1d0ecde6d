"""Work is counted for each question, and refused in words."""

from __future__ import annotations

import pytest

import cnncli
from cnncli.analyzed import Analyzed
from cnncli.diagnostics import LimitError, Location, Source, WorkError
from cnncli.limits import Limit
from cnncli.work import metered, spend

STEPS = Limit("steps", 10)


def test_a_question_may_cost_its_limit_and_no_more() -> None:
    with metered():
        spend(STEPS, 10)
        with pytest.raises(LimitError, match="more than 10 steps"):
            spend(STEPS)


def test_every_question_has_a_budget_of_its_own() -> None:
    for _ in range(3):
        with metered():
            spend(STEPS, 10)
    with metered(), pytest.raises(LimitError):
        spend(STEPS, 11)


def test_an_inner_question_shares_the_budget_of_the_outer_one() -> None:
    with metered():
        spend(STEPS, 6)
        with metered(), pytest.raises(LimitError):
            spend(STEPS, 5)


def test_limits_are_counted_apart() -> None:
    with metered():
        spend(STEPS, 10)
        spend(Limit("terms", 5), 5)
        with pytest.raises(LimitError, match="steps"):
            spend(STEPS)


def test_nothing_is_counted_outside_of_a_question() -> None:
    spend(STEPS, 1_000)
    with metered():
        spend(STEPS, 10)
        with pytest.raises(LimitError):
            spend(STEPS)


def test_an_error_without_a_place_gets_that_of_a_node() -> None:
    where = Location(Source("a.yaml", ""), 3, 5)
    with metered(), pytest.raises(LimitError) as caught:
        spend(STEPS, 11)
    placed = caught.value.at("conv1", where)
    assert isinstance(placed, WorkError)
    assert str(placed).startswith("a.yaml:3:5: conv1: this takes too much work")
    assert placed.at("conv2", where._replace(line=9)).diagnostics == placed.diagnostics


UNMETERED = {"compile", "evaluate", "probe", "symbolic", "train", "verify"}
"""They load again, or measure with torch."""


@pytest.mark.parametrize(
    "name", [name for name, value in vars(Analyzed).items() if callable(value) and not name.startswith("_")]
)
def test_every_analysis_is_a_question(name: str) -> None:
    """``metered`` wraps what it decorates."""
    assert hasattr(getattr(Analyzed, name), "__wrapped__") is (name not in UNMETERED), name


def test_loading_is_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.algebra.terms.TERMS", Limit("terms of formulas", 200))
    assert cnncli.load("lenet5").costs().totals.params == 61706
    with pytest.raises(WorkError, match=r"lenet5.yaml:\d+:\d+: \w+: .* more than 200 terms of formulas"):
        cnncli.load("lenet5", symbolic=True)
