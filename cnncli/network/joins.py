"""Joins: modules that take as many tensors as there are branches."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from cnncli.layers.joins import Add, Concat, Join, Multiply
from cnncli.network.padding import pad
from cnncli.network.registry import Sizes, builder


class Joined(nn.Module):
    """Brings its branches to one size where they differ, then combines them."""

    def __init__(self, kind: Join, combine: Callable[[tuple[Tensor, ...]], Tensor]) -> None:
        super().__init__()
        self.kind = kind
        self.combine = combine

    def forward(self, *branches: Tensor) -> Tensor:
        return self.combine(branches if self.kind.align == "exact" else self._fitted(branches))

    def _fitted(self, branches: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        shapes = tuple(tuple(branch.shape[1:]) for branch in branches)
        sizes = self.kind.fitted(shapes)
        margins: list[Any] = [self.kind.margins(shape, sizes) for shape in shapes]
        return tuple(pad(branch, each) for branch, each in zip(branches, margins, strict=True))


@builder(Concat)
def concat(kind: Concat, x: tuple[Sizes, ...]) -> nn.Module:
    """Along the channels or features."""
    return Joined(kind, _concat)


@builder(Add)
def add(kind: Add, x: tuple[Sizes, ...]) -> nn.Module:
    """Branch after branch."""
    return Joined(kind, _add)


@builder(Multiply)
def multiply(kind: Multiply, x: tuple[Sizes, ...]) -> nn.Module:
    """Branch after branch; one of a single position is spread over all."""
    return Joined(kind, _multiply)


def _concat(branches: tuple[Tensor, ...]) -> Tensor:
    return torch.cat(branches, 1)


def _add(branches: tuple[Tensor, ...]) -> Tensor:
    return reduce(torch.add, branches)


def _multiply(branches: tuple[Tensor, ...]) -> Tensor:
    return reduce(torch.mul, branches)
