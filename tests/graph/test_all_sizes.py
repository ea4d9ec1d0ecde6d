"""A graph for all sizes at once: shapes, costs and accepted sizes are those of the analysis in numbers."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from cnncli.diagnostics import ShapeError, SpecError
from cnncli.graph import all_sizes, open_spec, open_text
from tests.generate import random_spec
from tests.graph.symbolic import compare, spec_of

QUICK = 40
OTHERS = {3: "none", 24: "undecided"}
"""What becomes of the random specs that have no formula that holds somewhere; all others must have one."""
CAMPAIGN = 20_000
PARTS = 4
"""For as many processes."""


@pytest.mark.parametrize("seed", range(QUICK))
def test_random_specs(seed: int) -> None:
    sizes = sorted(random.Random(seed).sample(range(1, 301), 20))  # noqa: S311 - nothing here is a secret
    outcome = compare(spec_of(random_spec(seed)), [*range(1, 17), *sizes])
    assert outcome.word == OTHERS.get(seed, "held")
    assert (outcome.sizes > 0) == (seed not in OTHERS)


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(PARTS))
def test_many_random_specs(part: int) -> None:
    """Every spec at all of the sizes from 1 to 300 along one axis, which is drawn."""
    outcomes: Counter[str] = Counter()
    held = 0
    for seed in range(part, CAMPAIGN, PARTS):
        spec = spec_of(random_spec(seed))
        axis = random.Random(seed).randrange(len(spec.input) - 1)  # noqa: S311 - nothing here is a secret
        outcome = compare(spec, range(1, 301), [axis])
        outcomes[outcome.word] += 1
        held += outcome.sizes
    print(f"{outcomes}, {held:,} sizes held")  # noqa: T201 - the record of the run
    assert outcomes["held"] > 0.8 * CAMPAIGN / PARTS


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100))
def test_random_specs_at_every_size_to_300(seed: int) -> None:
    compare(spec_of(random_spec(seed)), range(1, 301))


def test_what_fits_at_no_size_whatever_the_input_is_an_ordinary_fault() -> None:
    text = """
input: [1, 9]
layers:
  - {conv: {channels: 1, kernel: 3}, name: even}
  - {maxpool: 2, name: halved}
  - {reshape: [1, 4], name: four}
  - {conv: {channels: 1, kernel: 7}, name: wide}
"""
    with pytest.raises(ShapeError) as caught:
        open_text(text, size=all_sizes)
    (fault,) = caught.value.diagnostics
    assert fault.message.startswith("wide: the kernel of 'conv' is larger")
    assert fault.related == ()


def test_clashing_requirements() -> None:
    text = """
input: [4, 9]
layers:
  - {conv: {channels: 4, kernel: 9}, name: long}
  - add: {branches: [identity, [crop: {amount: 0}]]}
  - {reshape: [-1, 4], name: back}
  - {pad: {amount: 1, mode: reflect}, name: framed}
heads:
  short: {from: input, layers: [{reshape: [2, 10], name: fixed}]}
  whole: [identity]
"""
    with pytest.raises(ShapeError) as caught:
        open_text(text, size=all_sizes)
    (fault,) = caught.value.diagnostics
    assert "fixed" in fault.message
    (other,) = fault.related
    assert other.message.startswith("long requires: ")
    assert other.location.line == 4


def test_what_has_no_single_formula_is_reported() -> None:
    branches = "[identity, [maxpool: 2, pad: 9]]"
    text = f"input: [1, 40]\nlayers:\n  - add: {{branches: {branches}, align: crop}}\n"
    with pytest.raises(SpecError) as caught:
        open_text(text, size=all_sizes)
    (fault,) = caught.value.diagnostics
    assert fault.code == "undecided"
    assert "no single formula that holds for all values" in fault.message
    assert fault.location is not None
    assert fault.location.line == 3


def test_requirements_that_couple_two_axes_are_kept() -> None:
    graph = open_text("input: [3, 8, 8]\nlayers: [{reshape: [-1, 10]}]", size=all_sizes).graph
    (bound,) = graph.bounds
    assert bound.sizes is None
    assert str(bound.condition) == "3*H*W - 10*((3*H*W)//10) == 0"


def test_resnet50_and_unet() -> None:
    assert (
        str(open_spec("resnet50", size=all_sizes).graph.nodes[-3].output_shape)
        == "(2048, (H + 31)//32, (W + 31)//32)"
    )
    assert str(open_spec("unet", size=all_sizes).graph.outputs["output"].shape) == (
        "(2, 16*((H + 4)//16) - 188, 16*((W + 4)//16) - 188)"
    )


def test_one_symbol_for_two_axes() -> None:
    from cnncli.algebra import symbol

    side = symbol("H")
    graph = open_spec("resnet18", size=(3, side, side)).graph
    assert graph.nodes[0].output_shape == (64, (side + 1) // 2, (side + 1) // 2)
