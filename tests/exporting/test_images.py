"""What a model does to images is what a training does to them, byte by byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from cnncli.exporting.onnx.functions import OPSET
from cnncli.exporting.onnx.model import BATCH, IR_VERSION
from cnncli.exporting.onnx.preparing import Preparing
from cnncli.exporting.onnx.running import Session
from cnncli.exporting.subject import Images, random_images
from cnncli.training.exporting.images import inputs_of

STORED = (12, 10)
SIZES = ((12, 10), (24, 20), (25, 13), (7, 31), (5, 6), (12, 11), (40, 9), (1, 1))


def preparing_of(channels: int, resize: str, margin: int = 0, *, shrinks: bool = False) -> Preparing:
    numbers = [0.3 + 0.1 * each for each in range(channels)]
    stored = (channels, *STORED)
    images = Images(stored, margin, shrinks, resize, tuple(numbers), tuple(numbers), None)
    return Preparing(images, (channels, *(side - 2 * margin for side in STORED)))


def session_of(preparing: Preparing) -> Session:
    output = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None] * (1 + len(preparing.shape)))
    graph = helper.make_graph(preparing.nodes("x"), "x", [preparing.input(BATCH)], [output])
    opset = [helper.make_opsetid("", OPSET)]
    return Session(helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION).SerializeToString())


def check_levels(preparing: Preparing, found: NDArray[Any], wanted: NDArray[Any]) -> None:
    """Check that bytes are equal, but for a few that are halfway between two before they are rounded."""
    deviations = np.array(preparing.images.std).reshape(-1, 1, 1)
    levels = np.abs(found - wanted) * deviations * 255
    assert levels.max() < 1.01
    assert (levels > 0.01).mean() < 0.01


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_any_size_become_the_inputs_of_a_training(channels: int, resize: str) -> None:
    preparing = preparing_of(channels, resize)
    session = session_of(preparing)
    for given in (1, 3) if channels < 4 else (4,):
        for size in SIZES:
            images = random_images((2, given, *size))
            wanted, found = inputs_of(preparing, images), session.run(images)["x"]
            assert found.shape == wanted.shape
            check_levels(preparing, found, wanted)


@pytest.mark.parametrize("shrinks", [False, True])
def test_a_margin_is_cut_off_or_shrunk_away(shrinks: bool) -> None:
    preparing = preparing_of(3, "crop", 2, shrinks=shrinks)
    session = session_of(preparing)
    for size in SIZES[:3]:
        images = random_images((2, 3, *size))
        check_levels(preparing, session.run(images)["x"], inputs_of(preparing, images))


@pytest.mark.parametrize(("channels", "given"), [(1, 2), (1, 4), (3, 2), (4, 3)])
def test_other_channels_are_refused_and_not_guessed(channels: int, given: int) -> None:
    session = session_of(preparing_of(channels, "crop"))
    with pytest.raises(Exception, match=r"onnxruntime|ONNXRuntimeError"):
        session.run(random_images((1, given, 12, 10)))


def test_vectors_are_normalized_only() -> None:
    preparing = Preparing(Images((6,), 0, False, "crop", (0.5,), (0.25,), None), (6,))
    images = random_images((3, 6))
    np.testing.assert_allclose(
        session_of(preparing).run(images)["x"], (images / 255 - 0.5) / 0.25, rtol=0, atol=1e-6
    )


def test_why_resize_of_onnx_is_not_used() -> None:
    """onnxruntime computes antialiased interpolation otherwise than torch: by many levels of 255."""
    from torch import from_numpy
    from torch.nn.functional import interpolate

    node = helper.make_node("Resize", ["x", "", "", "s"], ["y"], mode="linear", antialias=1, axes=[2, 3])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in "xy"]
    sizes = helper.make_tensor("s", TensorProto.INT64, [2], [8, 8])
    graph = helper.make_graph([node], "g", values[:1], values[1:], [sizes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    images = random_images((1, 1, 16, 16)).astype(np.float32)
    (found,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": images})
    wanted = interpolate(from_numpy(images), (8, 8), mode="bilinear", antialias=True).numpy()
    assert np.abs(found - wanted).max() > 1
