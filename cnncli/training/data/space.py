"""Where sources put what they read: into memory, or into files that are mapped."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from cnncli.training.data.room import available_memory, ensure_memory


class Space(Protocol):
    """A place for the images of a data set, and for what they are made of."""

    def check(self, needed: int, what: str, memory: int = 0) -> None:
        """Check that there are ``needed`` bytes for ``what`` here, and ``memory`` bytes to make it with.

        Raises:
            CnncliError: there are not; names both figures.
        """

    def empty(self, shape: tuple[int, ...]) -> Tensor:
        """Return a place for bytes, uint8 [*shape], with any content.

        Raises:
            CnncliError: it cannot be created.
        """

    def memory_beside(self, taken: int) -> int | None:
        """Return the bytes of memory that are left once ``taken`` bytes here are written; None if unknown."""


class Memory:
    """The memory of the process."""

    def check(self, needed: int, what: str, memory: int = 0) -> None:
        """Compare both together with the memory that is available."""
        ensure_memory(needed + memory, what)

    def empty(self, shape: tuple[int, ...]) -> Tensor:
        """Return memory, which the system does not give away before it is written to."""
        return torch.empty(shape, dtype=torch.uint8)

    def memory_beside(self, taken: int) -> int | None:
        """Return the memory that is available, without what is taken."""
        available = available_memory()
        return None if available is None else available - taken


MEMORY = Memory()
"""The place of everything that is not packed."""
