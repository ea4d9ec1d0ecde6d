"""Receptive fields, compared with what a network really reads, published figures and figures by hand."""

from __future__ import annotations

import sys
from fractions import Fraction

import pytest
import torch

from cnncli.analysis.space.receptive_field import EVERYTHING, Axis, Field, receptive_fields
from cnncli.diagnostics import LimitError
from cnncli.graph import Graph, open_spec, open_text
from tests.analysis.space.reading import linear, module, reached
from tests.generate import random_graphs, random_spec
from tests.specs.support import SPECS

SUITE = 60
CAMPAIGN = 20_000


def last(layers: str, size: str = "[1, 40, 30]") -> Field:
    """Return the receptive field of the last layer."""
    graph = open_text(f"input: {size}\nlayers:\n{layers}").graph
    return receptive_fields(graph)[graph.nodes[-1].name]


def figures(field: Field) -> list[tuple[object, ...]]:
    assert field.axes is not None
    return [(axis.size, axis.jump, axis.center) for axis in field.axes]


# -- against torch ---------------------------------------------------------------------------------


def compare(graph: Graph, where: str) -> int:
    """Compare every node's field with what reaches it; return how many positions were compared.

    Where no padding has a part, an output reads from the first to the last position that is said, and
    elsewhere nothing beyond. Size, jump and center are what follows from these intervals.
    """
    fields = receptive_fields(graph)
    exact = 0
    for axis in range(len(graph.input) - 1):
        for name, table in reached(graph, axis).items():
            along = fields[name].axes
            assert along is not None, f"{where}: {name}"
            for position in range(table.shape[1]):
                found = table[:, position].nonzero().flatten().tolist()
                said = along[axis].reads(position)
                told = f"{where}: {name}, axis {axis}, position {position}: {said}, really {found}"
                ends = (found[0], found[-1]) if found else None
                if position in along[axis].clear:
                    assert ends == said, told
                    assert said is None or said[1] - said[0] < along[axis].size, told
                    exact += 1
                elif ends is not None:
                    assert said is not None, told
                    assert said[0] <= ends[0] <= ends[1] <= said[1], told
            check_regular(along[axis], f"{where}: {name}")
    return exact


def check_regular(axis: Axis, where: str) -> None:
    """With a single phase, size, jump and center describe everything that is read."""
    if len(axis.tracks) > 1 or axis.tracks[0].period > 1 or axis.center is None:
        return
    assert axis.jump is not None
    for position in (-7, 0, 1, 40):
        middle, half = axis.center + position * axis.jump, Fraction(axis.size - 1, 2)
        ends: object = axis.reads(position)
        assert ends == (middle - half, middle + half), where


def compare_all(seeds: range) -> tuple[int, int]:
    """Return how many specs were valid, and how many of their intervals were compared with torch."""
    valid = exact = 0
    for seed, graph in random_graphs(seeds):
        exact += compare(graph, f"seed {seed}\n{random_spec(seed)}\n")
        valid += 1
    return valid, exact


@pytest.mark.slow
def test_random_specs_read_what_is_said() -> None:
    valid, exact = compare_all(range(SUITE))
    assert valid > SUITE // 2
    assert exact > 10 * SUITE


@pytest.mark.campaign
def test_twenty_thousand_random_specs(capsys: pytest.CaptureFixture[str]) -> None:
    valid = exact = seed = 0
    while valid < CAMPAIGN:
        more, intervals = compare_all(range(seed, seed + 100))
        valid, exact, seed = valid + more, exact + intervals, seed + 100
    with capsys.disabled():
        sys.stdout.write(f"\n{valid:,} valid specs of {seed:,}: {exact:,} intervals are what torch reads\n")


ON_SHIPPED: dict[str, tuple[int, ...] | None] = {
    "alexnet": (3, 72, 63),
    "capsnet": None,
    "inception/googlenet": (3, 80, 88),
    "lecture/stride_chain": None,
    "lenet5": None,
    "lenet5_1998": None,
    "resnet/resnet18": (3, 40, 32),
    "resnet_cifar/resnet20": None,
    "small_resnet": None,
    "srgan/srgan_generator": (3, 9, 7),
}
"""Shipped networks, and sizes at which they are fast."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_SHIPPED)
def test_shipped_networks_read_what_is_said(name: str) -> None:
    assert compare(open_spec(SPECS / f"{name}.yaml", size=ON_SHIPPED[name]).graph, name)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("unet", (1, 236, 188)), ("unet_padded", (1, 240, 32))])
def test_unet_reads_what_is_said(name: str, size: tuple[int, ...]) -> None:
    """Return a narrow variant: the number of channels does not change what is read."""
    graph = open_spec(SPECS / f"{name}.yaml", size=size, overrides=["width=1"]).graph
    field = receptive_fields(graph)["head"]
    assert field.axes is not None
    assert len(field.axes[0].clear) > 50
    assert compare(graph, name)


# -- by hand ---------------------------------------------------------------------------------------


def test_a_chain_as_araujo_norris_and_sim_count_it() -> None:
    """size += (k' - 1) jump; jump *= s; center += ((k' - 1) / 2 - pad) jump."""
    layers = """
  - conv: {channels: 2, kernel: 5, padding: 1}
  - maxpool: {kernel: 3, stride: 2}
  - conv: {channels: 2, kernel: 3, dilation: 2}
"""
    # 1 + 4 = 5, 5 + 2 = 7, 7 + 4 * 2 = 15; 2 - 1 = 1, 1 + 1 = 2, 2 + 2 * 2 = 6.
    assert figures(last(layers)) == [(15, 2, 6), (15, 2, 6)]


def test_values_of_a_vector_get_no_positions_by_becoming_a_map() -> None:
    # Each reads one value of the input, but no position of the map corresponds to one of the vector.
    assert last("  - reshape: [2, 2, 2]\n", "[8]") == Field(None, values=())
    assert last("  - reshape: [2, 2, 2]\n  - reshape: [4, 2]\n", "[8]") == Field(None, values=())
    assert last("  - reshape: [2, 2, 2]\n  - reshape: [8]\n", "[8]") == Field(())
    assert last("  - reshape: [-1, 2]\n  - log_softmax\n", "[2]") == EVERYTHING
    assert last("  - reshape: [8, 1]\n  - conv: {channels: 1, kernel: 1}\n", "[8]") == EVERYTHING
    assert last("  - relu\n", "[8]") == Field(())


def test_axes_of_their_own() -> None:
    layers = "  - conv: {channels: 2, kernel: [3, 4], stride: [2, 3], padding: {left: 1}}\n"
    assert figures(last(layers)) == [(3, 2, 1), (4, 3, Fraction(1, 2))]


def test_same_with_a_stride_depends_on_the_size() -> None:
    """For an even size the only pad is after the input, for an odd one there is one on each side."""
    layers = "  - conv: {channels: 2, kernel: 3, stride: 2, padding: same}\n"
    assert figures(last(layers, "[1, 8, 7]")) == [(3, 2, 1), (3, 2, 0)]


def test_a_transposed_convolution_gives_positions_in_between() -> None:
    """Outputs of stride 2 and kernel 3 alternately read one and two inputs."""
    layers = "  - convtranspose: {channels: 2, kernel: 3, stride: 2, padding: 1}\n"
    field = last(layers, "[1, 9]")
    assert figures(field) == [(2, Fraction(1, 2), 0)]
    assert field.axes is not None
    assert [field.axes[0].reads(i) for i in range(4)] == [(0, 0), (0, 1), (1, 1), (1, 2)]


def test_an_upsampled_pixel_lies_a_quarter_before_the_first() -> None:
    assert figures(last("  - upsample: 2\n", "[1, 9]")) == [(1, Fraction(1, 2), Fraction(-1, 4))]
    bilinear = "  - upsample: {scale: 2, mode: bilinear}\n"
    assert figures(last(bilinear, "[1, 9]")) == [(2, Fraction(1, 2), Fraction(-1, 4))]


def test_positions_that_are_all_skipped_read_nothing() -> None:
    layers = """
  - convtranspose: {channels: 1, kernel: 1, stride: 2}
  - crop: {amount: {top: 1}}
  - conv: {channels: 1, kernel: 1, stride: 2}
"""
    # An output that reads nothing along one axis reads nothing at all.
    assert figures(last(layers, "[1, 9, 9]")) == [(0, 1, None), (0, 1, None)]


def test_a_branch_that_reads_nothing_has_no_part_in_a_join() -> None:
    layers = """
  - add:
      branches:
      - - convtranspose: {channels: 1, kernel: 1, stride: 2}
        - crop: {amount: {top: 1}}
        - conv: {channels: 1, kernel: 1, stride: 2}
      - conv: {channels: 1, kernel: [7, 3], padding: same}
      align: crop
"""
    assert figures(last(layers, "[1, 9, 9]")) == [(7, 1, 0), (3, 1, 0)]


def test_after_an_enlargement_and_a_stride_positions_are_alike_again() -> None:
    """The mean is over the remaining phases: they read 0, 1, 2, ..., not a quarter earlier."""
    layers = "  - upsample: 2\n  - conv: {channels: 1, kernel: 1, stride: 2}\n"
    assert figures(last(layers, "[1, 9]")) == [(1, 1, 0)]


@pytest.mark.parametrize(
    "layers",
    [
        "  - flatten\n  - linear: 3\n",
        "  - globalavgpool\n",
        "  - globalmaxpool: {keepdims: true}\n",
        "  - flatten\n  - softmax\n",
        "  - flatten\n  - layernorm: {over: channels}\n",
        "  - flatten\n  - concat: [identity, identity]\n",
        "  - reshape: [-1, 4]\n  - conv: {channels: 1, kernel: 1}\n",
        "  - instancenorm\n",
        "  - layernorm\n  - conv: {channels: 1, kernel: 3}\n",
        "  - multiply: [identity, [globalavgpool: {keepdims: true}, sigmoid]]\n",
        "  - globalavgpool\n  - linear: 3\n  - linear: 2\n",
    ],
)
def test_what_sees_everything(layers: str) -> None:
    assert last(layers) == EVERYTHING


@pytest.mark.parametrize("after", ["", "  - dropout\n  - relu\n", "  - reshape: [-1, 4]\n  - batchnorm\n"])
@pytest.mark.parametrize("scrambling", ["flatten", "reshape: [-1]", "reshape: [-1, 2, 3]"])
def test_a_value_sees_the_same_wherever_it_is_moved_to(scrambling: str, after: str) -> None:
    """Compared with torch: each value reads 4 rows and 3 columns, at any place in the vector."""
    layers = f"  - conv: {{channels: 2, kernel: [4, 3]}}\n  - {scrambling}\n{after}"
    graph = open_text(f"input: [1, 9, 8]\nlayers:\n{layers}").graph
    assert last(layers, "[1, 9, 8]") == Field(None, values=(4, 3))
    value = torch.eye(72, dtype=torch.float64).view(72, 1, 9, 8)
    for node in map(linear, graph.nodes):
        value = module(node)(value)
    for source in value.flatten(1).T:
        rows, columns = source.view(9, 8).nonzero(as_tuple=True)
        assert (len(rows), len(columns)) == (12, 12)
        assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (4, 3)


def test_values_keep_what_made_them_uneven() -> None:
    field = last("  - adaptivemaxpool: 4\n  - flatten\n", "[1, 10]")
    assert field.values == (3,)
    assert field.uneven is not None


def test_a_vector_has_no_axes_to_see_along() -> None:
    assert last("  - relu\n", "[7]") == Field(())
    assert last("  - reshape: [-1, 7]\n  - flatten\n", "[7]") == Field(())
    assert last("  - linear: 3\n", "[7]") == EVERYTHING


# -- joins -----------------------------------------------------------------------------------------


def test_a_join_takes_the_union() -> None:
    layers = "  - concat: [{conv: {channels: 1, kernel: 5, padding: same}}, identity]\n"
    field = last(layers)
    assert figures(field) == [(5, 1, 0), (5, 1, 0)]
    assert field.uneven is None


def test_branches_that_are_centered_elsewhere_are_reported_from_there_on() -> None:
    layers = """
  - add: {branches: [{conv: {channels: 1, kernel: 4}}, identity], align: crop}
  - conv: {channels: 1, kernel: 3}
"""
    field = last(layers)
    # 37 of 40 positions remain; in the other branch, one is cut off before and two after.
    assert figures(field)[0] == (6, 1, Fraction(5, 2))
    assert field.uneven is not None
    assert field.uneven.node == "add1"
    assert field.uneven.reason == "its branches are centered 1/2 input positions apart along height"


def test_branches_of_different_steps_have_no_common_one() -> None:
    """The union is largest at an end: here the last of ten positions reads from 9 to 18."""
    layers = "  - concat: {branches: [identity, {conv: {channels: 1, kernel: 1, stride: 2}}], align: crop}\n"
    field = last(layers, "[1, 20]")
    assert field.axes is not None
    # 20 positions are cut to 10, five on each side: position i reads 5 + i, and 2 i.
    assert figures(field) == [(6, None, None)]
    assert [field.axes[0].reads(i) for i in (0, 5, 9)] == [(0, 5), (10, 10), (14, 18)]
    assert field.uneven is not None
    assert field.uneven.reason == "its branches step by 1 and 2 input positions along length"


def test_adaptive_pooling_is_a_pooling_where_sizes_divide() -> None:
    field = last("  - adaptiveavgpool: 4\n", "[1, 12, 8]")
    assert figures(field) == [(3, 3, 1), (2, 2, Fraction(1, 2))]
    assert field.uneven is None


def test_adaptive_pooling_to_more_repeats() -> None:
    assert figures(last("  - adaptiveavgpool: 8\n", "[1, 4]")) == [(1, Fraction(1, 2), Fraction(-1, 4))]


def test_uneven_windows_are_reported() -> None:
    field = last("  - adaptivemaxpool: 4\n", "[1, 10]")
    # 0..2, 2..4, 5..7, 7..9
    assert figures(field) == [(3, Fraction(5, 2), Fraction(3, 4))]
    assert field.uneven is not None
    assert field.uneven.reason == "its windows differ in length along length"


def test_a_scale_of_one_position_is_seen_everywhere() -> None:
    layers = "  - multiply: [identity, [{conv: {channels: 1, kernel: 8}}]]\n"
    field = last(layers, "[1, 8]")
    assert field.axes is not None
    assert [field.axes[0].reads(i) for i in range(8)] == [(0, 7)] * 8
    assert field.axes[0].size == 8


def test_a_pattern_too_long_to_follow_is_an_error_with_a_place() -> None:
    layers = "  - upsample: 70\n  - upsample: 70\n"
    with pytest.raises(LimitError) as caught:
        last(layers, "[1, 9]")
    (said,) = caught.value.diagnostics
    assert said.location is not None
    assert said.location.line == 4
    assert said.message.startswith("upsample2: the pattern of what its positions read is too long")
