"""Budgets: limits, and how they are written."""

from __future__ import annotations

import pytest

from cnncli.analysis.check import check
from cnncli.analysis.memory.report import memory_report
from cnncli.diagnostics import SpecError
from cnncli.graph import open_spec, open_text
from cnncli.language.sections import Budget, Quantity
from cnncli.recipe.recipe import Recipe
from tests.specs.support import SPECS

# The weights, the input and, while the first activation runs, its input and output.
LIVE = 246_824 + 4 * (32 * 32 + 2 * 6 * 28 * 28)
LENET5 = open_spec(SPECS / "lenet5.yaml").graph


def test_a_limit_may_be_reached_but_not_passed() -> None:
    (exactly,) = check(LENET5, Budget(params=61_706), Recipe())
    assert exactly.within
    assert exactly.excess == 0
    (over,) = check(LENET5, Budget(params=61_705), Recipe())
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
        depth=5,
        weights_size=246_824,
        memory=LIVE,
        training_memory=memory_report(LENET5, Recipe(), 8, "float32", None).training_peak(),
    )
    verdicts = check(LENET5, budget, Recipe(batch=8))
    assert [verdict.figure for verdict in verdicts] == list(Budget.arguments)
    assert all(verdict.within for verdict in verdicts)
    assert [verdict.excess for verdict in verdicts] == [0] * 11


def test_memory_is_that_of_one_image_or_of_a_training_step() -> None:
    """The same bytes as ``cnncli memory``, and the layer that runs at the peak."""
    settings = Recipe(batch=8)
    report = memory_report(LENET5, settings, 1, "float32", None)
    steps = memory_report(LENET5, settings, 8, "float32", None)
    inference, training = check(LENET5, Budget(memory=1, training_memory=1), settings)
    assert (inference.actual, inference.batch) == (report.inference_peak(), 1)
    assert (training.actual, training.batch) == (steps.training_peak(), 8)
    (peak,) = report.inference_peak.moments
    assert inference.heaviest == ((peak.node, inference.actual),)


DEPTHS = {
    "lenet5": 5,
    "alexnet_2012": 8,
    "vgg/vgg11": 11,
    "vgg/vgg16": 16,
    "vgg/vgg19": 19,
    "inception/googlenet": 22,
    "resnet/resnet18": 18,
    "resnet/resnet34": 34,
    "resnet/resnet50": 50,
    "resnet/resnet101": 101,
    "resnet/resnet152": 152,
    "resnet_cifar/resnet20": 20,
    "resnet_cifar/resnet110": 110,
}
"""As the names and the papers say."""


@pytest.mark.parametrize("name", DEPTHS)
def test_depth_is_the_number_of_layers_that_papers_give(name: str) -> None:
    graph = open_spec(SPECS / f"{name}.yaml").graph
    exactly, over = (
        verdict
        for limit in (DEPTHS[name], DEPTHS[name] - 1)
        for verdict in check(graph, Budget(depth=limit), Recipe())
    )
    assert exactly.within
    assert not over.within


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        # Eight convolutions, five poolings, an adaptive pooling, flatten and three linear layers; an
        # activation after each but the last, and two dropouts.
        ("vgg/vgg11", 8 + 5 + 1 + 1 + 3 + 10 + 2),
        # Convolution, normalization, activation and pooling; eight units of two convolutions, normalizations
        # and activations, a shortcut and a sum; pooling and a linear layer.
        ("resnet/resnet18", 4 + 8 * 8 + 2),
    ],
)
def test_layers_are_all_of_them(name: str, layers: int) -> None:
    (verdict,) = check(open_spec(SPECS / f"{name}.yaml").graph, Budget(layers=layers), Recipe())
    assert verdict.excess == 0


def test_nothing_is_checked_that_has_no_limit() -> None:
    assert check(LENET5, Budget(), Recipe()) == ()


def test_heads_for_training_do_not_count() -> None:
    graph = open_text(
        """
        input: [4]
        layers: [linear: 4]
        heads: {main: [linear: 2], extra: {layers: [linear: 100], training_only: true}}
        """
    ).graph
    (params, layers) = check(graph, Budget(params=30, layers=2), Recipe())
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
        ("7.3 GiB", 7_838_315_315),
        ("0.1 KiB", 102),
        ("7.3", None),
        ("7.3 B", None),
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


DEAD = """
input: [1, 12, 12]
layers:
  - {conv: {channels: 8, kernel: 3}, name: c1}
  - {conv: {channels: 64, kernel: 3}, name: c2, from: c1}
  - {conv: {channels: 8, kernel: 3}, name: c3, from: c1}
"""


def test_the_share_without_output_is_stated_where_it_is_a_share() -> None:
    graph = open_text(DEAD).graph
    budget = Budget(
        params=10**6, layers=10, weights_size=10**6, depth=10, memory=10**9, training_memory=10**9
    )
    shares = {each.figure: each.unused for each in check(graph, budget, Recipe())}
    assert shares == {
        "params": 4_672,
        "layers": 1,
        "weights_size": 4 * 4_672,
        "depth": None,  # the longest path may end in such a layer
        "memory": None,  # the peak is that of one moment
        "training_memory": None,
    }
