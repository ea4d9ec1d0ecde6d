"""What was written of a network for other programs, and what was compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from cnncli.recipe.metrics import metric_of
from cnncli.results.transfer import Origin

if TYPE_CHECKING:
    from cnncli.algebra.size_sets import SizeSet

_NONE: Final[Mapping[str, int]] = MappingProxyType({})


class Compared(NamedTuple):
    """An input of this shape, the batch first, went through the file and the network.

    ``difference`` is the greatest of all outputs, divided by the largest value of the output; None if torch
    is not installed, so that the file was run and nothing was compared.
    """

    shape: tuple[int, ...]
    difference: float | None


class Resized(NamedTuple):
    """Images of other sizes, resized by the file and by a training: of ``values`` ``others`` differ.

    ``levels`` is by how much at most, where a byte has 255.
    """

    values: int
    others: int
    levels: float


class Quantized(NamedTuple):
    """Weights of 8 bits: the layers that have them, and a figure before and after on the same data.

    ``before`` and ``after`` are the figure ``metric`` of the network and of the quantized file, ``images``
    the number of held-out images it was measured on, and ``calibrated`` that of the training images that the
    ranges of values are from. ``whole`` is the size in bytes of the same file without quantization, ``limit``
    the largest drop that is allowed.
    """

    layers: int
    of: int
    calibrated: int
    metric: str
    images: int
    before: float
    after: float
    whole: int
    limit: float | None

    @property
    def is_within(self) -> bool:
        """Whether no more is lost than is allowed."""
        return self.limit is None or self.drop <= self.limit

    @property
    def drop(self) -> float:
        """By how much the figure is worse than before: the difference of shares, otherwise a share of it."""
        metric = metric_of(self.metric)
        lost = self.before - self.after if metric.better == "larger" else self.after - self.before
        return lost if metric.is_share else lost / (abs(self.before) or 1.0)


class Exported(NamedTuple):
    """A file that was written: of ``size`` bytes, with ``tensors`` of the ``weights``.

    ``sizes`` has, for each axis of the input along which the file accepts several sizes, those sizes.
    ``functions`` are the blocks that became functions, each with how often it is called. ``compared`` is what
    was compared with the network. ``images`` says which images the file takes, if it takes any, and
    ``resized`` how near its resizing is to that of a training.
    """

    name: str
    format: str
    file: Path
    size: int
    weights: Origin
    tensors: int
    sizes: Mapping[str, SizeSet]
    functions: Mapping[str, int] = _NONE
    compared: tuple[Compared, ...] = ()
    notes: tuple[str, ...] = ()
    images: str = ""
    resized: Resized | None = None
    quantized: Quantized | None = None

    @property
    def is_written(self) -> bool:
        """Whether there is a file: none of weights of 8 bits that lose more than is allowed."""
        return self.quantized is None or self.quantized.is_within
