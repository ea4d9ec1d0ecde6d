"""A network with fewer channels, and what it lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class ShrunkLayer(NamedTuple):
    """A layer that computes channels, or features: how many it had, and how many are left."""

    name: str
    kind: str
    before: int
    after: int


class ShrunkFigure(NamedTuple):
    """A figure with a limit: what it was, what it is now, and its limit."""

    name: str
    before: int
    after: int
    limit: int


class Shrunk(NamedTuple):
    """The network of a run with fewer channels.

    ``removed`` counts what was removed of ``of`` removable channels. ``metric`` is what is measured on
    held-out images ``before`` and ``after``, and ``tuned`` after the training in ``run``, if there was one.
    ``spec`` and ``weights`` are the files that were written, ``source`` is the run that was shrunk.
    """

    name: str
    layers: tuple[ShrunkLayer, ...]
    figures: tuple[ShrunkFigure, ...]
    removed: int
    of: int
    metric: str
    before: float
    after: float
    spec: Path
    weights: Path
    source: Path
    run: Path | None = None
    tuned: float | None = None

    @property
    def lost(self) -> Mapping[str, float]:
        """The figures that are compared, by when they were measured."""
        found = {"before": self.before, "after": self.after}
        return found if self.tuned is None else found | {"after fine-tuning": self.tuned}
