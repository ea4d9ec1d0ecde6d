"""Counting steps: the same figure every time, and a block that takes too many is stopped."""

from __future__ import annotations

import sys

import pytest

from tests.steps import at_most


def work(count: int) -> int:
    with at_most(10_000_000) as steps:
        for number in range(count):
            abs(number)
    return steps.taken


def test_a_call_is_a_step() -> None:
    assert work(300) - work(200) == 100


def test_an_endless_block_is_stopped() -> None:
    before = sys.getprofile()
    with pytest.raises(AssertionError, match="more than 1,000 steps"), at_most(1_000):  # noqa: PT012 - a loop
        while True:
            abs(1)
    assert sys.getprofile() is before
