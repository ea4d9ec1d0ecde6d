"""Weights and values of 8 bits, with ranges that were seen on some inputs.

A value x is stored as the byte round(x / s) + z: weights with a scale s for each output channel, what layers
read and output with one for all (Jacob et al., Quantization and training of neural networks for efficient
integer-arithmetic-only inference, 2018).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import onnx
from onnx import ModelProto
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from cnncli.exporting.subject import Array
from cnncli.language.description import INPUT

_LAYERS: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""The operators with weights, which take nearly all of the time; all others stay as they are."""

_STORED: Final = "DequantizeLinear"


class EightBits(NamedTuple):
    """A model whose ``layers`` of ``of`` that have weights have them in 8 bits."""

    model: ModelProto
    layers: int
    of: int


class _Inputs(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no annotations
    """Hands out batches to onnxruntime, one after another."""

    def __init__(self, batches: Iterable[Array]) -> None:
        self._batches: Iterator[Array] = iter(batches)

    def get_next(self) -> dict[str, Array] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantized(model: ModelProto, batches: Iterable[Array]) -> EightBits:
    """Return a model of 8 bits for one that takes inputs of the network; ``batches`` are some of these.

    Functions are written out, since onnxruntime quantizes nodes of the graph only.
    """
    with TemporaryDirectory() as folder:
        plain, small = Path(folder) / "plain.onnx", Path(folder) / "small.onnx"
        quant_pre_process(model, plain, skip_symbolic_shape=True)
        quantize_static(
            plain,
            small,
            _Inputs(batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*_LAYERS],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        found = onnx.load(small)
    made = {name: node.op_type for node in found.graph.node for name in node.output}
    layers = [node for node in found.graph.node if node.op_type in _LAYERS]
    done = [node for node in layers if all(made.get(name) == _STORED for name in node.input[:2])]
    return EightBits(found, len(done), len(layers))
