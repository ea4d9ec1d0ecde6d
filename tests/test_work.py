"""Work is counted for each question, and refused in words."""

from __future__ import annotations

import pytest

from cnncli.diagnostics import LimitError
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
