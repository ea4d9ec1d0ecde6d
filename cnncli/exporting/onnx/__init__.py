"""Networks as ONNX models, written from their graph: one file for each family of layers, as in ``layers/``.

(ONNX, Open Neural Network Exchange; its operators: https://onnx.ai/onnx/operators.)
"""

from cnncli.exporting.onnx import (
    activation,
    capsules,
    conv,
    dense,
    joins,
    norm,
    pooling,
    regularization,
    shaping,
)
from cnncli.exporting.onnx.registry import EMITTERS

__all__ = [
    "EMITTERS",
    "activation",
    "capsules",
    "conv",
    "dense",
    "joins",
    "norm",
    "pooling",
    "regularization",
    "shaping",
]
