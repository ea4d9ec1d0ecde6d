"""The published numbers come out of the shipped specs, exactly.

Sources: the lecture's questions, the papers that each spec names, and torchvision's own totals.
"""

from __future__ import annotations

from math import prod
from typing import Any

import pytest

from cnncli.algebra import whole
from cnncli.diagnostics import ShapeError
from tests.specs.support import NAMES, figures, graph, of_kind, opened, params, sizes


def small_unet(width: int, halvings: int) -> int:
    """The parameters of a U-Net whose 3x3 convolutions are normalized instead of having biases."""

    def level(read: int, channels: int) -> int:
        return 9 * read * channels + 9 * channels * channels + 4 * channels

    widths = [width << depth for depth in range(halvings + 1)]
    down = sum(level(read, channels) for read, channels in zip([1, *widths], widths, strict=False))
    up = sum(
        4 * 2 * channels * channels + channels + level(2 * channels, channels) for channels in widths[:-1]
    )
    return down + up


PARAMETERS = {
    "alexnet": 61_100_840,
    "alexnet_2012": 60_965_224,
    "capsnet": 256 * (81 + 1) + 256 * (81 * 256 + 1) + 32 * 6 * 6 * 10 * 16 * 8,
    "capsnet_reconstruction": 6_804_224,
    "deep_belief_net": 1_665_010,
    # 13 convolutions of VGG-16, 3x3 to 512 channels, and nine scores and boxes at each position.
    "faster_rcnn": 14_714_688 + (9 * 512 * 512 + 512) + 9 * (2 + 4) * (512 + 1),
    # A first convolution, two and three, each with its normalization, linear.
    "fashion_cnn": (9 * 32 + 64)
    + (9 * 32 * 64 + 9 * 64 * 64 + 2 * 128)
    + (9 * 64 * 128 + 2 * 9 * 128 * 128 + 3 * 256)
    + (128 * 10 + 10),
    "inception/googlenet": 6_998_552,
    "inception/googlenet_torchvision": 13_004_888 - 3_188_968 - 3_191_016,
    "inception/inception_naive": 64 * 193 + 128 * (9 * 192 + 1) + 32 * (25 * 192 + 1),
    "inception/inception_reduced": 64 * 193
    + 96 * 193
    + 128 * (9 * 96 + 1)
    + 16 * 193
    + 32 * (25 * 16 + 1)
    + 32 * 193,
    "lecture/convolutional": 705_488,
    "lecture/denoising_autoencoder": (9 * 32 + 32)
    + (9 * 32 * 64 + 64)
    + (9 * 64 * 128 + 128)
    + (4 * 128 * 64 + 64)
    + (9 * 64 * 64 + 64)
    + (4 * 64 * 32 + 32)
    + (9 * 32 * 32 + 32)
    + (9 * 32 + 1),
    # As the toy classifier, and two more outputs.
    "lecture/digit_and_parity": 13_706 + 64 * 2 + 2,
    "lecture/fully_connected": 1_091_024,
    "lecture/overparameterized": 524_288 + 128,
    "lecture/segmentation_and_denoising": small_unet(16, 3) + (16 * 11 + 11) + (16 + 1),
    "lecture/small": 1_170,
    "lecture/stride_chain": (25 * 8 + 8) + 4 * (25 * 8 * 8 + 8),
    "lecture/super_resolution": (25 * 64 + 64) + (9 * 64 * 32 + 32) + (9 * 32 * 4 + 4) + (1 + 1),
    "lecture/toy_classifier": (9 * 16 + 16) + (9 * 16 * 32 + 32) + (2 * 2 * 32 * 64 + 64) + (64 * 10 + 10),
    "lecture/valid_chain": (25 * 8 + 8) + 30 * (25 * 8 * 8 + 8),
    "lenet5": 61_706,
    "lenet5_1998": 60_000,
    # ResNet-34 less its three projections, each a 1x1 convolution and a normalization.
    "resnet/plain34": 21_797_672 - sum(n * 2 * n + 4 * n for n in (64, 128, 256)),
    "resnet/resnet18": 11_689_512,
    "resnet/resnet34": 21_797_672,
    "resnet/resnet50": 25_557_032,
    "resnet/resnet50_2015": 25_557_032,
    "resnet/resnet101": 44_549_160,
    "resnet/resnet152": 60_192_808,
    "resnet_cifar/plain20": 269_722,
    "resnet_cifar/plain56": 853_018,
    "resnet_cifar/resnet20": 269_722,
    "resnet_cifar/resnet32": 464_154,
    "resnet_cifar/resnet44": 658_586,
    "resnet_cifar/resnet56": 853_018,
    "resnet_cifar/resnet110": 1_727_962,
    # conv and norm of the first layer, 12 convolutions with theirs, 2 projections with theirs, linear.
    "small_resnet": (9 * 16 + 32)
    + 4 * (9 * 16 * 16 + 32)
    + (9 * 16 * 32 + 64 + 3 * (9 * 32 * 32 + 64))
    + (9 * 32 * 64 + 128 + 3 * (9 * 64 * 64 + 128))
    + (16 * 32 + 64)
    + (32 * 64 + 128)
    + (64 * 10 + 10),
    # Convolutions with their biases, normalizations, and two layers on what is left of 96x96.
    "srgan/srgan_discriminator": (9 * 3 * 64 + 64)
    + (9 * 64 * 64 + 64)
    + sum((9 * n * 2 * n + 2 * n) + (9 * 2 * n * 2 * n + 2 * n) for n in (64, 128, 256))
    + 2 * (64 + 2 * 128 + 2 * 256 + 2 * 512)
    + (6 * 6 * 512 * 1024 + 1024)
    + (1024 + 1),
    # k9n64s1; 16 units, each two convolutions and normalizations and a PReLU; tail; enlargements; k9n3s1.
    "srgan/srgan_generator": (81 * 3 * 64 + 64 + 64)
    + 16 * (2 * (9 * 64 * 64 + 64 + 128) + 64)
    + (9 * 64 * 64 + 64 + 128)
    + 2 * (9 * 64 * 256 + 256 + 64)
    + (81 * 64 * 3 + 3),
    "unet": 31_030_658,
    "unet_padded": 31_030_658,
    "vgg/vgg11": 132_863_336,
    "vgg/vgg11_lrn": 132_863_336,
    "vgg/vgg13": 133_047_848,
    "vgg/vgg16": 138_357_544,
    "vgg/vgg16_c": 133_638_952,
    "vgg/vgg19": 143_667_240,
}

MACS = {
    "alexnet": 714_188_480,
    "vgg/vgg16": 15_470_264_320,
    "resnet/resnet18": 1_814_073_344,
    "resnet/resnet50": 4_089_184_256,
}


def test_every_shipped_spec_has_its_number_here() -> None:
    assert set(PARAMETERS) == set(NAMES)


@pytest.mark.parametrize("name", PARAMETERS)
def test_total_parameters(name: str) -> None:
    assert figures(name).totals.params == PARAMETERS[name]


TRAINING_PARAMETERS = {
    "capsnet_reconstruction": 6_804_224 + 512 * (160 + 1) + 1024 * (512 + 1) + 784 * (1024 + 1),
    "inception/googlenet": 13_378_280,
    "inception/googlenet_torchvision": 13_004_888,
}


@pytest.mark.parametrize("name", NAMES)
def test_total_parameters_with_heads_for_training(name: str) -> None:
    wanted = TRAINING_PARAMETERS.get(name, PARAMETERS[name])
    assert figures(name).training_totals.params == wanted


@pytest.mark.parametrize("name", MACS)
def test_total_macs(name: str) -> None:
    assert figures(name).totals.macs == MACS[name]


def test_lecture_question_fully_connected() -> None:
    assert params("lecture/fully_connected") == [1_048_832, 32_896, 8_256, 1_040]


def test_lecture_question_convolutional() -> None:
    name = "lecture/convolutional"
    assert params(name) == [416, 6_416, 6_416, 692_240]
    found = figures(name)
    rows = [row for row in found.rows if row.figures.neurons]
    assert [row.figures.neurons for row in rows] == [57_600, 50_176, 43_264, 16]
    assert found.totals.neurons == 151_056
    # The convolutions again as one vector.
    assert found.totals.values == 151_056 + 43_264


def test_alexnets_neurons() -> None:
    """The paper says 650,000; its caption has 253,440 in the first layer, where 55x55x96 is 290,400."""
    maps = 55 * 55 * 96 + 27 * 27 * 256 + 2 * 13 * 13 * 384 + 13 * 13 * 256
    assert figures("alexnet_2012").totals.neurons == maps + 4096 + 4096 + 1000 == 659_272


def test_lenets_neurons_in_1998() -> None:
    """C1, S2, C3, S4, C5, F6 and the output; not their activations."""
    maps = 6 * 28 * 28 + 6 * 14 * 14 + 16 * 10 * 10 + 16 * 5 * 5
    assert figures("lenet5_1998").totals.neurons == maps + 120 + 84 + 10


def test_lecture_one_layer_has_too_many_weights() -> None:
    (layer,) = of_kind("lecture/overparameterized", "linear")
    assert layer.parameters == {"weight": (128, 4096), "bias": (128,)}
    assert figures("lecture/overparameterized", "bias=false").totals.params == 524_288


def test_lecture_small_network_leaves_the_last_bias_out() -> None:
    assert params("lecture/small") == [220, 630, 310, 10]
    assert figures("lecture/small", "output_bias=true").totals.params == 1_171


def test_valid_convolutions_shrink_slowly() -> None:
    assert sizes("lecture/valid_chain") == list(range(124, 0, -4))


def test_strided_convolutions_shrink_fast() -> None:
    # floor((n - 5)/2) + 1, as the lecture has it; its picture slips at the third (12 = floor(24/2)).
    assert sizes("lecture/stride_chain") == [62, 29, 13, 5, 1]


@pytest.mark.parametrize(("chain", "depth", "left"), [("valid_chain", 32, 4), ("stride_chain", 6, 1)])
def test_one_layer_too_many_is_a_located_error(chain: str, depth: int, left: int) -> None:
    with pytest.raises(ShapeError) as caught:
        opened(f"lecture/{chain}", f"depth={depth}")
    (fault,) = caught.value.diagnostics
    failing = f"conv.{depth - 1}"
    assert fault.code == "shape"
    assert fault.message.startswith(f"{failing}: ")
    assert fault.expected == "at least 5 along height"
    assert fault.received == str(left)
    where = fault.location
    assert where is not None
    assert where.source.name.endswith(f"{chain}.yaml")
    assert where.source.line(where.line)[where.column - 1 :].startswith(
        "conv: {channels: channels, kernel: 5"
    )
    # The table of shapes ends with the layer that fails and what reached it.
    assert fault.detail.splitlines()[-1].split() == [failing, "does", "not", "fit", f"8x{left}x{left}"]


def test_lenet5() -> None:
    assert params("lenet5") == [156, 2_416, 48_120, 10_164, 850]
    shapes = [
        node.output_shape for node in graph("lenet5").nodes if node.kind in ("conv", "avgpool", "linear")
    ]
    assert shapes == [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120,), (84,), (10,)]


def test_deep_belief_net_layers() -> None:
    nodes = of_kind("deep_belief_net", "linear")
    assert nodes[0].input_shapes == ((784,),)
    assert [node.output_shape for node in nodes] == [(500,), (500,), (2000,), (10,)]


def test_toy_classifier_is_made_of_the_lectures_parts() -> None:
    kinds = [node.kind for node in graph("lecture/toy_classifier").nodes]
    assert kinds == ["conv", "relu", "maxpool"] * 2 + ["flatten", "linear", "relu", "linear"]
    assert graph("lecture/toy_classifier").outputs["output"].shape == (10,)


def test_alexnet_2012_figure_2() -> None:
    name = "alexnet_2012"
    convolutions = of_kind(name, "conv")
    assert [node.output_shape for node in convolutions] == [
        (96, 55, 55),
        (256, 27, 27),
        (384, 13, 13),
        (384, 13, 13),
        (256, 13, 13),
    ]
    # The kernels as the paper gives them: 11x11x3, 5x5x48, 3x3x256, 3x3x192, 3x3x192.
    assert [node.parameters["weight"][1:] for node in convolutions] == [
        (3, 11, 11),
        (48, 5, 5),
        (256, 3, 3),
        (192, 3, 3),
        (192, 3, 3),
    ]
    normalized = [node.inputs[0] for node in of_kind(name, "localresponsenorm")]
    assert normalized == ["conv1_activation", "conv2_activation"]
    pooled = [node.output_shape for node in of_kind(name, "maxpool")]
    assert pooled == [(96, 27, 27), (256, 13, 13), (256, 6, 6)]


@pytest.mark.parametrize(
    ("letter", "name", "layers", "millions"),
    [
        ("A", "vgg11", 11, 133),
        ("A-LRN", "vgg11_lrn", 11, 133),
        ("B", "vgg13", 13, 133),
        ("C", "vgg16_c", 16, 134),
        ("D", "vgg16", 16, 138),
        ("E", "vgg19", 19, 144),
    ],
)
def test_vgg_tables_1_and_2(letter: str, name: str, layers: int, millions: int) -> None:
    path = f"vgg/{name}"
    weighted = of_kind(path, "conv") + of_kind(path, "linear")
    assert len(weighted) == layers
    assert round(PARAMETERS[path] / 1e6) == millions
    areas = [node.parameters["weight"][2:] for node in of_kind(path, "conv")]
    assert areas.count((1, 1)) == (3 if letter == "C" else 0)
    assert areas.count((3, 3)) == len(areas) - areas.count((1, 1))
    assert [node.output_shape for node in of_kind(path, "maxpool")] == [
        (64, 112, 112),
        (128, 56, 56),
        (256, 28, 28),
        (512, 14, 14),
        (512, 7, 7),
    ]


def test_vgg16_c_is_d_with_three_small_kernels() -> None:
    c, d = of_kind("vgg/vgg16_c", "conv"), of_kind("vgg/vgg16", "conv")
    smaller = [one.name for one, other in zip(c, d, strict=True) if one.parameters != other.parameters]
    # The last convolution of the stages with 256, 512 and 512 channels.
    assert smaller == ["features.14", "features.21", "features.28"]
    assert [one.output_shape for one in c] == [other.output_shape for other in d]


def test_vgg11_lrn_is_a_with_one_normalization() -> None:
    with_it, without = list(graph("vgg/vgg11_lrn").nodes), graph("vgg/vgg11").nodes
    added = with_it.pop(2)
    assert (added.kind, added.inputs) == ("localresponsenorm", ("features.1",))
    assert [node.layer for node in with_it] == [node.layer for node in without]
    assert [node.output_shape for node in with_it] == [node.output_shape for node in without]


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_resnet_table_1(depth: int) -> None:
    name = f"resnet/resnet{depth}"
    # Layers with weights, not counting projections: the name of the network.
    assert len(of_kind(name, "conv")) + len(of_kind(name, "linear")) == depth
    outputs = {node.name: node.output_shape for node in graph(name).nodes}
    widest = 1 if depth < 50 else 4
    last = {
        stage: [shape for path, shape in outputs.items() if path.startswith(f"{stage}.")][-1]
        for stage in ("layer1", "layer2", "layer3", "layer4")
    }
    assert last == {
        "layer1": (64 * widest, 56, 56),
        "layer2": (128 * widest, 28, 28),
        "layer3": (256 * widest, 14, 14),
        "layer4": (512 * widest, 7, 7),
    }
    assert outputs["conv1"] == (64, 112, 112)
    assert outputs["fc"] == (1000,)


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_bottlenecks_stride_at_their_3x3(depth: int) -> None:
    strided = [
        node
        for node in of_kind(f"resnet/resnet{depth}", "conv")
        if node.name != "conv1" and node.output_shape[1:] != node.input_shapes[0][1:]
    ]
    assert [node.name for node in strided] == ["layer2.0.conv2", "layer3.0.conv2", "layer4.0.conv2"]
    assert all(node.parameters["weight"][2:] == (3, 3) for node in strided)


def test_unet_figure_1() -> None:
    unet = graph("unet")
    assert unet.outputs["output"].shape == (2, 388, 388)
    # The numbers written along the blue boxes of the figure.
    assert sizes("unet") == [
        *(570, 568, 282, 280, 138, 136, 66, 64, 30, 28),
        *(54, 52, 102, 100, 198, 196, 390, 388, 388),
    ]
    assert [node.output_shape for node in of_kind("unet", "convtranspose")] == [
        (512, 56, 56),
        (256, 104, 104),
        (128, 200, 200),
        (64, 392, 392),
    ]
    assert [node.output_shape for node in of_kind("unet", "concat")] == [
        (1024, 56, 56),
        (512, 104, 104),
        (256, 200, 200),
        (128, 392, 392),
    ]


def test_unet_skips_come_before_what_is_below_them() -> None:
    joins = [node.inputs for node in of_kind("unet", "concat")]
    assert joins == [
        ("down4.conv.1_activation", "up4.upconv"),
        ("down3.conv.1_activation", "up3.upconv"),
        ("down2.conv.1_activation", "up2.upconv"),
        ("down1.conv.1_activation", "up1.upconv"),
    ]


def test_unet_padded_keeps_every_size() -> None:
    assert graph("unet_padded").outputs["output"].shape == (2, 512, 512)
    assert (
        sizes("unet_padded")
        == [n for n in (512, 256, 128, 64, 32, 64, 128, 256) for _ in range(2)] + [512] * 3
    )
    assert params("unet_padded") == params("unet")


def test_lenet5_1998_layer_by_layer() -> None:
    """Section II.B of LeCun et al. (1998); the total of 340,908 connections counts the output's."""
    rows = {row.node.name: row.figures for row in figures("lenet5_1998").rows}
    found = {name: (each.params, each.connections) for name, each in rows.items() if each.connections}
    assert found == {
        "C1": (156, 122_304),
        "S2": (12, 5_880),
        "C3": (1_516, 151_600),
        "S4": (32, 2_000),
        "C5": (48_120, 48_120),
        "F6": (10_164, 10_164),
        "output": (0, 840),
    }
    assert figures("lenet5_1998").totals.connections == 340_908
    shapes = [
        node.output_shape for node in graph("lenet5_1998").nodes if not node.name.endswith("_activation")
    ]
    maps = [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120, 1, 1)]
    assert shapes == [*maps, (120,), (84,), (10,)]


def test_lenet5_1998_table_1() -> None:
    """The columns of table I, map by map of S2: which maps of C3 read it."""
    (c3,) = (node for node in graph("lenet5_1998").nodes if node.name == "C3")
    layer: Any = c3.layer
    read_by = [[out for out, row in enumerate(layer.table) if channel in row] for channel in range(6)]
    assert read_by == [
        [0, 4, 5, 6, 9, 10, 11, 12, 14, 15],
        [0, 1, 5, 6, 7, 10, 11, 12, 13, 15],
        [0, 1, 2, 6, 7, 8, 11, 13, 14, 15],
        [1, 2, 3, 6, 7, 8, 9, 12, 14, 15],
        [2, 3, 4, 7, 8, 9, 10, 12, 13, 15],
        [3, 4, 5, 8, 9, 10, 11, 13, 14, 15],
    ]


# Table 1 of Szegedy et al. (2014): output size, and operations in millions. The first convolution (34M)
# and 5a (54M) are left out: there the paper's figures do not follow from its own filters.
GOOGLENET_TABLE_1: dict[str, tuple[tuple[int, ...], int | None]] = {
    "conv1": ((64, 112, 112), None),
    "maxpool1": ((64, 56, 56), None),
    "maxpool2": ((192, 28, 28), None),
    "inception3a": ((256, 28, 28), 128),
    "inception3b": ((480, 28, 28), 304),
    "maxpool3": ((480, 14, 14), None),
    "inception4a": ((512, 14, 14), 73),
    "inception4b": ((512, 14, 14), 88),
    "inception4c": ((512, 14, 14), 100),
    "inception4d": ((528, 14, 14), 119),
    "inception4e": ((832, 14, 14), 170),
    "maxpool4": ((832, 7, 7), None),
    "inception5a": ((832, 7, 7), None),
    "inception5b": ((1024, 7, 7), 71),
    "avgpool": ((1024,), None),
    "fc": ((1000,), 1),
}


def test_googlenet_table_1() -> None:
    rows = figures("inception/googlenet").rows
    for name, (shape, millions) in GOOGLENET_TABLE_1.items():
        own = [row for row in rows if row.node.name.split(".")[0] == name]
        assert own[-1].node.output_shape == shape, name
        if millions is not None:
            macs = sum(whole(row.figures.macs) for row in own)
            assert abs(macs / 1e6 - millions) < 1, name
    reduced = sum(whole(row.figures.macs) for row in rows if row.node.name[:5] in ("conv2", "conv3"))
    assert round(reduced / 1e6) == 360


@pytest.mark.parametrize("version", ["googlenet", "googlenet_torchvision"])
def test_googlenet_heads_train_only(version: str) -> None:
    googlenet = graph(f"inception/{version}")
    assert {name: output.training_only for name, output in googlenet.outputs.items()} == {
        "scores": False,
        "aux1": True,
        "aux2": True,
    }
    outputs = {node.name: node.output_shape for node in googlenet.nodes}
    assert outputs["aux1.conv.conv"] == outputs["aux2.conv.conv"] == (128, 4, 4)
    assert {node.name.split(".")[0] for node in googlenet.nodes if node.training_only} == {"aux1", "aux2"}


def test_why_there_are_1x1_convolutions() -> None:
    naive, reduced = (
        figures("inception/inception_naive").totals,
        figures("inception/inception_reduced").totals,
    )
    assert graph("inception/inception_naive").outputs["output"].shape == (64 + 128 + 32 + 192, 28, 28)
    assert graph("inception/inception_reduced").outputs["output"].shape == (256, 28, 28)
    assert whole(naive.macs) > 2.3 * whole(reduced.macs)
    assert whole(naive.params) > 2.3 * whole(reduced.params)
    rows = figures("inception/googlenet").rows
    first = sum(whole(row.figures.params) for row in rows if row.node.name.startswith("inception3a."))
    assert first == reduced.params


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_resnet_cifar_table_6(depth: int, millions: float) -> None:
    name = f"resnet_cifar/resnet{depth}"
    assert round(whole(figures(name).totals.params) / 1e6, 1 if depth == 110 else 2) == millions
    assert len(of_kind(name, "conv")) + len(of_kind(name, "linear")) == depth
    n = (depth - 2) // 6
    assert sizes(name) == [32] * (1 + 2 * n) + [16] * 2 * n + [8] * 2 * n
    shortcuts = of_kind(name, "shortcut")
    assert len(shortcuts) == 3 * n
    assert not any(node.parameters for node in shortcuts)


@pytest.mark.parametrize(
    ("plain", "residual"),
    [
        ("resnet_cifar/plain20", "resnet_cifar/resnet20"),
        ("resnet_cifar/plain56", "resnet_cifar/resnet56"),
        ("resnet/plain34", "resnet/resnet34"),
    ],
)
def test_a_plain_network_is_the_residual_one_without_shortcuts(plain: str, residual: str) -> None:
    for kind in ("conv", "batchnorm", "linear"):
        ours, theirs = of_kind(plain, kind), of_kind(residual, kind)
        assert [(node.name, node.parameters, node.output_shape) for node in ours] == [
            (node.name, node.parameters, node.output_shape) for node in theirs
        ]
    assert not of_kind(plain, "add")
    assert not of_kind(plain, "shortcut")


@pytest.mark.parametrize(("depth", "billions"), [(50, 3.8), (101, 7.6), (152, 11.3)])
def test_resnet_table_1_operations_with_the_papers_strides(depth: int, billions: float) -> None:
    """The paper does not say how it rounds; ours are 3.858, 7.570 and 11.282."""
    macs = whole(figures(f"resnet/resnet{depth}", "early_stride=true").totals.macs)
    assert abs(macs / 1e9 - billions) < 0.1
    strided = [
        node
        for node in of_kind(f"resnet/resnet{depth}", "conv", "early_stride=true")
        if node.name != "conv1" and node.output_shape[1:] != node.input_shapes[0][1:]
    ]
    assert [node.name for node in strided] == ["layer2.0.conv1", "layer3.0.conv1", "layer4.0.conv1"]


def test_srgan_figure_4() -> None:
    assert graph("srgan/srgan_generator").outputs["output"].shape == (3, 96, 96)
    assert graph("srgan/srgan_generator").input == (3, 24, 24)
    assert len(of_kind("srgan/srgan_generator", "add")) == 16 + 1
    assert [node.output_shape for node in of_kind("srgan/srgan_generator", "pixelshuffle")] == [
        (64, 48, 48),
        (64, 96, 96),
    ]
    assert len(of_kind("srgan/srgan_generator", "prelu")) == 1 + 16 + 2
    widths = [node.output_shape[:2] for node in of_kind("srgan/srgan_discriminator", "conv")]
    assert widths == [(64, 96), (64, 48), (128, 48), (128, 24), (256, 24), (256, 12), (512, 12), (512, 6)]
    assert len(of_kind("srgan/srgan_discriminator", "batchnorm")) == 7
    assert [node.output_shape for node in of_kind("srgan/srgan_discriminator", "linear")] == [(1024,), (1,)]


def test_faster_rcnn_section_3_1() -> None:
    heads = graph("faster_rcnn").outputs
    assert {name: output.shape for name, output in heads.items()} == {
        "scores": (2 * 9, 37, 62),
        "boxes": (4 * 9, 37, 62),
    }
    convolutions = of_kind("faster_rcnn", "conv")
    assert len(convolutions) == 13 + 1 + 2
    # The paper counts weights only: 512 x (4 + 2) x 9 in the output, 3 x 3 x 512 x 512 before it.
    weights = [prod(map(whole, node.parameters["weight"])) for node in convolutions]
    assert sum(weights[-2:]) == 512 * (4 + 2) * 9
    assert f"{sum(weights[-2:]):.1e}" == "2.8e+04"
    assert f"{sum(weights[-3:]):.1e}" == "2.4e+06"
    trunk, vgg = convolutions[:13], of_kind("vgg/vgg16", "conv")
    assert [node.parameters for node in trunk] == [node.parameters for node in vgg]


def test_capsnet_figure_1() -> None:
    outputs = {node.name: node.output_shape for node in graph("capsnet_reconstruction").nodes}
    assert outputs["conv1"] == (256, 20, 20)
    assert outputs["primary"] == (32 * 8, 6, 6)
    assert outputs["digits"] == (10, 16)
    (digits,) = of_kind("capsnet", "capsules")
    assert digits.parameters == {"weight": (32 * 6 * 6, 10, 16, 8)}
    assert {name: out.shape for name, out in graph("capsnet_reconstruction").outputs.items()} == {
        "digit": (10,),
        "reconstruction": (784,),
    }


def test_alexnet_2012_normalizes_before_it_pools() -> None:
    kinds = [node.kind for node in graph("alexnet_2012").nodes][:8]
    assert kinds == ["conv", "relu", "localresponsenorm", "maxpool"] * 2
    pools: list[Any] = [node.layer for node in of_kind("alexnet_2012", "maxpool")]
    assert all(layer.kernel == 3 and layer.stride == 2 for layer in pools)
    convolutions: list[Any] = [node.layer for node in of_kind("alexnet_2012", "conv")]
    assert [layer.groups for layer in convolutions] == [1, 2, 1, 2, 2]
