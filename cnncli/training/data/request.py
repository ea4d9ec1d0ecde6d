"""What a source is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from cnncli.recipe.columns import Column, class_names
from cnncli.recipe.data import Data
from cnncli.results.training import Reading
from cnncli.training.data.recorded import WHOLE_RANGE, Levels
from cnncli.training.data.space import MEMORY, Space

Outputs: TypeAlias = Mapping[str, tuple[int, ...]]
NO_OUTPUTS: Final[Outputs] = MappingProxyType({})
NO_COLUMNS: Final[Mapping[str, Column]] = MappingProxyType({})


class Request(NamedTuple):
    """What a source gets: its path or pattern, the images' shape, how it is read.

    ``outputs`` are the shapes of what the network compares with columns that are maps: a source of pictures
    gives them that shape. If a network is to be measured, ``known`` are the columns that it was trained on,
    and ``levels`` those of the 16-bit images among its data. ``holdout`` is the share of the training part
    to split off for validation if neither the data nor the recipe has anything to say. ``space`` is where
    images are put that are many.
    """

    place: str
    shape: tuple[int, ...]
    data: Data
    reading: Reading
    outputs: Outputs = NO_OUTPUTS
    known: Mapping[str, Column] = NO_COLUMNS
    levels: Levels = WHOLE_RANGE
    holdout: float = 0.0
    space: Space = MEMORY

    @property
    def path(self) -> Path:
        """Its path."""
        return Path(self.place)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the network distinguishes."""
        return class_names(self.known)

    @property
    def resize(self) -> str:
        """The name of the rule."""
        return self.data.resize
