"""Models of ONNX, node by node: what torch computes of the spec is what onnxruntime computes of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from cnncli.diagnostics import CnncliError
from cnncli.exporting.subject import Array
from cnncli.importing.building import Imported, imported
from cnncli.importing.onnx.reading import read_onnx
from cnncli.importing.onnx.running import outputs_of_file
from tests.importing.support import computed, random

SHAPE = (4, 9, 8)


class Model(NamedTuple):
    """Nodes from ``x`` to ``y``, the constants, the kinds that they are, and the version of ONNX."""

    nodes: Sequence[NodeProto]
    kinds: str
    constants: Mapping[str, Array] = {}
    shape: tuple[int, ...] = SHAPE
    opset: int = 20

    def save(self, path: Path, batch: int | str = "n") -> None:
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *self.shape])
        out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])
        out.type.tensor_type.shape.Clear()
        stored = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(list(self.nodes), "it", [given], [out], stored)
        del graph.output[0].type.tensor_type.shape.dim[:]
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self.opset)],
            ir_version=8 if self.opset < 20 else 10,
        )
        ranks = onnx.shape_inference.infer_shapes(model)
        path.write_bytes(ranks.SerializeToString())


def node(kind: str, *inputs: str, out: str = "y", **attributes: Any) -> NodeProto:
    return helper.make_node(kind, list(inputs) or ["x"], [out], **attributes)


def ints(*values: int) -> Array:
    return np.array(values, dtype=np.int64)


def floats(*values: float) -> Array:
    return np.array(values, dtype=np.float32)


KERNELS = {"w": random(6, 2, 3, 3), "b": random(6)}
STATISTICS = {"s": random(4), "o": random(4), "m": random(4), "v": random(4) ** 2 + 0.5}

MODELS = {
    "groups": Model(
        [node("Conv", "x", "w", "b", group=2, strides=[2, 1], pads=[1, 1, 1, 1])], "conv", KERNELS
    ),
    "uneven pads": Model([node("Conv", "x", "w", group=2, pads=[0, 1, 2, 0])], "conv", KERNELS),
    "dilation": Model([node("Conv", "x", "w", "b", group=2, dilations=[2, 1])], "conv", KERNELS),
    "same upper": Model(
        [node("Conv", "x", "w", group=2, strides=[2, 2], auto_pad="SAME_UPPER")], "conv", KERNELS
    ),
    "same lower": Model(
        [node("Conv", "x", "w", group=2, strides=[2, 2], auto_pad="SAME_LOWER")], "conv", KERNELS
    ),
    "transposed": Model(
        [node("ConvTranspose", "x", "w", strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])],
        "convtranspose",
        {"w": random(4, 3, 3, 3)},
    ),
    "batchnorm": Model(
        [node("BatchNormalization", "x", "s", "o", "m", "v", epsilon=1e-3, momentum=0.8)],
        "batchnorm",
        STATISTICS,
    ),
    "gemm": Model([node("Gemm", "x", "w", "b")], "linear", {"w": random(5, 3), "b": random(3)}, (5,)),
    "matmul and bias": Model(
        [node("MatMul", "x", "w", out="p"), node("Add", "p", "b")],
        "linear",
        {"w": random(5, 3), "b": random(3)},
        (5,),
    ),
    "ceil": Model([node("MaxPool", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1)], "maxpool"),
    "counted": Model(
        [node("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)],
        "avgpool",
    ),
    "uncounted": Model(
        [node("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])], "avgpool"
    ),
    "padded maximum": Model(
        [node("Pad", "x", "p", "i", out="q"), node("MaxPool", "q", kernel_shape=[3, 3], strides=[2, 2])],
        "maxpool",
        {"p": ints(0, 0, 1, 1, 0, 0, 1, 0), "i": floats(-np.inf).reshape(())},
    ),
    "global": Model([node("GlobalAveragePool", out="p"), node("Flatten", "p")], "globalavgpool flatten"),
    "mean": Model([node("ReduceMean", "x", "a", keepdims=0)], "globalavgpool", {"a": ints(2, 3)}),
    "maximum": Model([node("ReduceMax", axes=[-1, -2], keepdims=1)], "globalmaxpool", opset=13),
    "silu": Model([node("Sigmoid", out="g"), node("Mul", "g", "x")], "silu"),
    "mish": Model([node("Softplus", out="s"), node("Tanh", "s", out="t"), node("Mul", "x", "t")], "mish"),
    "gelu": Model(
        [
            node("Div", "x", "r", out="d"),
            node("Erf", "d", out="e"),
            node("Add", "e", "1", out="p"),
            node("Mul", "x", "p", out="q"),
            node("Mul", "q", "h"),
        ],
        "gelu",
        {"r": floats(2**0.5), "1": floats(1), "h": floats(0.5)},
    ),
    "gelu of a half": Model(
        [
            node("Mul", "x", "r", out="d"),
            node("Erf", "d", out="e"),
            node("Add", "1", "e", out="p"),
            node("Mul", "x", "h", out="q"),
            node("Mul", "q", "p"),
        ],
        "gelu",
        {"r": floats(0.5**0.5), "1": floats(1), "h": floats(0.5)},
    ),
    "relu6": Model(
        [node("Clip", "x", "a", "b")], "relu6", {"a": floats(0).reshape(()), "b": floats(6).reshape(())}
    ),
    "hard sigmoid": Model([node("HardSigmoid", alpha=1 / 6, beta=0.5)], "hard_sigmoid"),
    "leaky": Model([node("LeakyRelu", alpha=0.3), node("Identity", out="z")], "leaky_relu"),
    "elu": Model([node("Elu", alpha=0.7)], "elu"),
    "prelu": Model([node("PRelu", "x", "s")], "prelu", {"s": random(4, 1, 1)}),
    "softmax": Model([node("Softmax", axis=1)], "softmax"),
    "log softmax": Model([node("LogSoftmax", axis=-1)], "log_softmax", shape=(7,)),
    "lrn": Model([node("LRN", size=3, alpha=0.1, beta=0.5, bias=2.0)], "localresponsenorm"),
    "instance norm": Model(
        [node("InstanceNormalization", "x", "s", "o")], "instancenorm", {"s": random(4), "o": random(4)}
    ),
    "add and concat": Model(
        [node("Relu", out="r"), node("Add", "r", "x", out="a"), node("Concat", "a", "x", axis=1)],
        "relu add concat",
    ),
    "gate": Model([node("GlobalMaxPool", out="g"), node("Mul", "x", "g")], "globalmaxpool multiply"),
    "shuffle": Model(
        [
            node("Reshape", "x", "a", out="p"),
            node("Transpose", "p", out="t", perm=[0, 2, 1, 3, 4]),
            node("Reshape", "t", "b"),
        ],
        "channelshuffle",
        {"a": ints(-1, 2, 2, 9, 8), "b": ints(-1, 4, 9, 8)},
    ),
    "computed shape": Model(
        [
            node("Shape", out="s"),
            node("Gather", "s", "0", out="n"),
            node("Concat", "n", "m", out="t", axis=0),
            node("Reshape", "x", "t"),
        ],
        "flatten",
        {"0": ints(0), "m": ints(-1)},
    ),
    "pads": Model([node("Pad", "x", "p", mode="reflect")], "pad", {"p": ints(0, 0, 1, 2, 0, 0, 0, 3)}),
    "edge": Model([node("Pad", "x", "p", mode="edge")], "pad", {"p": ints(0, 0, 1, 2, 0, 0, 0, 3)}),
    "crop": Model([node("Pad", "x", "p")], "crop", {"p": ints(0, 0, -1, -2, 0, 0, 0, -1)}),
    "nearest": Model(
        [
            node(
                "Resize",
                "x",
                "",
                "s",
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        ],
        "upsample",
        {"s": floats(1, 1, 2, 3)},
    ),
    "linear": Model([node("Resize", "x", "", "s", mode="linear")], "upsample", {"s": floats(1, 1, 2, 2)}),
    "pixels": Model([node("DepthToSpace", blocksize=2, mode="CRD")], "pixelshuffle"),
    "dropout": Model([node("Dropout", "x", "r")], "dropout", {"r": floats(0.25).reshape(())}),
}


def read(model: Model, path: Path, batch: int | str = "n") -> Imported:
    model.save(path, batch)
    return imported(read_onnx(path, None))


@pytest.mark.parametrize("name", MODELS)
def test_the_spec_computes_what_the_file_does(name: str, tmp_path: Path) -> None:
    model, path = MODELS[name], tmp_path / "it.onnx"
    found = read(model, path)
    assert " ".join(each.kind for each in found.graph.nodes) == model.kinds
    batch = random(2, *model.shape)
    for one, other in zip(computed(found, batch), outputs_of_file(path, batch), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


REFUSED = {
    "factors": (Model([node("Gemm", "x", "w", alpha=2.0)], "", {"w": random(5, 3)}, (5,)), "with factors"),
    "split": (
        Model([node("Slice", "x", "a", "b", "c")], "", {"a": ints(0), "b": ints(2), "c": ints(1)}),
        "some of",
    ),
    "scale": (Model([node("Mul", "x", "s")], "", {"s": random(4, 1, 1)}), "a learned tensor"),
    "constant": (Model([node("Mul", "x", "s")], "", {"s": floats(3)}), "by a constant"),
    "broadcast": (Model([node("GlobalMaxPool", out="g"), node("Add", "x", "g")], ""), "broadcast"),
    "axes": (Model([node("Transpose", perm=[0, 1, 3, 2])], ""), "exchanges axes"),
    "mean of rows": (Model([node("ReduceMean", axes=[2], keepdims=1)], "", opset=13), "not all positions"),
    "rows": (Model([node("Softmax", axis=3)], ""), "not the channels"),
    "unknown": (Model([node("Sin")], ""), "no kind computes 'Sin'"),
    "other blocks": (Model([node("DepthToSpace", blocksize=2, mode="DCR")], ""), "another order"),
    "other slope": (Model([node("HardSigmoid")], ""), "other constants"),
    "corners": (
        Model(
            [node("Resize", "x", "", "s", mode="linear", coordinate_transformation_mode="align_corners")],
            "",
            {"s": floats(1, 1, 2, 2)},
        ),
        "align_corners",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_kind_expresses_is_named_with_its_node(name: str, tmp_path: Path) -> None:
    model, reason = REFUSED[name]
    nodes = [each for each in model.nodes if each.output[0] == "y"]
    nodes[0].name = "the_node"
    with pytest.raises(CnncliError, match=reason) as caught:
        read(model, tmp_path / "it.onnx")
    assert "node 'the_node'" in str(caught.value)


def test_weights_that_are_shared_are_refused(tmp_path: Path) -> None:
    nodes = [node("Conv", "x", "w", out="a"), node("Conv", "a", "w")]
    with pytest.raises(CnncliError, match="'w' are shared"):
        read(Model(nodes, "", {"w": random(4, 4, 1, 1)}), tmp_path / "it.onnx")


def test_a_fixed_batch_and_functions(tmp_path: Path) -> None:
    """Layers of a function have the name of its call before their own; a batch of 1 may be in a reshape."""
    path = tmp_path / "it.onnx"
    nodes = [
        helper.make_node("unit", ["x", "a.conv.weight"], ["p"], domain="own", name="a"),
        helper.make_node("unit", ["p", "b.conv.weight"], ["q"], domain="own", name="b"),
        node("Reshape", "q", "s"),
    ]
    constants = {"a.conv.weight": random(4, 4, 1, 1), "b.conv.weight": random(4, 4, 1, 1), "s": ints(1, -1)}
    model = Model(nodes, "", constants)
    inner = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["y"], name="relu"),
    ]
    function = helper.make_function("own", "unit", ["x", "w"], ["y"], inner, [helper.make_opsetid("", 20)])
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *SHAPE])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 288])
    stored = [numpy_helper.from_array(value, name) for name, value in model.constants.items()]
    graph = helper.make_graph(nodes, "it", [given], [out], stored)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=10), path)
    found = imported(read_onnx(path, None))
    names = [each.name for each in found.graph.nodes]
    assert names[:4] == ["a.conv", "a.relu", "b.conv", "b.relu"]
    assert found.blocks
    batch = random(2, *SHAPE)
    for one, other in zip(computed(found, batch), outputs_of_file(path, batch), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
