"""The largest value that fits, against a search through all values."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from cnncli.algebra.deciding import Domain
from cnncli.analysis.costs.depth import depth
from cnncli.analysis.costs.figures import costs
from cnncli.analysis.fit.solving import Fitted, Task, candidate, fit
from cnncli.analysis.limited import DEPTH, LAYERS, LIMITS, MEMORY, TRAINING_MEMORY
from cnncli.analysis.memory.usage import bytes_at, memory, peak_moment
from cnncli.diagnostics import ShapeError, SpecError, UsageError
from cnncli.graph import Opened, open_spec, open_text
from cnncli.recipe.recipe import Recipe
from tests.generate import random_spec
from tests.specs.support import SPECS
from tests.steps import at_most

QUICK = 16
FIGURES = tuple(LIMITS)
OUTCOMES = {"found": 11, "endless": 4, "refused": 1}
"""What becomes of those."""
CAMPAIGN = 2_000
SETTINGS = Recipe(batch=3)


def task_of(text: str, limits: Mapping[str, int]) -> Task:
    def network(
        values: Mapping[str, int], unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Opened:
        changed = ["train.batch=3", *(f"{name}={value}" for name, value in values.items())]
        return open_text(text, overrides=changed, unknown=unknown, domain=domain)

    return Task(network, limits)


def figures(text: str, width: int) -> Mapping[str, int] | None:
    """All figures in numbers, the usual way; None where the network does not accept the width."""
    try:
        graph = open_text(text, overrides=[f"width={width}"]).graph
    except SpecError:
        return None  # a shape that does not fit, or no channels at all
    totals = costs(graph).totals
    used = memory(graph, 4, SETTINGS)
    peaks = {MEMORY: (used.inference, 1), TRAINING_MEMORY: (used.training, SETTINGS.batch)}
    layers = sum(not node.training_only for node in graph.nodes)
    return (
        {name: getattr(totals, name) for name in FIGURES if name not in (LAYERS, DEPTH, *peaks)}
        | {LAYERS: layers, DEPTH: depth(graph)}
        | {name: bytes_at(peak_moment(found, batch).live, batch) for name, (found, batch) in peaks.items()}
    )


def searched(text: str, limits: Mapping[str, int], end: int) -> tuple[int | None, int | None, int | None]:
    """Value, the one below and the one above, among 1..end."""
    at = {width: found for width in range(1, end) if (found := figures(text, width)) is not None}
    fits = [w for w, found in at.items() if all(found[name] <= most for name, most in limits.items())]
    value = max(fits, default=None)
    below = max((w for w in at if value is not None and w < value), default=None)
    above = min((w for w in at if value is None or w > value), default=None)
    return value, below, above


END = 120
"""Answers are looked for below; limits are met by widths of at most 24."""


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
    if found.endless:
        numbers = [figures(text, width) for width in range(END, END + 20)]
        assert any(
            each is not None and all(each[name] <= most for name, most in limits.items()) for each in numbers
        ), (limits, text)
        return "endless"
    value, below, above = searched(text, limits, END)
    assert (found.value, found.below) == (value, below), (limits, text)
    assert found.above == above or (above is None and found.above is not None and found.above >= END)
    return "found" if found.tried is None else "tried"


@pytest.mark.slow
def test_random_specs() -> None:
    outcomes = Counter(compare(seed) for seed in range(QUICK))
    assert outcomes == OUTCOMES


@pytest.mark.campaign
def test_many_random_specs() -> None:
    outcomes = Counter(compare(seed) for seed in range(CAMPAIGN))
    print(outcomes)  # noqa: T201 - the record of the run
    assert outcomes["found"] > CAMPAIGN // 2


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
    assert fitted(LINEAR + "  - linear: w\n", "w", buffers=0).endless


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
    assert fitted(layers, "w", params=40).endless
    assert fitted(LINEAR + "  - linear: 'max(20 - w, 1)'\n", "w", params=11).endless


def test_other_variables_have_their_values() -> None:
    layers = LINEAR + "  - linear: w*n\n"
    assert fitted(layers, "w", params=110).value == 10
    assert fitted(layers, "w", {"n": 5}, params=110).value == 2


@pytest.mark.slow
def test_values_are_tried_where_no_formula_exists() -> None:
    layers = LINEAR + "  - {linear: 10, repeat: n}\n"
    found = fitted(layers, "n", params=335)
    assert found == Fitted(3, 2, 4, tried=200)
    assert fitted(layers, "n", params=109)[:3] == (None, None, 1)
    # Of more than were tried nothing is known.
    assert fitted(layers, "n", buffers=0) == Fitted(200, 199, None, tried=200)


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


@pytest.mark.slow
def test_values_are_tried_where_a_formula_cannot_be_decided() -> None:
    found = fitted(LINEAR + "  - linear: w % 1000003 + 1\n", "w", params=100)
    assert (found.value, found.above, found.tried) == (8, 9, 2048)


HEADER = "input: [3, 16, 16]\nvars: {w: 4, n: 3}\nlayers:\n"
MAP = "input: [3, w, w]\nvars: {w: 4}\nlayers:\n"
PRODUCT = "  - multiply: {{branches: [identity, [conv: {{channels: 3, kernel: 3, stride: 2}}]]{}}}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "limits", "value"),
    [
        # One branch is a scale for some sizes only, so that shapes differ.
        (MAP + PRODUCT.format(", align: crop"), {"flops": 170}, None),
        (MAP + PRODUCT.format(", align: crop"), {"flops": 220}, 4),
        (MAP + PRODUCT.format(""), {"flops": 1700}, 4),
        # Formulas that are not for all values, and numbers that are refused for some.
        (HEADER + "  - conv: {channels: w + (w - 1)//(w - 1), kernel: 1}\n", {"params": 56}, 13),
        (HEADER + "  - conv: {channels: w + (w - 1)//(w - 1), kernel: 1}\n", {"params": 8}, None),
        (HEADER + "  - conv: {channels: w, kernel: 3 if w > 5 else 0}\n", {"params": 1000}, 35),
        (HEADER + "  - conv: {channels: w, kernel: 3 if w < 20 else 0}\n", {"params": 1000}, 19),
        (HEADER + "  - conv: {channels: w + 10 // (w > 5), kernel: 1}\n", {"params": 100}, 15),
        # Very many values fit.
        (HEADER + "  - conv: {channels: w, kernel: 1}\n", {"params": 4 * 10**11}, 10**11),
        (HEADER + "  - conv: {channels: w, kernel: 1}\n", {"params": 4 * 10**11, "macs": 7680}, 10),
        (HEADER + "  - conv: {channels: 2*(w//2), kernel: 1}\n", {"params": 8 * 10**6}, 2 * 10**6 + 1),
        # Tried: not all that is above the first that is over is over.
        ("input: [1, 9, 9]\nvars: {w: 8}\nlayers:\n  - conv: {channels: 2, kernel: w}\n", {"macs": 1000}, 9),
        (
            "input: [60, 4]\nvars: {w: 8}\nlayers:\n  - conv: {channels: 60//w, kernel: 1}\n",
            {"params": 500},
            60,
        ),
        (HEADER + "  - conv: {channels: w*0.5, kernel: 3}\n", {"params": 5000}, 356),
        (HEADER + "  - conv: {channels: w, kernel: w if w < 4 else 3}\n", {"params": 50_000}, 1785),
        (HEADER + "  - conv: {channels: 'max(w, 2.0)', kernel: 1}\n", {"params": 1000}, 250),
        (HEADER + "  - conv: {channels: w**9, kernel: 1}\n", {"params": 10_000}, 2),
        (
            HEADER + "  - {conv: {channels: 3, kernel: 3}, repeat: w}\n  - reshape: [3, 10, 10]\n",
            {"params": 10**6},
            3,
        ),
        # Settings that depend on it.
        (
            HEADER + "  - conv: {channels: w, kernel: 3}\ntrain: {optimizer: {sgd: {lr: 10 // w + 0.01}}}\n",
            {"params": 20_000},
            714,
        ),
        (HEADER + "  - {conv: {channels: 4, kernel: 1}, repeat: w}\n", {"layers": 5}, 5),
        (
            "input: [48]\nvars: {w: 6}\nlayers:\n  - linear: 48\n  - reshape: [w, 4, 2]\n",
            {"params": 10_000},
            6,
        ),
    ],
)
def test_what_others_would_get_wrong(text: str, limits: Mapping[str, int], value: int | None) -> None:
    found = fit(task_of(text, limits), "w", {})
    assert found.value == value
    if value is not None:
        assert not candidate(task_of(text, limits), "w", value, {}).over(limits)


@pytest.mark.slow
def test_the_batch_may_depend_on_the_variable() -> None:
    text = HEADER + "  - conv: {channels: w, kernel: 1}\ntrain: {batch: w}\n"
    limits = {"training_memory": 60_000}

    def network(
        values: Mapping[str, int], unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Opened:
        changed = [f"{name}={value}" for name, value in values.items()]
        return open_text(text, overrides=changed, unknown=unknown, domain=domain)

    task = Task(network, limits)
    found = fit(task, "w", {})
    assert found.value == 4
    assert [candidate(task, "w", w, {}).batch for w in (4, 5)] == [4, 5]
    assert not candidate(task, "w", 4, {}).over(limits)
    assert candidate(task, "w", 5, {}).over(limits)


def test_refused_values_may_be_many() -> None:
    text = HEADER.replace("w: 4", "w: 256") + "  - {conv: {channels: w, kernel: 1}, repeat: w//128}\n"
    text += "  - channelshuffle: 128\n"
    found = fit(task_of(text, {"params": 100_000}), "w", {}, 256)
    # From 128 on every 128th, once, and from 256 on twice.
    assert (found.value, found.below, found.above) == (256, 128, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("figure", "channels"),
    [
        ("params", "w % 999983 + w % 999979 + 1"),
        (
            "params",
            "1 + (w%2==0) + 2*(w%3==0) + 3*(w%5==0) + 4*(w%7==0) + 5*(w%11==0) + (w%13==0) + (w%17==0)",
        ),
        ("training_memory", "w//7 + w//11 + w//13 + w//17 + w//19 + 1"),
        ("training_memory", "((w + w//2 + 1)**4 + 1) * ((w + w//3 + 1)**4 + 1)"),
    ],
)
def test_hard_formulas_take_a_limited_number_of_steps(figure: str, channels: str) -> None:
    task = task_of(HEADER + f"  - conv: {{channels: '{channels}', kernel: 1}}\n", {figure: 10**6})
    with at_most(10_000_000):
        found = fit(task, "w", {})
    assert found.value or found.above
    if found.value is not None:
        assert not candidate(task, "w", found.value, {}).over(task.limits)
    if found.above is not None:
        assert candidate(task, "w", found.above, {}).over(task.limits)


@pytest.mark.campaign
def test_peaks_of_many_periods_take_a_limited_number_of_steps() -> None:
    layer = "  - conv: {{channels: 'w//{} + 1', kernel: 1}}\n  - relu\n"
    chain = "".join(layer.format(divisor) for divisor in (7, 11, 13, 16) * 3)
    with at_most(40_000_000):
        found = fitted(HEADER + chain, "w", training_memory=2**20)
    assert found.value is not None


def test_unet() -> None:
    """7574 w^2 + 118 w + 2 <= 7,000,000."""

    def network(
        values: Mapping[str, int], unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Opened:
        changed = [f"{name}={value}" for name, value in values.items()]
        return open_spec(SPECS / "unet.yaml", overrides=changed, unknown=unknown, domain=domain)

    task = Task(network, {"params": 7_000_000})
    assert fit(task, "width", {})[:3] == (30, 29, 31)
    assert candidate(task, "width", 30, {}).figures["params"] == 7574 * 900 + 118 * 30 + 2
    assert candidate(task, "width", 31, {}).over(task.limits) == {"params": 282_274}
    with pytest.raises(UsageError, match="no variable 'depth'"):
        fit(task, "depth", {})
