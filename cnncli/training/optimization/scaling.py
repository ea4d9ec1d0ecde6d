"""The factor of a loss in 16 bits, which keeps small gradients from becoming 0, in a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor
from torch.amp import GradScaler

from cnncli.diagnostics import usage_error

_SCALE: Final = "scale"
_TRACKER: Final = "growth_tracker"


def scaler_tensors(scaler: GradScaler) -> dict[str, Tensor]:
    """Return the factor, and the steps since it has changed; waits for the device."""
    return {
        _SCALE: torch.tensor(scaler.get_scale(), dtype=torch.float64),
        _TRACKER: torch.tensor(scaler.state_dict()["_growth_tracker"]),
    }


def restore_scaler(scaler: GradScaler | None, tensors: Mapping[str, Tensor]) -> None:
    """Restore what :func:`scaler_tensors` returned.

    Raises:
        UsageError: it is not the state of a scaler, or of none.
    """
    expected = set() if scaler is None else {_SCALE, _TRACKER}
    if tensors.keys() != expected or any(each.numel() != 1 for each in tensors.values()):
        raise usage_error("the checkpoint's factor of the loss is damaged")
    if scaler is None:
        return
    scale, tracker = float(tensors[_SCALE]), int(tensors[_TRACKER])
    if not (math.isfinite(scale) and scale > 0 and tracker >= 0):
        raise usage_error("the checkpoint's factor of the loss is damaged")
    scaler.load_state_dict(scaler.state_dict() | {_SCALE: scale, "_growth_tracker": tracker})
