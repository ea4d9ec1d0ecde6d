"""The published numbers come out of the shipped specs, exactly.

Sources: the lecture's questions, the papers that each spec names, and torchvision's own totals.
"""

from __future__ import annotations

import pytest

from cnncli.diagnostics import ShapeError
from tests.specs.support import NAMES, figures, graph, of_kind, opened, params, sizes

PARAMETERS = {
    "alexnet/alexnet": 61_100_840,
    "alexnet/alexnet_2012": 60_965_224,
    "deep_belief_net": 1_665_010,
    "lecture/convolutional": 705_488,
    "lecture/fully_connected": 1_091_024,
    "lecture/overparameterised": 524_288 + 128,
    "lecture/small": 1_170,
    "lecture/stride_chain": (25 * 8 + 8) + 4 * (25 * 8 * 8 + 8),
    "lecture/toy_classifier": (9 * 16 + 16) + (9 * 16 * 32 + 32) + (2 * 2 * 32 * 64 + 64) + (64 * 10 + 10),
    "lecture/valid_chain": (25 * 8 + 8) + 30 * (25 * 8 * 8 + 8),
    "lenet5": 61_706,
    "resnet/resnet18": 11_689_512,
    "resnet/resnet34": 21_797_672,
    "resnet/resnet50": 25_557_032,
    "resnet/resnet101": 44_549_160,
    "resnet/resnet152": 60_192_808,
    # conv and norm of the first layer, 12 convolutions with theirs, 2 projections with theirs, linear.
    "small_resnet": (9 * 16 + 32)
    + 4 * (9 * 16 * 16 + 32)
    + (9 * 16 * 32 + 64 + 3 * (9 * 32 * 32 + 64))
    + (9 * 32 * 64 + 128 + 3 * (9 * 64 * 64 + 128))
    + (16 * 32 + 64)
    + (32 * 64 + 128)
    + (64 * 10 + 10),
    "unet": 31_030_658,
    "vgg/vgg11": 132_863_336,
    "vgg/vgg11_lrn": 132_863_336,
    "vgg/vgg13": 133_047_848,
    "vgg/vgg16": 138_357_544,
    "vgg/vgg16_c": 133_638_952,
    "vgg/vgg19": 143_667_240,
}

MACS = {
    "alexnet/alexnet": 714_188_480,
    "vgg/vgg16": 15_470_264_320,
    "resnet/resnet18": 1_814_073_344,
    "resnet/resnet50": 4_089_184_256,
}


def test_every_shipped_spec_has_its_number_here() -> None:
    assert set(PARAMETERS) == set(NAMES)


@pytest.mark.parametrize("name", PARAMETERS)
def test_total_parameters(name: str) -> None:
    assert figures(name).totals.params == PARAMETERS[name]


@pytest.mark.parametrize("name", MACS)
def test_total_macs(name: str) -> None:
    assert figures(name).totals.macs == MACS[name]


def test_lecture_question_fully_connected() -> None:
    assert params("lecture/fully_connected") == [1_048_832, 32_896, 8_256, 1_040]


def test_lecture_question_convolutional() -> None:
    name = "lecture/convolutional"
    assert params(name) == [416, 6_416, 6_416, 692_240]
    rows = [row for row in figures(name).rows if row.node.kind in ("conv", "linear")]
    assert [row.figures.neurons for row in rows] == [57_600, 50_176, 43_264, 16]


def test_lecture_one_layer_has_too_many_weights() -> None:
    (layer,) = of_kind("lecture/overparameterised", "linear")
    assert layer.parameters == {"weight": (128, 4096), "bias": (128,)}
    assert figures("lecture/overparameterised", "bias=false").totals.params == 524_288


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
    shapes = [node.output for node in graph("lenet5").nodes if node.kind in ("conv", "avgpool", "linear")]
    assert shapes == [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120,), (84,), (10,)]


def test_deep_belief_net_layers() -> None:
    nodes = of_kind("deep_belief_net", "linear")
    assert nodes[0].input_shapes == ((784,),)
    assert [node.output for node in nodes] == [(500,), (500,), (2000,), (10,)]


def test_toy_classifier_is_made_of_the_lectures_parts() -> None:
    kinds = [node.kind for node in graph("lecture/toy_classifier").nodes]
    assert kinds == ["conv", "relu", "maxpool"] * 2 + ["flatten", "linear", "relu", "linear"]
    assert graph("lecture/toy_classifier").outputs["output"].shape == (10,)


def test_alexnet_2012_figure_2() -> None:
    name = "alexnet/alexnet_2012"
    convolutions = of_kind(name, "conv")
    assert [node.output for node in convolutions] == [
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
    normalised = [node.inputs[0] for node in of_kind(name, "localresponsenorm")]
    assert normalised == ["conv1.activation", "conv2.activation"]
    assert [node.output for node in of_kind(name, "maxpool")] == [(96, 27, 27), (256, 13, 13), (256, 6, 6)]


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
    assert [node.output for node in of_kind(path, "maxpool")] == [
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
    assert [one.output for one in c] == [other.output for other in d]


def test_vgg11_lrn_is_a_with_one_normalisation() -> None:
    with_it, without = list(graph("vgg/vgg11_lrn").nodes), graph("vgg/vgg11").nodes
    added = with_it.pop(2)
    assert (added.kind, added.inputs) == ("localresponsenorm", ("features.1",))
    assert [node.layer for node in with_it] == [node.layer for node in without]
    assert [node.output for node in with_it] == [node.output for node in without]


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_resnet_table_1(depth: int) -> None:
    name = f"resnet/resnet{depth}"
    # Layers with weights, not counting projections: the name of the network.
    assert len(of_kind(name, "conv")) + len(of_kind(name, "linear")) == depth
    outputs = {node.name: node.output for node in graph(name).nodes}
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
        if node.name != "conv1" and node.output[1:] != node.input_shapes[0][1:]
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
    assert [node.output for node in of_kind("unet", "convtranspose")] == [
        (512, 56, 56),
        (256, 104, 104),
        (128, 200, 200),
        (64, 392, 392),
    ]
    assert [node.output for node in of_kind("unet", "concat")] == [
        (1024, 56, 56),
        (512, 104, 104),
        (256, 200, 200),
        (128, 392, 392),
    ]


def test_unet_skips_come_before_what_is_below_them() -> None:
    joins = [node.inputs for node in of_kind("unet", "concat")]
    assert joins == [
        ("down4.conv.1.activation", "up4.upconv"),
        ("down3.conv.1.activation", "up3.upconv"),
        ("down2.conv.1.activation", "up2.upconv"),
        ("down1.conv.1.activation", "up1.upconv"),
    ]
