"""Budgets: limits, and how they are written."""

from __future__ import annotations

import pytest

from cnncli.analysis.check import check
from cnncli.analysis.costs.figures import costs
from cnncli.diagnostics import SpecError
from cnncli.graph import open_spec, open_text
from cnncli.language.sections import Budget, Quantity
from tests.specs.support import SPECS

LENET5 = costs(open_spec(SPECS / "lenet5.yaml").graph)


def test_a_limit_may_be_reached_but_not_passed() -> None:
    (exactly,) = check(LENET5, Budget(params=61_706))
    assert exactly.within
    assert exactly.excess == 0
    (over,) = check(LENET5, Budget(params=61_705))
    assert not over.within
    assert over.excess == 1
    assert over.heaviest == (("linear1", 48_120), ("linear2", 10_164), ("conv2", 2_416))


def test_every_figure_can_be_limited() -> None:
    budget = Budget(
        params=61_706,
        macs=416_520,
        flops=852_370,
        neurons=6_518,
        values=15_002,
        buffers=0,
        layers=12,
        weights_size=246_824,
    )
    verdicts = check(LENET5, budget)
    assert [verdict.figure for verdict in verdicts] == list(Budget.arguments)
    assert all(verdict.within for verdict in verdicts)
    assert [verdict.excess for verdict in verdicts] == [0] * 8


def test_nothing_is_checked_that_has_no_limit() -> None:
    assert check(LENET5, Budget()) == ()


def test_heads_for_training_do_not_count() -> None:
    graph = open_text(
        """
        input: [4]
        layers: [linear: 4]
        heads: {main: [linear: 2], extra: {layers: [linear: 100], training_only: true}}
        """
    ).graph
    (params, layers) = check(costs(graph), Budget(params=30, layers=2))
    assert (params.actual, layers.actual) == (20 + 10, 2)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1.2M", 1_200_000),
        ("60k", 60_000),
        ("61706", 61_706),
        ("1_000", 1_000),
        ("1,000", 1_000),
        ("2.5G", 2_500_000_000),
        ("1e6", 1_000_000),
        ("0.5k", 500),
        ("0.0005k", None),
        ("-1", None),
        ("1.5", None),
        ("12 monkeys", None),
        ("", None),
    ],
)
def test_readable_numbers(text: str, amount: int | None) -> None:
    assert Quantity().amount(text) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("512 KiB", 524_288),
        ("1.5 MB", 1_500_000),
        ("2MiB", 2_097_152),
        ("100", 100),
        ("7 B", 7),
        ("1k", None),
    ],
)
def test_readable_sizes(text: str, amount: int | None) -> None:
    assert Quantity(of_bytes=True).amount(text) == amount


def test_a_wrong_limit_is_reported_at_its_place() -> None:
    with pytest.raises(SpecError) as caught:
        open_text("input: [4]\nlayers: [linear: 2]\nbudget: {params: lots, marcs: 3}")
    first, second = caught.value.diagnostics
    assert first.location is not None
    assert second.location is not None
    assert (first.location.line, first.location.column, first.code) == (3, 18, "unknown-name")
    assert (second.location.line, second.location.column) == (3, 24)
    assert "macs" in second.hint
