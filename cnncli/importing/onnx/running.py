"""What an ONNX file computes, by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from cnncli.importing.operations import Array


def outputs_of_file(path: Path, batch: Array) -> Sequence[Array]:
    """Return the outputs of a file for a batch; one after another if it fixes another batch size."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    if isinstance(given.shape[0], int) and given.shape[0] != len(batch):
        if given.shape[0] != 1:
            batch = np.resize(batch, (given.shape[0], *batch.shape[1:]))
            return [np.asarray(each) for each in session.run(None, {given.name: batch})]
        runs = [session.run(None, {given.name: each[None]}) for each in batch]
        return [np.concatenate(parts) for parts in zip(*runs, strict=True)]
    return [np.asarray(each) for each in session.run(None, {given.name: batch})]
