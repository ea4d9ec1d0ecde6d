"""What a source has, image by image and as it is stored: no spec is needed to look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from torch import Tensor

from cnncli.diagnostics import CnncliError
from cnncli.training.data.room import Room
from cnncli.training.data.sources.decoding import Picture
from cnncli.training.data.sources.remarks import Remarks

HELD_OUT: Final = "held out"
"""The part that is split off where a source has no parts."""


class Item(NamedTuple):
    """An image that is not read yet: its part, its name in messages, the numbers of its class or tags."""

    part: str
    name: str
    labels: tuple[int, ...]


class Tools(NamedTuple):
    """What the threads that read images share: what decoders remark, and the memory that there is."""

    remarks: Remarks
    room: Room


Opener: TypeAlias = Callable[[int, Tools], AbstractContextManager[Picture]]
"""Reads the image of an item, by its number; may be called by several threads at a time."""


Masks: TypeAlias = Callable[[int, Tools], "Tensor | None"]
"""Reads the mask of an item, uint8 [height, width] as it is stored; None if it has none."""


class Catalog(NamedTuple):
    """All images of a source.

    ``numbers`` are those of each item, float32 [N], by their names, NaN without one; ``masks`` read the masks
    of each column that has some.

    ``name`` is the source, with an absolute path. ``notes`` say what was left out, ``warnings`` why the
    source cannot be trained on as it is.
    """

    name: str
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    opened: Opener
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    numbers: Mapping[str, Tensor] = MappingProxyType({})
    masks: Mapping[str, Masks] = MappingProxyType({})

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts, in the order in which they first occur."""
        return tuple(dict.fromkeys(item.part for item in self.items))


def in_a_line(error: CnncliError | OSError) -> str:
    """Return what an error says, with its first hint, in a line."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror or error}"
    first = error.diagnostics[0]
    return f"{first.message}; {first.hint}" if first.hint else first.message
