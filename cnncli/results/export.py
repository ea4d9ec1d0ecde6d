"""What was written of a network for other programs, and what was compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from cnncli.results.transfer import Origin

if TYPE_CHECKING:
    from cnncli.algebra.size_sets import SizeSet

_NONE: Final[Mapping[str, int]] = MappingProxyType({})


class Compared(NamedTuple):
    """An input of this shape, the batch first, went through the file and the network.

    ``difference`` is the greatest of all outputs, divided by the largest value of the output; None if torch is
    not installed, so that the file was run and nothing was compared.
    """

    shape: tuple[int, ...]
    difference: float | None


class Quantized(NamedTuple):
    """Weights of 8 bits: the layers that have them, and a figure before and after on the same data.

    ``before`` and ``after`` are the figure ``metric`` of the network and of the quantized file, ``images`` the
    number of held-out images it was measured on, and ``calibrated`` that of training images from which the
    ranges are. ``whole`` is the size in bytes of the same file without quantization.
    """

    layers: int
    of: int
    calibrated: int
    metric: str
    images: int
    before: float
    after: float
    whole: int

    @property
    def drop(self) -> float:
        """By how much the figure is lower than before; negative if it is higher."""
        return self.before - self.after


class Exported(NamedTuple):
    """A file that was written: of ``size`` bytes, with ``tensors`` of the ``weights``.

    ``sizes`` has, for each axis of the input along which the file accepts several sizes, those sizes.
    ``functions`` are the blocks that became functions, each with how often it is called. ``compared`` is what
    was compared with the network after writing.
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
    quantized: Quantized | None = None
