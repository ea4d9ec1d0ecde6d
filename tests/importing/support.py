"""Imported networks, computed by torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from cnncli.exporting.subject import Array
from cnncli.importing.building import Imported
from cnncli.network import build_network


def computed(found: Imported, batch: Array) -> Sequence[Array]:
    """Return the outputs of an imported network with its weights."""
    network = build_network(found.graph).eval()
    state = {name: torch.from_numpy(value) for name, value in found.tensors.items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    with torch.no_grad():
        outputs = network(torch.from_numpy(batch))
    return [each.numpy() for each in (outputs.values() if isinstance(outputs, dict) else [outputs])]


def random(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)
