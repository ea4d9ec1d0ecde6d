"""Layers that act in training only."""

from __future__ import annotations

from cnncli.exporting.onnx.emission import Emission
from cnncli.exporting.onnx.registry import emitter
from cnncli.layers.regularization import Dropout, Dropout2d, DropPath, Noise, Regularizing


@emitter(Dropout, Dropout2d, DropPath, Noise)
def passed_on(layer: Regularizing, to: Emission) -> str:
    """Return the input, as in inference."""
    return to.op("Identity", to.x)
