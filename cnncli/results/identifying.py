"""Which network a file of weights is one of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Match(NamedTuple):
    """The tensors of a file beside those of a spec with these variables.

    ``variables`` are those that differ from the spec's own values, ``channels`` the channels of the input
    if they do. ``moves`` are names in the file with what they are in the network. ``reshaped`` has the shapes
    in the file and in the network; ``missing`` and ``left_over`` are the tensors that only the network and
    only the file have. ``ambiguous`` has layers of the file, each with the layers of the network that it may
    be.
    """

    spec: str
    variables: Mapping[str, int | bool]
    channels: int | None
    moves: Mapping[str, str]
    matched: int
    reshaped: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    missing: Mapping[str, tuple[int, ...]]
    left_over: Mapping[str, tuple[int, ...]]
    ambiguous: Mapping[str, tuple[str, ...]]

    @property
    def is_whole(self) -> bool:
        """Whether every tensor of the one is one of the other."""
        return not (self.reshaped or self.missing or self.left_over)

    @property
    def share(self) -> float:
        """The tensors that are equal in name and shape, as a share of all of both."""
        return self.matched / max(1, self.matched + self.differing)

    @property
    def differing(self) -> int:
        """The number of tensors that are not those of the other."""
        return len(self.reshaped) + len(self.missing) + len(self.left_over)


class Identified(NamedTuple):
    """The network that fits a file best, and ``others`` that fit it as well."""

    file: str
    tensors: int
    parameters: int
    best: Match
    others: tuple[Match, ...]
