"""Depth: the layers with weights one after another, as papers count them."""

from __future__ import annotations

import pytest

from cnncli.analysis.costs.depth import depth
from cnncli.analysis.costs.figures import computes_weighted_sums
from tests.language.support import graph
from tests.specs.support import graph as shipped

# What the names and the papers say: VGG's table 1, ResNet's table 1 and, for CIFAR, 6n + 2 layers in its
# section 4.2, 22 layers with parameters in GoogLeNet's section 5, eight layers in the AlexNet paper's
# abstract, 23 convolutions in U-Net's section 2.
PUBLISHED = {
    "vgg/vgg11": 11,
    "vgg/vgg11_lrn": 11,
    "vgg/vgg13": 13,
    "vgg/vgg16": 16,
    "vgg/vgg16_c": 16,
    "vgg/vgg19": 19,
    "resnet/resnet18": 18,
    "resnet/resnet34": 34,
    "resnet/resnet50": 50,
    "resnet/resnet101": 101,
    "resnet/resnet152": 152,
    **{f"resnet_cifar/resnet{n}": n for n in (20, 32, 44, 56, 110)},
    "inception/googlenet": 22,
    "alexnet": 8,
    "alexnet_2012": 8,
    "unet": 23,
    # LeNet-5 comprises seven layers (LeCun et al., 1998, section II.B). S2 and S4 have no weighted sums,
    # only a coefficient for each sum or, as the network is written today, nothing; and the output of
    # 1998 is a distance from fixed prototypes.
    "lenet5": 7 - len({"S2", "S4"}),
    "lenet5_1998": 7 - len({"S2", "S4", "output"}),
    # The lecture's question: each 5x5 convolution takes 4 of 128 rows, until 4 are left.
    "lecture/valid_chain": (128 - 4) // 4,
}

CONV = "conv: {channels: 4, kernel: 1}"


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_depths(name: str) -> None:
    assert depth(shipped(name)) == PUBLISHED[name]


def test_the_layers_that_count_in_lenet_5_of_1998() -> None:
    counted = [node.name for node in shipped("lenet5_1998").nodes if computes_weighted_sums(node)]
    assert counted == ["C1", "C3", "C5", "F6"]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("[relu]", 0),
        (f"[{CONV}, relu, batchnorm, maxpool: 2]", 1),
        (f"[add: [[{CONV}, {CONV}, {CONV}], [{CONV}]]]", 3),
        (f"[{CONV}, add: [[{CONV}], identity], {CONV}]", 3),
        (f"[concat: [input, [{CONV}, upsample: 1]], {CONV}]", 2),
        ("[shortcut: 3, shortcut: 4, {shortcut: {channels: 8, mode: pad}}]", 1),
        ("[globalavgpool, linear: 4, linear: 2]", 2),
    ],
)
def test_the_longest_way_counts(layers: str, expected: int) -> None:
    assert depth(graph(f"layers: {layers}")) == expected


def test_heads_in_training_only_do_not_count() -> None:
    text = f"""
    layers: [{{{CONV}, name: trunk}}]
    heads:
      main: [flatten, linear: 2]
      aux: {{from: trunk, layers: [flatten, linear: 9, linear: 8, linear: 2], training_only: {{only}}}}
    """
    assert depth(graph(text.replace("{only}", "true"))) == 2
    assert depth(graph(text.replace("{only}", "false"))) == 4


def test_what_no_output_reads_does_not_count() -> None:
    text = f"layers: [{{{CONV}, name: a}}, {{{CONV}, from: a}}]\nheads: {{main: {{from: a}}}}"
    assert depth(graph(text)) == 1
    assert depth(graph("layers: [relu]\nheads: {main: {from: input}}")) == 0
