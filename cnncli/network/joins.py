"""Joins: modules that take a list of tensors, one for each branch."""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from cnncli.layers.joins import Add, Concat, Join, MatchSize, Multiply
from cnncli.network.padding import pad
from cnncli.network.registry import Sizes, builder

# This function depends on sizes, which torch.fx does not know, so calls are recorded as they are.
fx.wrap("aligned")
fx.wrap("matched")


class Joined(nn.Module):
    """A join that first aligns the sizes of its branches, if required."""

    def __init__(self, layer: Join) -> None:
        super().__init__()
        self.align = layer.align
        self.scales = isinstance(layer, Multiply)

    def parts(self, branches: list[Tensor]) -> list[Tensor]:
        """Return the branches with equal sizes.

        Raises:
            TypeError: a tensor instead of a list, as in ``nn.Sequential``: iterating over it would join the
                samples of a batch.
        """
        if isinstance(branches, Tensor):
            raise TypeError("a join takes a list with one tensor for each branch, not a tensor")
        return branches if self.align == "exact" else aligned(branches, self.align, self.scales)


class Concatenated(Joined):
    """Concatenation along the channels or features."""

    def forward(self, branches: list[Tensor]) -> Tensor:
        parts = self.parts(branches)
        return torch.cat(parts, 1)


class Summed(Joined):
    """The sum, branch after branch."""

    def forward(self, branches: list[Tensor]) -> Tensor:
        parts = self.parts(branches)
        y = parts[0]
        for place in range(1, len(branches)):
            y = y + parts[place]
        return y


class Multiplied(Joined):
    """The product, branch after branch; a branch with a single position is broadcast."""

    def forward(self, branches: list[Tensor]) -> Tensor:
        parts = self.parts(branches)
        y = parts[0]
        for place in range(1, len(branches)):
            y = y * parts[place]
        return y


class Matched(nn.Module):
    """The first tensor with the sizes of the second one."""

    def __init__(self, layer: MatchSize) -> None:
        super().__init__()
        self.nearest = layer.mode == "nearest"

    def forward(self, branches: list[Tensor]) -> Tensor:
        return matched(branches, self.nearest)


def matched(branches: list[Tensor], nearest: bool) -> Tensor:
    """Return the first tensor with the sizes of the second: cut off at the end, or the nearest positions."""
    x, sizes = branches[0], branches[1].shape[2:]
    if nearest:
        return functional.interpolate(x, size=sizes, mode="nearest-exact")
    cuts: list[tuple[int, int]] = []
    for axis, size in enumerate(sizes):
        cuts.append((0, size - x.shape[axis + 2]))
    return pad(x, cuts)


def aligned(branches: list[Tensor], align: str, scales: bool) -> list[Tensor]:
    """Return the branches cut to the smallest size (``crop``) or padded to the largest (``pad``), centered.

    ``scales``: a branch with a single position is a scale and is not changed, unless all branches are. This
    repeats :meth:`Join.margins` for TorchScript and the sizes at run time; a test compares the two.
    """
    maps: list[Tensor] = []
    for branch in branches:
        if not (scales and _is_scale(branch)):
            maps.append(branch)  # noqa: PERF401 - TorchScript has no comprehension with a condition
    if len(maps) == 0:
        maps = branches
    parts: list[Tensor] = []
    for branch in branches:
        if scales and _is_scale(branch):
            parts.append(branch)
        else:
            parts.append(_aligned(branch, maps, align))
    return parts


def _aligned(branch: Tensor, maps: list[Tensor], align: str) -> Tensor:
    margins: list[tuple[int, int]] = []
    for axis in range(2, branch.dim()):
        sizes = [each.shape[axis] for each in maps]
        if align == "pad":
            gap = max(sizes) - branch.shape[axis]
            margins.append((gap // 2, gap - gap // 2))
        else:
            cut = branch.shape[axis] - min(sizes)
            margins.append((-(cut // 2), -(cut - cut // 2)))
    return pad(branch, margins)


def _is_scale(branch: Tensor) -> bool:
    """Return whether a branch has a single position."""
    single = branch.dim() > 2
    for axis in range(2, branch.dim()):
        single = single and branch.shape[axis] == 1
    return single


@builder(Concat)
def concat(layer: Concat, input_shape: tuple[Sizes, ...]) -> nn.Module:
    """Return a concatenation."""
    return Concatenated(layer)


@builder(Add)
def add(layer: Add, input_shape: tuple[Sizes, ...]) -> nn.Module:
    """Return a sum."""
    return Summed(layer)


@builder(Multiply)
def multiply(layer: Multiply, input_shape: tuple[Sizes, ...]) -> nn.Module:
    """Return a product."""
    return Multiplied(layer)


@builder(MatchSize)
def matchsize(layer: MatchSize, input_shape: tuple[Sizes, ...]) -> nn.Module:
    """Return a module that reads the sizes when it runs."""
    return Matched(layer)
