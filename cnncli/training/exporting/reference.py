"""The torch network with exported weights, which files are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from torch import nn

from cnncli.exporting.subject import Array, Subject
from cnncli.language.description import OUTPUT
from cnncli.network import Network, build_network

_ROUNDINGS: Final = 8
"""How many times the rounding of another order of sums may be that of torch's order."""


class Reference:
    """What torch computes with the weights of an export, on the CPU."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._network = network_of(subject)

    def outputs(self, batch: Array) -> dict[str, Array]:
        """Return the outputs for a batch, by their names."""
        return outputs_of(self._network, batch)

    def difference(self, batch: Array, found: Mapping[str, Array]) -> float:
        """Return how different outputs for a batch are from the network's."""
        return difference(found, self.outputs(batch))

    def is_rounding(self, batch: Array, found: Mapping[str, Array]) -> bool:
        """Return whether outputs are as near to those in float64 as the network's own are, about."""
        exact = outputs_of(network_of(self._subject, torch.float64), batch.astype(np.float64))
        return difference(found, exact) <= _ROUNDINGS * difference(self.outputs(batch), exact)


def network_of(subject: Subject, dtype: torch.dtype = torch.float32) -> Network:
    """Return the network with its weights, for inference on the CPU."""
    network = build_network(subject.graph, "meta").eval()
    state = {name: torch.from_numpy(each).to(dtype) for name, each in subject.tensors.items()}
    # Counters of batches, which inference does not read, stay without values.
    network.load_state_dict(state, strict=False, assign=True)
    return network


def outputs_of(network: nn.Module, batch: Array) -> dict[str, Array]:
    """Return the outputs of a network by their names."""
    with torch.inference_mode():
        found = network(torch.from_numpy(batch))
    named = found if isinstance(found, dict) else {OUTPUT: found}
    return {name: each.numpy() for name, each in named.items()}


def difference(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> float:
    """Return the greatest difference of all outputs, each divided by the largest value of the output wanted.

    Infinite if names or shapes differ, or a value is not a number.
    """
    if found.keys() != wanted.keys() or any(found[name].shape != wanted[name].shape for name in wanted):
        return float("inf")
    shares = [
        float(np.abs(found[name].astype(np.float64) - each).max()) / (float(np.abs(each).max()) or 1.0)
        for name, each in wanted.items()
    ]
    return max(shares) if np.isfinite(shares).all() else float("inf")
