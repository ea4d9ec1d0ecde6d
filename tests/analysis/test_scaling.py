"""The largest value that fits, against a search through all values."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest

from cnncli.algebra.deciding import Domain
from cnncli.analysis.costs import costs
from cnncli.analysis.memory import fullest, known, memory
from cnncli.analysis.scaling import FIGURES, MEMORY, Fitted, Task, candidate, fit
from cnncli.diagnostics import LimitError, ShapeError, SpecError, UsageError
from cnncli.graph import Graph, open_spec, open_text
from cnncli.spec.sections import Train
from tests.generate import random_spec
from tests.specs.support import SPECS

QUICK = 40
CAMPAIGN = 2_000
SETTINGS = Train(batch=3)


def task_of(text: str, limits: Mapping[str, int]) -> Task:
    def network(
        values: Mapping[str, int], unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Graph:
        changed = [f"{name}={value}" for name, value in values.items()]
        return open_text(text, overrides=changed, unknown=unknown, domain=domain).graph

    return Task(network, limits, SETTINGS)


def figures(text: str, width: int) -> Mapping[str, int] | None:
    """All figures in numbers, the usual way; None where the network does not accept the width."""
    try:
        graph = open_text(text, overrides=[f"width={width}"]).graph
    except SpecError:
        return None  # a shape that does not fit, or no channels at all
    totals = costs(graph).totals
    moment = fullest(memory(graph, 4, SETTINGS).training, SETTINGS.batch)
    own = {name: getattr(totals, name) for name in FIGURES if name != MEMORY}
    return own | {MEMORY: known(moment.held, SETTINGS.batch)}


def searched(text: str, limits: Mapping[str, int], end: int) -> tuple[int | None, int | None, int | None]:
    """Value, the one below and the one above, among 1..end."""
    at = {width: found for width in range(1, end) if (found := figures(text, width)) is not None}
    fits = [w for w, found in at.items() if all(found[name] <= most for name, most in limits.items())]
    value = max(fits, default=None)
    below = max((w for w in at if value is not None and w < value), default=None)
    above = min((w for w in at if value is None or w > value), default=None)
    return value, below, above


def compare(seed: int) -> str:
    """Hold one random spec, with limits that some width between 1 and 24 just meets, against a search."""
    text = random_spec(seed)
    draw = random.Random(seed)  # noqa: S311 - nothing here is a secret
    names = draw.sample(FIGURES, draw.choice((1, 2)))
    met = [figures(text, draw.randint(1, 24)) for _ in names]
    limits = {name: found[name] for name, found in zip(names, met, strict=True) if found is not None}
    if not limits:
        return "refused"
    found = fit(task_of(text, limits), "width", {})
    if found.unbounded:
        numbers = [figures(text, width) for width in (997, 4000)]
        assert all(
            each is None or all(each[name] <= most for name, most in limits.items()) for each in numbers
        ), text
        return "unbounded"
    end = 40 if found.value is None else found.value + 40
    assert found.formulas is not None, text
    assert (found.value, found.below, found.above) == searched(text, limits, end), (limits, text)
    return "found"


@pytest.mark.parametrize("seed", range(QUICK))
def test_random_specs(seed: int) -> None:
    compare(seed)


@pytest.mark.campaign
def test_many_random_specs() -> None:
    outcomes = [compare(seed) for seed in range(CAMPAIGN)]
    print({word: outcomes.count(word) for word in set(outcomes)})  # noqa: T201 - the record of the run
    assert outcomes.count("found") > CAMPAIGN // 2


# -- by hand ---------------------------------------------------------------------------------------


def fitted(text: str, variable: str, values: Mapping[str, int] | None = None, **limits: int) -> Fitted:
    return fit(task_of(text, limits), variable, values or {})


LINEAR = "input: [10]\nvars: {w: 4, n: 1}\nlayers:\n"


def test_a_limit_that_is_just_met_holds() -> None:
    layers = LINEAR + "  - linear: w\n"
    assert fitted(layers, "w", params=110)[:4] == (10, 9, 11, False)
    assert fitted(layers, "w", params=109)[:4] == (9, 8, 10, False)
    assert fitted(layers, "w", params=109).formulas == {"params": (costs_formula(layers),)}


def costs_formula(text: str) -> object:
    return costs(open_text(text, unknown=["w"]).graph).totals.params


def test_all_limits_count() -> None:
    layers = LINEAR + "  - linear: w\n"
    assert fitted(layers, "w", params=110, macs=50).value == 5


def test_only_what_the_network_accepts_is_found() -> None:
    layers = LINEAR + "  - linear: w\n  - groupnorm: {groups: 4}\n"
    # 13 parameters each with norm: 40 values are 520.
    assert fitted(layers, "w", params=540)[:3] == (40, 36, 44)


def test_nothing_fits() -> None:
    assert fitted(LINEAR + "  - linear: w + 2\n", "w", params=32)[:4] == (None, None, 1, False)


def test_nothing_stops_it() -> None:
    assert fitted(LINEAR + "  - linear: w\n", "w", buffers=0).unbounded


def test_one_width_is_another_network() -> None:
    """A shortcut is the identity for one width, which saves its projection: a larger one may cost less."""
    layers = "input: [40, 3, 3]\nvars: {w: 4}\nlayers:\n  - shortcut: w\n"
    # Elsewhere 40 w + 2 w parameters.
    found = fitted(layers, "w", params=100)
    assert found[:4] == (40, 39, 41, False)
    assert found.formulas == {}
    assert fitted(layers, "w", params=42 * 41).value == 41


def test_what_shrinks_as_the_variable_grows() -> None:
    layers = LINEAR + "  - linear: 'w if w < 7 else 3'\n"
    assert fitted(layers, "w", params=40).unbounded
    assert fitted(LINEAR + "  - linear: 'max(20 - w, 1)'\n", "w", params=11).unbounded


def test_other_variables_have_their_values() -> None:
    layers = LINEAR + "  - linear: w*n\n"
    assert fitted(layers, "w", params=110).value == 10
    assert fitted(layers, "w", {"n": 5}, params=110).value == 2


def test_where_no_formula_can_stand_values_are_tried() -> None:
    layers = LINEAR + "  - {linear: 10, repeat: n}\n"
    found = fitted(layers, "n", params=335)
    assert found == Fitted(3, 2, 4, unbounded=False, formulas=None)
    assert fitted(layers, "n", params=109)[:3] == (None, None, 1)
    assert fitted(layers, "n", buffers=0).unbounded


def test_values_that_are_refused_are_passed_over() -> None:
    layers = (
        "input: [1, 9]\nvars: {k: 1}\nlayers:\n  - conv: {channels: 1, kernel: k}\n  - reshape: [2, -1]\n"
    )
    # Of 9 + 1 - k positions there must be an even number.
    assert fitted(layers, "k", params=6)[:3] == (4, 2, 6)


def test_no_value_is_accepted() -> None:
    layers = LINEAR + "  - linear: 2*w\n  - groupnorm: {groups: 4}\n  - linear: w\n  - reshape: [2, 2]\n"
    assert fitted(layers, "w", params=10**6).value == 4
    with pytest.raises(ShapeError, match="keeps the number of values"):
        fitted(layers.replace("[2, 2]", "[3, 1]"), "w", params=10**6)


def test_what_is_past_deciding_is_said() -> None:
    with pytest.raises(LimitError, match="past deciding"):
        fitted(LINEAR + "  - linear: w % 1000003 + 1\n", "w", params=100)


def test_unet() -> None:
    """7574 w^2 + 118 w + 2 <= 7,000,000."""

    def network(
        values: Mapping[str, int], unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Graph:
        changed = [f"{name}={value}" for name, value in values.items()]
        return open_spec(SPECS / "unet.yaml", overrides=changed, unknown=unknown, domain=domain).graph

    task = Task(network, {"params": 7_000_000}, SETTINGS)
    assert fit(task, "width", {})[:3] == (30, 29, 31)
    assert candidate(task, "width", 30, {}).figures["params"] == 7574 * 900 + 118 * 30 + 2
    assert candidate(task, "width", 31, {}).over(task.limits) == {"params": 282_274}
    with pytest.raises(UsageError, match="no variable 'depth'"):
        fit(task, "depth", {})
