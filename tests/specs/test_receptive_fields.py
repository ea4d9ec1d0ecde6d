"""The receptive field, and the shifts, of every shipped network.

Sources: Araujo, Norris and Sim, Computing receptive fields of convolutional neural networks (Distill, 2019),
for AlexNet, VGG-16 and the ResNets with the strides of their paper; the others by hand from the layers.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import pytest

from cnncli.analysis.space.receptive_field import receptive_fields
from cnncli.analysis.space.shifts import Shift, shifts
from tests.specs.support import NAMES, graph


class Last(NamedTuple):
    """The last node in use that does not see everything: the same along both axes."""

    node: str
    size: int
    jump: Fraction | int
    center: float


IMAGE = Last("input", 1, 1, 0)


def cifar(n: int) -> Last:
    """6n + 1 convolutions of 3x3; the first of the second and of the third stage has a stride of 2."""
    size = 3 + 2 * n * 2 + (2 + (2 * n - 1) * 4) + (4 + (2 * n - 1) * 8)
    return Last(f"layer3.{n - 1}.relu", size, 4, 0)


LAST = {
    "alexnet": Last("avgpool", 195, 32, 31),
    "alexnet_2012": Last("maxpool3", 195, 32, 33),
    "capsnet": Last("primary", 9 + 8, 2, 8),
    "capsnet_reconstruction": Last("primary", 9 + 8, 2, 8),
    "deep_belief_net": IMAGE,
    "faster_rcnn": Last("boxes.conv1", 196 + 2 * 16, 16, 7.5),
    "fashion_cnn": Last("conv3.2_activation", 3 + 1 + 2 * 2 * 2 + 2 + 3 * 4 * 2, 4, 1.5),
    # conv 7, pool 11, conv 19, pool 27, two modules with 5x5 at 8, pool, five at 16, pool, two at 32.
    "inception/googlenet": Last(
        "inception5b.concat1", 27 + 2 * 4 * 8 + 16 + 5 * 4 * 16 + 32 + 2 * 4 * 32, 32, 2 + 4 + 8 + 16
    ),
    # 3x3 in place of 5x5, and a last pooling of 2x2.
    "inception/googlenet_torchvision": Last(
        "inception5b.concat1", 27 + 2 * 2 * 8 + 16 + 5 * 2 * 16 + 16 + 2 * 2 * 32, 32, 2 + 4 + 8 + 8
    ),
    "inception/inception_naive": Last("concat1", 5, 1, 0),
    "inception/inception_reduced": Last("concat1", 5, 1, 0),
    "lecture/convolutional": Last("conv.2", 1 + 3 * 4, 1, 6),
    # 9 after the strides, in steps of 4; on the way up 5 positions are made of 3, twice. A convolution with a
    # stride of 2 is padded at the end only: its middle is 1 further on, then 1 + 2, less that of 4 positions.
    "lecture/denoising_autoencoder": Last("image", 3 + 2 + 2 * 2 + 2 * 4, 1, 1 + 2 - 3 / 2),
    "lecture/digit_and_parity": Last("maxpool2", 3 + 1 + 2 * 2 + 2, 4, 1.5),
    "lecture/fully_connected": IMAGE,
    "lecture/overparameterized": IMAGE,
    # 68 at the bottom, in steps of 8. On the way up 5 positions are made of 3, 7 of 4, 8 of 5.
    "lecture/segmentation_and_denoising": Last(
        "clean.conv1", 5 + 1 + 4 * 2 + 2 + 4 * 4 + 4 + 4 * 8 + 4 * 8, 1, 0
    ),
    "lecture/stride_chain": Last("conv.4", 1 + 4 * (1 + 2 + 4 + 8 + 16), 32, 62),
    # The pixel shuffle makes four positions of each; the upsampling beside it reads 2.
    "lecture/super_resolution": Last("add1", 5 + 2 + 2, Fraction(1, 2), -0.25),
    "lecture/toy_classifier": Last("maxpool2", 3 + 1 + 2 * 2 + 2, 4, 1.5),
    "lecture/valid_chain": Last("conv.30", 1 + 31 * 4, 1, 62),
    "lenet5": Last("avgpool2", 5 + 1 + 4 * 2 + 2, 4, 7.5),
    "lenet5_1998": Last("C5_activation", 5 + 1 + 4 * 2 + 2 + 4 * 4, 4, 15.5),
    "resnet/plain34": Last("layer4.2.relu", 899, 32, 0),
    "resnet/resnet18": Last("layer4.1.relu", 435, 32, 0),
    "resnet/resnet34": Last("layer4.2.relu", 899, 32, 0),
    # With the strides on the 3x3 convolutions, these look 2 times 4, 8 and 16 less far.
    "resnet/resnet50": Last("layer4.2.relu", 483 - 2 * (4 + 8 + 16), 32, 0),
    "resnet/resnet50_2015": Last("layer4.2.relu", 483, 32, 0),
    "resnet/resnet101": Last("layer4.2.relu", 1027 - 2 * (4 + 8 + 16), 32, 0),
    "resnet/resnet152": Last("layer4.2.relu", 1507 - 2 * (4 + 8 + 16), 32, 0),
    "resnet_cifar/plain20": cifar(3),
    "resnet_cifar/plain56": cifar(9),
    "resnet_cifar/resnet20": cifar(3),
    "resnet_cifar/resnet32": cifar(5),
    "resnet_cifar/resnet44": cifar(7),
    "resnet_cifar/resnet56": cifar(9),
    "resnet_cifar/resnet110": cifar(18),
    # A first convolution, then units of two: at 1, the first of two halving at 1, at 2 likewise.
    "small_resnet": Last("stage3.1.relu1", 3 + 4 * 2 + (2 + 3 * 4) + (4 + 3 * 8), 4, 0),
    "srgan/srgan_discriminator": Last("conv8_activation", 1 + 2 * (1 + 1 + 2 + 2 + 4 + 4 + 8 + 8), 16, 0),
    # 9 + 33 x 2 before the enlargements. Nine outputs are made of 5 positions, these of 7, those of 4, of 6.
    "srgan/srgan_generator": Last("image", 9 + 33 * 2 + 5, Fraction(1, 4), -0.375),
    # 140 at the bottom, in steps of 16. On the way up 5 positions are made of 3, 7 of 4, 8 of 5, 9 of 5.
    "unet": Last("head", 140 + 4 * 16, 1, (572 - 388) / 2),
    "unet_padded": Last("head", 140 + 4 * 16, 1, 0),
    "vgg/vgg11": Last("avgpool", 150, 32, 15.5),
    "vgg/vgg11_lrn": Last("avgpool", 150, 32, 15.5),
    "vgg/vgg13": Last("avgpool", 156, 32, 15.5),
    "vgg/vgg16": Last("avgpool", 212, 32, 15.5),
    "vgg/vgg16_c": Last("avgpool", 156, 32, 15.5),
    "vgg/vgg19": Last("avgpool", 268, 32, 15.5),
}

WITHOUT_AXES = {"lecture/small"}


def test_every_shipped_spec_has_its_field_here() -> None:
    assert LAST.keys() | WITHOUT_AXES == set(NAMES)


@pytest.mark.parametrize("name", LAST)
def test_the_last_receptive_field(name: str) -> None:
    fields = receptive_fields(graph(name))
    in_use = ["input", *(node.name for node in graph(name).nodes if not node.training_only)]
    last = [node for node in in_use if fields[node].axes is not None][-1]
    found = fields[last]
    assert found.axes is not None
    axes: set[object] = {(last, axis.size, axis.jump, axis.center) for axis in found.axes}
    assert axes == {LAST[name]}
    assert found.uneven is None


@pytest.mark.parametrize("name", WITHOUT_AXES)
def test_vectors_have_no_axes(name: str) -> None:
    assert len(graph(name).input) == 1


@pytest.mark.parametrize(
    ("name", "overrides", "node", "size"),
    [
        ("alexnet", (), "features.12", 195),
        ("vgg/vgg16", (), "features.30", 212),
        ("vgg/vgg16", (), "features.28", 196),
        ("resnet/resnet18", (), "layer4.1.relu", 435),
        ("resnet/resnet34", (), "layer4.2.relu", 899),
        ("resnet/resnet50", ("early_stride=true",), "layer4.2.relu", 483),
        ("resnet/resnet101", ("early_stride=true",), "layer4.2.relu", 1027),
        ("resnet/resnet152", ("early_stride=true",), "layer4.2.relu", 1507),
    ],
)
def test_published_sizes(name: str, overrides: tuple[str, ...], node: str, size: int) -> None:
    """The last maps, and of VGG-16 also conv5_3; the ResNets have their strides on the first convolution."""
    field = receptive_fields(graph(name, *overrides))[node]
    assert field.axes is not None
    assert [axis.size for axis in field.axes] == [size, size]


SHIFTS: dict[str, Shift | str] = {
    "alexnet": "flatten1",
    "alexnet_2012": "flatten1",
    "capsnet": "digits",
    "capsnet_reconstruction": "digits",
    "deep_belief_net": "flatten1",
    "faster_rcnn": Shift(16, 1),
    "fashion_cnn": Shift(4, 0),
    "inception/inception_naive": Shift(1, 1),
    "inception/inception_reduced": Shift(1, 1),
    "lecture/convolutional": "flatten1",
    "lecture/denoising_autoencoder": Shift(4, 4),
    "lecture/digit_and_parity": "flatten1",
    "lecture/fully_connected": "flatten1",
    "lecture/overparameterized": "flatten1",
    "lecture/segmentation_and_denoising": Shift(8, 8),
    "lecture/stride_chain": Shift(32, 1),
    "lecture/super_resolution": Shift(1, 2),
    "lecture/toy_classifier": "flatten1",
    "lecture/valid_chain": Shift(1, 1),
    "lenet5": "flatten1",
    "lenet5_1998": "flatten1",
    "small_resnet": Shift(4, 0),
    "srgan/srgan_discriminator": "flatten1",
    "srgan/srgan_generator": Shift(1, 4),
    "unet": Shift(16, 16),
    "unet_padded": Shift(16, 16),
}
FAMILIES: dict[str, Shift | str] = {
    "inception/googlenet": Shift(32, 0),
    "resnet/": Shift(32, 0),
    "resnet_cifar/": Shift(4, 0),
    "vgg/": "flatten1",
}


@pytest.mark.parametrize("name", LAST)
def test_shifts_of_the_outputs_in_use(name: str) -> None:
    """By how many pixels the input moves, by how many positions then the output; or what breaks it."""
    of_family = [said for prefix, said in FAMILIES.items() if name.startswith(prefix)]
    said = SHIFTS[name] if name in SHIFTS else of_family[0]
    found = shifts(graph(name))
    for output in graph(name).outputs.values():
        if output.training_only:
            continue
        for shift in found[output.node]:
            assert (shift.broken.node if shift.broken is not None else shift) == said
