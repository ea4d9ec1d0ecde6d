"""A network of another program that became a spec, and what was compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Import(NamedTuple):
    """A spec that was written, and its weights in a file beside it.

    ``layers`` and ``params`` are counts, ``blocks`` has how often each block is used. ``renamed`` has the
    tensors with another name than in ``source``, each with that name. ``difference`` is the greatest of all
    outputs, divided by the largest value of the output; None if ``uncompared`` says why there is none.
    """

    name: str
    source: str
    spec: Path
    weights: Path
    input_shape: tuple[int, ...]
    layers: int
    params: int
    tensors: int
    blocks: Mapping[str, int]
    renamed: Mapping[str, str]
    difference: float | None
    uncompared: str
    notes: tuple[str, ...]
