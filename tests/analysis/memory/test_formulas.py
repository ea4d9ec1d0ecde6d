"""Memory for all sizes at once: every row, total and peak, evaluated, is that of the analysis in numbers."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from cnncli.analysis.costs.figures import costs
from cnncli.analysis.memory.peaks import FEW, Peak, Peaks
from cnncli.analysis.memory.totals import memory_totals
from cnncli.analysis.memory.usage import Memory, memory
from cnncli.diagnostics import CnncliError, SpecError
from cnncli.graph import Graph, Opened, all_sizes, open_spec, open_text
from tests.analysis.memory.support import Values, compare, evaluated, some_values
from tests.generate import random_spec
from tests.specs.support import LARGE, NAMES, SPECS

QUICK = 24
NO_FORMULA = {3: "shape", **dict.fromkeys((13, 15, 20), "undecided")}
"""What becomes of the quick random specs whose memory has no formula; all others must have one."""
QUICK_WIDTHS = 15
NO_FORMULA_OF_WIDTH = dict.fromkeys((0, 1, 3, 7, 8, 13, 14), "undecided")
CAMPAIGN = 4_000

SIZED = [name for name in NAMES if name != "lecture/small"]
SLOW = (*LARGE, "inception/googlenet_torchvision", "resnet/resnet50_2015", "resnet/plain34", "alexnet_2012")


def random_case(seed: int, *unknown: str, count: int = 4) -> str:
    """What becomes of a random spec with symbols for its sizes, and for these variables."""
    text = random_spec(seed)
    try:
        symbolic = open_text(text, size=all_sizes, unknown=unknown)
    except CnncliError as error:
        return error.diagnostics[0].code

    def in_numbers(values: Values) -> Opened:
        overrides = [f"{name}={values[name]}" for name in unknown]
        return open_text(text, size=evaluated(symbolic.graph.input, values), overrides=overrides)

    values = [*some_values(symbolic.graph, Random(seed), count)]  # noqa: S311 - nothing here is a secret
    return compare(text, symbolic, in_numbers, values)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(QUICK))
def test_random_specs(seed: int) -> None:
    assert random_case(seed) == NO_FORMULA.get(seed, "held")


@pytest.mark.parametrize("seed", range(QUICK_WIDTHS))
def test_random_specs_whose_width_is_unknown_too(seed: int) -> None:
    assert random_case(seed, "width") == NO_FORMULA_OF_WIDTH.get(seed, "held")


@pytest.mark.campaign
@pytest.mark.parametrize("unknown", [(), ("width",)], ids=["sizes", "width"])
def test_many_random_specs(unknown: tuple[str, ...]) -> None:
    outcomes = Counter(random_case(seed, *unknown, count=8) for seed in range(1000, 1000 + CAMPAIGN))
    print(outcomes)  # noqa: T201 - the record of the run
    assert outcomes["held"] > (0.25 if unknown else 0.7) * CAMPAIGN


def shipped_case(name: str, count: int) -> str:
    path = SPECS / f"{name}.yaml"
    symbolic = open_spec(path, size=all_sizes)
    values = [*some_values(symbolic.graph, Random(name), count)]  # noqa: S311 - nothing here is a secret
    return compare(
        name, symbolic, lambda each: open_spec(path, size=evaluated(symbolic.graph.input, each)), values
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SIZED if name not in SLOW])
def test_shipped_networks(name: str) -> None:
    assert shipped_case(name, 3) == "held"


@pytest.mark.campaign
@pytest.mark.parametrize("name", SIZED)
def test_shipped_networks_at_many_sizes(name: str) -> None:
    assert shipped_case(name, 12) == "held"


def memory_of(opened: Opened) -> Memory:
    return memory(opened.graph, 4, opened.train)


def inference_peak(graph: Graph) -> Peak | None:
    return memory_totals(graph, costs(graph), 1).peak


def test_one_formula_where_one_moment_is_the_fullest_at_all_sizes() -> None:
    peak = inference_peak(open_spec("vgg16", size=all_sizes).graph)
    assert peak is not None
    assert [*map(str, peak.amounts)] == ["524*H*W + 553430176"]
    assert [moment.node for moment in peak.moments] == ["features.1"]


def test_the_largest_of_a_few_where_it_depends_on_the_size() -> None:
    opened = open_spec("small_resnet", size=all_sizes)
    peak = inference_peak(opened.graph)
    assert peak is not None
    nodes = [moment.node for moment in peak.moments]
    assert nodes == ["stage1.0.conv1_norm", "stage2.0.shortcut1", "stage3.0.shortcut1"]
    # All are needed: of one row of an image the layers after a stride keep one, and with more channels.
    found = memory_of(opened)
    training = Peaks(opened.graph, 1).of(found.training)
    assert {moment.phase for moment in training.moments} == {"backward"}


def test_more_than_a_few_are_all_kept_but_not_told_in_short() -> None:
    opened = open_spec("resnet18", size=all_sizes)
    assert inference_peak(opened.graph) is None
    assert len(Peaks(opened.graph, 1).of(memory_of(opened).inference).moments) > FEW


def test_all_layers_without_a_formula_are_named_each_once() -> None:
    text = """
input: [1, 9, 9]
layers:
  - {minpool: {kernel: 2}, name: one}
  - {minpool: 2, repeat: 2, name: two}
  - relu
  - {medianpool: 2, name: three}
"""
    opened = open_text(text, size=all_sizes)
    with pytest.raises(SpecError) as caught:
        memory_of(opened)
    assert [fault.location.line for fault in caught.value.diagnostics if fault.location] == [4, 5, 7]
    assert {fault.code for fault in caught.value.diagnostics} == {"undecided"}
    totals = memory_totals(opened.graph, costs(opened.graph), 1)
    assert (totals.saved, totals.peak) == (0, None)
    assert totals.why_no_peak.startswith("one: the memory of 'minpool' has no single formula")


def test_a_window_shorter_than_its_stride_leaves_no_case_open() -> None:
    """The input reaches as far as the last placement, or further: its size is the padded one."""
    text = "input: [1, 9]\nlayers: [{conv: {channels: 2, kernel: 1, stride: 2, padding: same, flip: true}}]\n"
    opened = open_text(text, size=all_sizes)
    assert memory_of(opened).saved.once == 8


@pytest.mark.parametrize("align", ["crop", "pad"])
def test_a_branch_that_may_have_one_position_is_refused_where_branches_differ(align: str) -> None:
    """Of one position it scales the other branch, whose size it else would be cut or padded to."""
    text = f"input: [4, 9, 9]\nlayers: [multiply: {{branches: [identity, [crop: 1]], align: {align}}}]\n"
    with pytest.raises(SpecError) as caught:
        open_text(text, size=all_sizes)
    assert [fault.code for fault in caught.value.diagnostics] == ["undecided"]
    first = "{conv: {channels: 4, kernel: 2}}, "
    held = open_text(text.replace("layers: [", f"layers: [{first}"), size=(4, 9, 9))
    assert held.graph.outputs["output"].shape == ((4, 6, 6) if align == "crop" else (4, 8, 8))


def test_gates_of_maps_have_a_formula_that_is_right_for_one_position_too() -> None:
    gate = "multiply: [[{conv: {channels: 3, kernel: 1}}, sigmoid], [{conv: {channels: 3, kernel: 1}}, tanh]]"
    text = f"input: [2, 5, 5]\nlayers:\n  - {gate}\n"
    symbolic = open_text(text, size=all_sizes)

    def in_numbers(values: Values) -> Opened:
        return open_text(text, size=evaluated(symbolic.graph.input, values))

    values = [{"H": 1, "W": 1}, {"H": 1, "W": 4}, {"H": 7, "W": 4}]
    assert compare(text, symbolic, in_numbers, values) == "held"
