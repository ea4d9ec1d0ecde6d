"""Which input sizes every shipped network accepts."""

from __future__ import annotations

import pytest

from cnncli.algebra import whole
from cnncli.algebra.size_sets import ALL, SizeSet
from cnncli.analysis.sizes import valid_sizes
from cnncli.diagnostics import ShapeError
from cnncli.graph import Graph, all_sizes, open_spec
from tests.graph.symbolic import compare, spec_of
from tests.specs.support import NAMES, SPECS
from tests.steps import at_most


def from_(least: int) -> SizeSet:
    return SizeSet(1, ((0, least),), ())


# Every axis of a network accepts the same.
ACCEPTED = {
    # 15, 7, 3, 1 positions after conv1 and the three poolings of 3x3 with stride 2.
    "alexnet": from_(63),
    "alexnet_2012": from_(67),
    "capsnet": from_(17),
    "capsnet_reconstruction": from_(17),
    "deep_belief_net": ALL,
    "faster_rcnn": from_(16),
    "fashion_cnn": from_(4),
    # The auxiliary heads pool 5x5 of what four halvings, rounded up, leave: 5 from 79 on.
    "inception/googlenet": from_(79),
    "inception/googlenet_torchvision": from_(31),
    "inception/inception_naive": ALL,
    "inception/inception_reduced": ALL,
    "lecture/convolutional": from_(13),
    "lecture/denoising_autoencoder": ALL,
    "lecture/digit_and_parity": from_(4),
    "lecture/fully_connected": ALL,
    "lecture/overparameterized": ALL,
    # Three halvings, whose maps are joined on the way up.
    "lecture/segmentation_and_denoising": SizeSet(8, ((0, 8),), ()),
    "lecture/stride_chain": from_(125),
    "lecture/super_resolution": ALL,
    "lecture/toy_classifier": from_(4),
    "lecture/valid_chain": from_(125),
    "lenet5": from_(16),
    "lenet5_1998": from_(32),
    **{
        f"resnet/{name}": ALL
        for name in ("plain34", "resnet18", "resnet34", "resnet50", "resnet50_2015", "resnet101", "resnet152")
    },
    **{f"resnet_cifar/resnet{depth}": ALL for depth in (20, 32, 44, 56, 110)},
    "resnet_cifar/plain20": ALL,
    "resnet_cifar/plain56": ALL,
    "small_resnet": ALL,
    "srgan/srgan_discriminator": ALL,
    "srgan/srgan_generator": ALL,
    "unet": from_(188),
    "unet_padded": SizeSet(16, ((0, 16),), ()),
    **{f"vgg/{name}": from_(32) for name in ("vgg11", "vgg11_lrn", "vgg13", "vgg16", "vgg16_c", "vgg19")},
}
VECTORS = {"lecture/small"}


def graph(name: str) -> Graph:
    return open_spec(SPECS / f"{name}.yaml", size=all_sizes).graph


def test_every_shipped_spec_is_here() -> None:
    assert {*ACCEPTED, *VECTORS} == {*NAMES}


@pytest.mark.slow
@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_sizes(name: str) -> None:
    with at_most(1_000_000):
        found = valid_sizes(graph(name))
    assert {axis.sizes for axis in found.axes} == {ACCEPTED[name]}
    assert found.open_bounds == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, sizes in ACCEPTED.items() if sizes.period == 1])
def test_numbers_agree_at_the_border(name: str) -> None:
    least = ACCEPTED[name].at_least(1)
    assert least is not None
    own = graph(name).input
    channels, axes = whole(own[0]), len(own) - 1
    assert open_spec(SPECS / f"{name}.yaml", size=(channels, *(least,) * axes)).graph
    if least > 1:
        with pytest.raises(ShapeError):
            open_spec(SPECS / f"{name}.yaml", size=(channels, least - 1, *(least,) * (axes - 1)))


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998", "unet", "resnet_cifar/resnet20", "capsnet"])
def test_size_by_size(name: str) -> None:
    text = (SPECS / f"{name}.yaml").read_text(encoding="utf-8")
    assert compare(spec_of(text), [*range(1, 70, 3), 224]).word == "held"
