"""A batch of images that were given to a network, with what it says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from torch import Tensor

from cnncli.results.predictions import Answer


class Shown(NamedTuple):
    """A batch of ``n`` images.

    ``images`` are what the network sees, float32 [n, channels, height, width] with values from 0 to 1,
    ``outputs`` what its heads output. ``labels`` are the classes of the images by head, int64 [n] on the CPU,
    -1 where they are not known; ``answers`` are the outputs in words.
    """

    paths: Sequence[Path]
    images: Tensor
    outputs: Mapping[str, Tensor]
    labels: Mapping[str, Tensor]
    answers: Sequence[Answer]


class Output(Protocol):
    """Something that is written of images and of what a network says of them."""

    def took(self, batch: Shown) -> None:
        """Take a batch."""

    def finish(self, images: Sequence[str]) -> int:
        """Write what was not written yet; return how many of the ``images`` are in it.

        Raises:
            CnncliError: it cannot be written.
        """
