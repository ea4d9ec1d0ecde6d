"""The course of a training: sizes and FLOPs from stage to stage, and how long a training of some FLOPs is."""

from __future__ import annotations

from random import Random

import pytest

from cnncli.analysis.costs.figures import costs
from cnncli.analysis.course import Course, course, length
from cnncli.diagnostics import UsageError
from cnncli.graph import Graph, open_again, open_text
from cnncli.graph.input import Size
from cnncli.recipe.recipe import Recipe, with_overrides
from cnncli.recipe.resolution import STAGES, Resolution, epochs_of, stage_of

ANY = "{conv: {channels: 4, kernel: 3}}, globalavgpool, {linear: 3}"
TWICE = "{maxpool: 2}, {upsample: 2}"
EVEN = f"{{add: [identity, [{TWICE}]]}}, {ANY}"


def course_of(layers: str, resolution: str, size: str = "[3, 32, 32]") -> Course:
    opened = open_text(f"input: {size}\nlayers: [{layers}]\ntrain: {{resolution: {resolution}}}\n")

    def reopened(size: Size) -> Graph:
        return open_again(opened.document, size=size).graph

    return course(opened.graph, opened.train.resolution, reopened)


def test_sizes_rise_on_a_straight_line_and_each_has_its_flops() -> None:
    found = course_of(ANY, "{from: 11, to: 32}")
    assert found.sizes == (11, 18, 25, 32)
    for size, flops in zip(found.sizes, found.flops, strict=True):
        graph = open_text(f"input: [3, {size}, {size}]\nlayers: [{ANY}]\n").graph
        assert flops == costs(graph).totals.flops


def test_sizes_are_those_that_are_accepted() -> None:
    assert course_of(EVEN, "10").sizes == (10, 18, 24, 32)
    deep = EVEN.replace(TWICE, "{maxpool: 16}, {upsample: 16}")
    assert course_of(deep, "16").sizes == (16, 16, 32, 32)


@pytest.mark.parametrize(
    ("layers", "resolution", "size", "message"),
    [
        (EVEN, "11", "[3, 32, 32]", "the network does not accept images of size 11"),
        (ANY, "{from: 16, to: 24}", "[3, 32, 32]", "ends at 24, but the input has another size"),
        (ANY, "32", "[3, 32, 32]", "the size of the images does not rise"),
        (ANY, "16", "[3, 32, 24]", "needs square images"),
        (ANY, "16", "[3, 32]", "needs square images"),
        ("flatten, {linear: 3}", "16", "[3, 32, 32]", "weight of 'linear1' depends on the size of the input"),
        (
            "{conv: {channels: 4, kernel: 3}}",
            "16",
            "[3, 32, 32]",
            "the size of the output 'output' follows",
        ),
    ],
)
def test_what_cannot_be_trained_on_other_sizes(layers: str, resolution: str, size: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        course_of(layers, resolution, size)
    assert message in caught.value.diagnostics[0].message


def test_a_size_that_is_not_accepted_has_a_reason() -> None:
    with pytest.raises(UsageError) as caught:
        course_of(EVEN, "11")
    fault = caught.value.diagnostics[0]
    assert fault.expected == "10 or 12"
    assert fault.hint == "add1: the branches of 'add' differ in height"


def test_epochs_of_stages() -> None:
    for epochs in range(1, 40):
        stages = [stage_of(epoch, epochs) for epoch in range(epochs)]
        assert stages == sorted(stages)
        assert stages[-1] == STAGES - 1
        counts = [stages.count(stage) for stage in range(STAGES)]
        assert counts == [epochs_of(stage, epochs) for stage in range(STAGES)]
        assert max(counts) - min(filter(None, counts)) <= 1


def test_a_training_of_some_flops() -> None:
    """Against counting batch by batch."""
    draw = Random(0)  # noqa: S311 - nothing here is a secret
    bounds = [(0, 32), (32, 64), (64, 97)]
    for found in (Course((7,)), Course((5, 11, 20, 33), (1, 2, 3, 4))):
        for flops in [1, *(draw.randint(1, 60_000) for _ in range(60))]:
            epochs, batches = length(found, bounds, flops)
            spent = 3 * sum(97 * found.flops[found.stage(each, epochs)] for each in range(epochs - 1))
            last = [3 * end * found.flops[-1] for _, end in bounds]
            assert spent + last[batches - 1] >= flops
            assert spent + (last[batches - 2] if batches > 1 else 0) < flops


def test_the_size_must_rise() -> None:
    with pytest.raises(Exception, match="does not rise"):
        with_overrides(Recipe(), ["train.resolution={from: 20, to: 20}"])
    short = with_overrides(Recipe(), ["train.resolution=20"]).resolution
    assert isinstance(short, Resolution)
    assert (short.from_, short.to) == (20, None)
    assert short.plain() == {"from": 20}
