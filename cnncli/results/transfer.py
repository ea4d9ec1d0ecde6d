"""Which tensors of a file become those of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Adapted(NamedTuple):
    """A tensor of the first layer for another number of input channels: ``before`` in the file."""

    name: str
    before: int
    after: int


class Matching(NamedTuple):
    """Which tensors of a file become those of a network.

    ``taken`` has the names of tensors in the network, each with its name in the file; ``adapted`` are those
    of them whose shape is changed. The tensors of the network in ``reset`` keep their initial weights, and
    those of the file in ``left_out`` are not used, since the same patterns name them. ``types`` are the types
    of numbers that are converted to float32.
    """

    taken: Mapping[str, str]
    adapted: tuple[Adapted, ...] = ()
    reset: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    @property
    def matched(self) -> int:
        """The number of tensors that are taken as they are."""
        return len(self.taken) - len(self.adapted)


class Origin(NamedTuple):
    """A file of weights: its path, and the SHA-256 of its bytes in hexadecimal digits.

    ``entry`` is the key of the state dict among other values of the file, empty if there are none.
    """

    file: str
    sha256: str
    entry: str


class Started(NamedTuple):
    """Where the first weights of a training came from.

    ``matching`` is None of a run that is continued from a checkpoint: the file is not read again.
    """

    origin: Origin
    matching: Matching | None = None
