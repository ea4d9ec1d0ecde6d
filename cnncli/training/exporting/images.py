"""What a training does to images, for comparing with what a model does to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import Tensor

from cnncli.exporting.onnx.functions import OPSET
from cnncli.exporting.onnx.model import BATCH, IR_VERSION
from cnncli.exporting.onnx.preparing import Preparing
from cnncli.exporting.onnx.running import Session
from cnncli.exporting.subject import Array, random_images
from cnncli.language.description import INPUT
from cnncli.results.export import Resized
from cnncli.training.data.feed import Views
from cnncli.training.data.normalization import affine
from cnncli.training.data.recorded import Normalization
from cnncli.training.data.resize import resize_images
from cnncli.training.transforms.alters import shrunk
from cnncli.training.transforms.pipeline import middle

_SIDES: Final = ((2.0, 1.5), (0.6, 0.75), (1.3, 0.7), (3.1, 3.1))
"""Height and width of images to compare, in shares of the size that a training stores."""


def inputs_of(preparing: Preparing, images: Array) -> Array:
    """Return what a training makes of images, uint8 [n, ...]: inputs of the network, float32 [n, *shape]."""
    how = preparing.images
    stored = torch.from_numpy(images)
    if preparing.resizes:
        stored = resize_images(stored, how.stored, how.resize)
    scale, shift = affine(Normalization(how.mean, how.std), len(how.stored), torch.device("cpu"))
    inputs = stored * scale + shift
    return _without_margin(preparing, inputs).numpy()


def _without_margin(preparing: Preparing, inputs: Tensor) -> Tensor:
    margin = preparing.images.margin
    if not margin:
        return inputs
    fitted = shrunk if preparing.images.shrinks else middle
    return fitted(Views(inputs, {}), margin).images


def resized(preparing: Preparing) -> Resized:
    """Return by how many of 255 levels images of other sizes differ from those of a training, at most."""
    dims: list[str | int | None] = [BATCH, *preparing.shape]
    graph = helper.make_graph(
        preparing.nodes(INPUT),
        INPUT,
        [preparing.input(BATCH)],
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, dims)],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    session = Session(
        helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()
    )
    deviations = np.array(preparing.images.std).reshape(-1, *(1,) * (len(preparing.shape) - 1))
    values = others = 0
    most = 0.0
    for images in _pictures(preparing):
        apart = np.abs(session.run(images)[INPUT] - inputs_of(preparing, images)) * deviations * 255
        values += apart.size
        others += int((apart > 0.5).sum())
        most = max(most, float(apart.max()))
    return Resized(values, others, most)


def _pictures(preparing: Preparing) -> Iterator[Array]:
    """Yield images of sizes that a training does not store; where channels are converted, of both numbers."""
    channels, height, width = preparing.images.stored
    for tall, wide in _SIDES:
        for each in {channels, *((1, 3) if channels in (1, 3) else ())}:
            yield random_images((2, each, max(1, round(height * tall)), max(1, round(width * wide))))
