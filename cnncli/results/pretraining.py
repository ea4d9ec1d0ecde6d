"""What is reported of a layer-wise pretraining."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class LayerEpoch(NamedTuple):
    """An epoch of a layer, counted from 1.

    ``error`` is the mean squared difference between a visible unit and its reconstruction after one Gibbs
    step; ``seconds`` is how long the epoch took.
    """

    layer: str
    epoch: int
    error: float
    seconds: float


class PretrainedLayer(NamedTuple):
    """A layer that is learned as a restricted Boltzmann machine, with its numbers of units."""

    name: str
    visible: int
    hidden: int


class PretrainingBegun(NamedTuple):
    """What is about to happen; ``finished`` are epochs that are done already, of all layers together."""

    name: str
    source: str
    images: int
    visible: str
    device: str
    folder: Path
    layers: tuple[PretrainedLayer, ...]
    epochs: int
    finished: int
    notes: tuple[str, ...]


class Pretrained(NamedTuple):
    """A finished pretraining.

    ``weights`` has the tensors of its layers by their names in the network, for ``train.start.from``;
    ``reset`` names the other layers with weights. ``filters`` is the picture of the first layer's weights,
    None if its input is not a picture.
    """

    folder: Path
    history: tuple[LayerEpoch, ...]
    weights: Path
    reset: tuple[str, ...]
    filters: Path | None
