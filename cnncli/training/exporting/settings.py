"""What is asked for of an export, beside the network."""

from __future__ import annotations

from typing import NamedTuple

from cnncli.results.training import Reading


class Settings(NamedTuple):
    """``raw`` is whether the file takes normalized inputs instead of images; the rest is for ``int8``.

    ``max_drop`` is by how much a figure from 0 to 1 may be lower with weights of 8 bits; None for any.
    """

    raw: bool = False
    int8: bool = False
    max_drop: float | None = None
    reading: Reading = None
