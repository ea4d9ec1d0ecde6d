"""Removing channels from a trained network: which are important, and the weights of what is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from cnncli.exporting.subject import Array
from cnncli.transfer.channels import Channels

_NOTHING: Final = 1e-12
"""Added to norms that are divided by, so that a layer of zeros has the importance 0."""


def importance_of(channels: Channels, tensors: Mapping[str, Array]) -> dict[int, float]:
    """Return the importance of each removable unit: the norm of the weights that compute it.

    The Euclidean norm of a channel's kernel is divided by the root mean square of those of its layer, as
    scales differ between layers; of a unit that several layers compute it is the mean (Li et al., "Pruning
    filters for efficient ConvNets", 2017; Molchanov et al., "Pruning convolutional neural networks for
    resource efficient inference", 2017, section 2.2).
    """
    found: defaultdict[int, list[float]] = defaultdict(list)
    for name, axis in channels.makers.items():
        units = channels.axes[name][axis]
        assert units is not None
        for unit, norm in zip(units, _norms(tensors[name], axis), strict=True):
            found[unit].append(norm)
    return {unit: float(np.mean(found[unit])) for unit in channels.removable}


def _norms(weights: Array, axis: int) -> Iterator[float]:
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1).astype(np.float64)
    norms = np.sqrt((rows**2).sum(axis=1))
    yield from (norms / (np.sqrt((norms**2).mean()) + _NOTHING)).tolist()


def without(channels: Channels, tensors: Mapping[str, Array], removed: frozenset[int]) -> dict[str, Array]:
    """Return the tensors of a network without some of its units."""
    found = {}
    for name, values in tensors.items():
        for axis, places in enumerate(channels.kept(name, removed)):
            if places is not None:
                values = values.take(places, axis=axis)  # noqa: PLW2901 - axis by axis
        found[name] = np.ascontiguousarray(values)
    return found
