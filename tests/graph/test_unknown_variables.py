"""Specs with a symbolic variable, compared with the same specs in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from cnncli.algebra import evaluate, symbols_of
from cnncli.algebra.deciding import Domain
from cnncli.algebra.size_sets import SizeSet
from cnncli.analysis.costs.figures import Figures, costs
from cnncli.diagnostics import ShapeError, SpecError, UsageError
from cnncli.graph import Graph, all_sizes, open_spec, open_text
from tests.generate import random_spec
from tests.specs.support import SPECS

QUICK = 60
OUTCOMES = {"held": 54, "undecided": 3, "none": 3}
"""What becomes of those."""
CAMPAIGN = 20_000
PARTS = 4
"""For as many processes."""
FROM_FOUR = SizeSet(1, ((0, 4),), ())
"""Random specs ask for max(width, 4)."""


def numbers(text: str, value: int) -> Graph | None:
    try:
        return open_text(text, overrides=[f"width={value}"]).graph
    except ShapeError:
        return None


def compare(text: str, values: Sequence[int]) -> tuple[str, int]:
    """What became of the spec: ``held`` with the number of values, ``none``, ``undecided`` or ``no-formula``.

    Raises AssertionError with the spec to paste.
    """
    domain = Domain({"width": FROM_FOUR})
    try:
        graph = open_text(text, unknown=["width"], domain=domain).graph
    except ShapeError:
        assert not any(numbers(text, value) for value in values), text
        return "none", 0
    except SpecError as error:
        codes = {fault.code for fault in error.diagnostics if fault.level == "error"}
        assert codes & {"undecided", "no-formula"}, text
        assert codes <= {"undecided", "no-formula", "shape"}, text
        return "undecided" if "undecided" in codes else "no-formula", 0
    assert all(bound.sizes is not None for bound in graph.bounds), text
    formulas, held = costs(graph), 0
    for value in values:
        other = numbers(text, value)
        assert (value in domain.sizes("width")) == (other is not None), f"width={value}\n{text}"
        if other is None:
            continue
        held += 1
        at = {"width": value}
        for ours, theirs in zip(graph.nodes, other.nodes, strict=True):
            shown = tuple(evaluate(dim, at) for dim in ours.output_shape)
            assert shown == theirs.output_shape, f"width={value}, {ours.name}\n{text}"
        mine, others = formulas.training_totals, costs(other).training_totals
        assert Figures(*(evaluate(each, at) for each in mine)) == others, f"width={value}\n{text}"
    return "held", held


@pytest.mark.slow
def test_random_specs() -> None:
    outcomes = Counter(compare(random_spec(seed), (4, 5, 6, 8, 13, 24))[0] for seed in range(QUICK))
    assert outcomes == OUTCOMES


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(PARTS))
def test_many_random_specs(part: int) -> None:
    """Each at the values from 4 to 40."""
    outcomes: Counter[str] = Counter()
    values = 0
    for seed in range(part, CAMPAIGN, PARTS):
        word, held = compare(random_spec(seed), range(4, 41))
        outcomes[word] += 1
        values += held
    print(f"{outcomes}, {values:,} values held")  # noqa: T201 - the record of the run
    assert outcomes["held"] > 0.5 * CAMPAIGN / PARTS


# -- what carries a formula, and what does not -----------------------------------------------------

BASE = "input: [3, 16, 16]\nvars: {w: 8, word: same}\nlayers:\n"


def opened(layers: str, *unknown: str) -> Graph:
    return open_text(BASE + layers, unknown=unknown or ("w",)).graph


def params(layers: str) -> str:
    return str(costs(opened(layers)).totals.params)


@pytest.mark.parametrize(
    ("layers", "formula"),
    [
        ("  - conv: {channels: w*2, kernel: 3}\n", "56*w"),
        ("  - {conv: {channels: w, kernel: 1}, repeat: 2}\n", "w**2 + 5*w"),
        # Depthwise: as many groups as channels.
        ("  - conv: {channels: w, kernel: 1}\n  - conv: {channels: w*3, kernel: 3, groups: w}\n", "34*w"),
        ("  - convtranspose: {channels: w, kernel: 2, groups: 3, bias: false}\n", "12*(w//3)"),
        ("  - flatten\n  - linear: w\n", "769*w"),
        (
            "  - flatten\n  - linear: w*16\n  - reshape: [w, 4, 4]\n  - conv: {channels: 1, kernel: 1}\n",
            "12305*w + 1",
        ),
        ("  - conv: {channels: 4*w, kernel: 1}\n  - groupnorm: w\n  - channelshuffle: w\n", "24*w"),
        (
            "  - conv: {channels: 8, kernel: 1}\n  - capsules: {count: w, size: w, reads: 8}\n",
            "2048*w**2 + 32",
        ),
        ("  - shortcut: w + 3\n", "5*w + 15"),
        ("  - conv: {channels: w if w < 1 else w**2 - w//2, kernel: 1}\n", "4*w**2 - 4*(w//2)"),
        ("  - conv: {channels: 'max(w, 1, w - 5)', kernel: 1}\n", "4*w"),
    ],
)
def test_formulas(layers: str, formula: str) -> None:
    assert params(layers) == formula


def test_arguments_have_to_be_what_they_must_be_in_numbers() -> None:
    graph = opened("  - conv: {channels: w - 4, kernel: 3, groups: 3}\n")
    assert [str(bound.condition) for bound in graph.bounds] == ["w - 5 >= 0", "w - 3*((w + 2)//3) + 2 == 0"]
    assert graph.domain is not None
    # 1 or more, and a multiple of 3 once 4 is taken off.
    assert [w for w in range(1, 20) if w in graph.domain.sizes("w")] == [7, 10, 13, 16, 19]


@pytest.mark.parametrize(
    ("layers", "where"),
    [
        ("  - conv: {channels: 4, kernel: w}\n", "4:33"),
        ("  - conv: {channels: 4, kernel: [3, w]}\n", "4:37"),
        ("  - conv: {channels: 4, kernel: 3, stride: w}\n", "4:44"),
        ("  - conv: {channels: 4, kernel: 3, padding: w}\n", "4:45"),
        ("  - conv: {channels: 4, kernel: 3, padding: {top: w}}\n", "4:51"),
        ("  - conv: {channels: 4, kernel: 3, bias: w}\n", "4:42"),
        ("  - conv: {channels: 1, kernel: 3, table: [[w]]}\n", "4:45"),
        ("  - {conv: {channels: 4, kernel: 3}, repeat: w}\n", "4:46"),
        ("  - dropout: w\n", "4:14"),
        ("  - localresponsenorm: w\n", "4:24"),
        ("  - upsample: w\n", "4:15"),
        ("  - conv: {channels: $w, kernel: 3}\n", "4:22"),
        ("  - {conv: {channels: 4, kernel: 3}, name: conv$w}\n", "4:48"),
        ("  - conv: {channels: w*0.5, kernel: 3}\n", "4:22"),
        ("  - conv: {channels: 64//w, kernel: 3}\n", "4:22"),
        ("  - conv: {channels: 2**w, kernel: 3}\n", "4:22"),
        ("  - conv: {channels: '4 if w > 0.5 else 3', kernel: 3}\n", "4:28"),
        ("  - conv: {channels: '[4, 8][w]', kernel: 3}\n", "4:30"),
        ("  - conv: {channels: 4, kernel: 1, groups: w}\n", "4:5"),
        ("  - conv: {channels: w, kernel: 1}\n  - reshape: [w - 1, -1]\n", "5:5"),
    ],
)
def test_what_takes_no_formula_says_where(layers: str, where: str) -> None:
    with pytest.raises(SpecError) as caught:
        opened(layers)
    (fault,) = caught.value.diagnostics
    assert fault.code == "no-formula"
    assert str(fault.location) == f"<text>:{where}"
    assert fault.expected


@pytest.mark.parametrize(
    ("layers", "condition"),
    [
        ("  - conv: {channels: w if w > 8 else 4, kernel: 1}\n", "w - 9 >= 0"),
        ("  - conv: {channels: '4 if w == 8 else w', kernel: 1}\n", "w - 8 == 0"),
        ("  - conv: {channels: '4 if w != 8 else w', kernel: 1}\n", "w - 8 == 0"),
        ("  - conv: {channels: '4 if [w, 1] == [8, 1] else w', kernel: 1}\n", "w - 8 == 0"),
        ("  - conv: {channels: '4 if not (w - 8) else w', kernel: 1}\n", "w - 8 == 0"),
        ("  - conv: {channels: 'min(w, 16)', kernel: 1}\n", "w - 17 >= 0"),
        ("  - shortcut: w\n", "w - 3 == 0"),
    ],
)
def test_what_has_several_formulas_is_reported(layers: str, condition: str) -> None:
    with pytest.raises(SpecError) as caught:
        opened(layers)
    (fault,) = caught.value.diagnostics
    assert fault.code == "undecided"
    assert condition in fault.received


def test_a_comparison_that_holds_for_all_values_is_decided() -> None:
    assert params("  - conv: {channels: w + 1 if w >= 1 and w != 0 else 4, kernel: 1}\n") == "4*w + 4"


@pytest.mark.parametrize(
    ("unknown", "word"),
    [("v", "no variable 'v'"), ("word", "cannot be symbolic"), ("H", "no variable 'H'")],
)
def test_only_variables_with_whole_numbers_can_be_unknown(unknown: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        opened("  - flatten\n", unknown)


def test_a_variable_has_another_name_than_a_size() -> None:
    text = "input: [3, 9, 9]\nvars: {H: 4}\nlayers:\n  - conv: {channels: H, kernel: 3}\n"
    with pytest.raises(UsageError, match="'H' is both a variable and a size"):
        open_text(text, unknown=["H"], size=all_sizes)


def test_the_input_may_be_a_formula() -> None:
    text = "input: [3, 's - 8', s]\nvars: {s: 64}\nlayers:\n  - conv: {channels: 2, kernel: 3}\n"
    graph = open_text(text, unknown=["s"]).graph
    assert graph.nodes[0].output_shape[1:] == (graph.input[1] - 2, graph.input[2] - 2)
    assert [(bound.node, str(bound.condition)) for bound in graph.bounds] == [
        ("input", "s - 9 >= 0"),
        ("conv1", "s - 11 >= 0"),
    ]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("w**9", "at most 200 terms, and powers up to 8"),
        ("(w + 1)**4 * (w - 1)**5", "the formula is too long"),
    ],
)
def test_formulas_do_not_grow_without_bounds(expression: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        opened(f"  - conv: {{channels: '{expression}', kernel: 1}}\n")


def test_unet_has_the_parameters_of_every_width() -> None:
    graph = open_spec(SPECS / "unet.yaml", unknown=["width"]).graph
    totals = costs(graph).totals
    assert str(totals.params) == "7574*width**2 + 118*width + 2"
    assert evaluate(totals.params, {"width": 64}) == 31_030_658
    assert symbols_of(totals.macs) == {"width"}
