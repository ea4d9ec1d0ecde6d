"""Running models with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import onnxruntime

from cnncli.exporting.subject import Array

_ERRORS: Final = 3
"""The severity from which on onnxruntime writes to standard error."""


class Session:
    """A model that is ready to run on the CPU."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._outputs = [each.name for each in self._session.get_outputs()]

    def run(self, batch: Array) -> Mapping[str, Array]:
        """Return the outputs for a batch, by their names."""
        found = self._session.run(self._outputs, {self._input: batch})
        return dict(zip(self._outputs, found, strict=True))
