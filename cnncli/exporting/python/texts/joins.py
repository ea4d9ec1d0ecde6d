"""Joins of branches of different sizes."""

from __future__ import annotations

from typing import Final

RESIZED: Final = '''
def resized(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Cut or pad a map to sizes, centered; the odd position is at the end."""
    amounts: list[int] = []
    for n, size in zip(reversed(x.shape[2:]), reversed(sizes)):
        before = (size - n) // 2 if size > n else -((n - size) // 2)
        amounts += [before, size - n - before]
    return functional.pad(x, amounts)
'''

CROPPED: Final = '''
def cropped(maps: Sequence[Tensor]) -> list[Tensor]:
    """Return maps that are cut to their smallest sizes."""
    sizes = [min(n) for n in zip(*(x.shape[2:] for x in maps))]
    return [resized(x, sizes) for x in maps]
'''

PADDED: Final = '''
def padded(maps: Sequence[Tensor]) -> list[Tensor]:
    """Return maps that are padded to their largest sizes."""
    sizes = [max(n) for n in zip(*(x.shape[2:] for x in maps))]
    return [resized(x, sizes) for x in maps]
'''

SCALED: Final = '''
def is_scale(x: Tensor) -> bool:
    """Return whether a map has one position."""
    return x.dim() > 2 and x[0, 0].numel() == 1


def product(branches: Sequence[Tensor], *, largest: bool) -> Tensor:
    """Return the product of maps of a common size and of scales of channels."""
    maps = [x for x in branches if not is_scale(x)] or branches
    pick = max if largest else min
    sizes = [pick(n) for n in zip(*(x.shape[2:] for x in maps))]
    y, *others = [x if is_scale(x) else resized(x, sizes) for x in branches]
    for x in others:
        y = y * x
    return y
'''

CUT_AS: Final = '''
def cut_as(x: Tensor, other: Tensor) -> Tensor:
    """Return a map cut at the end to the sizes of another one."""
    return x[(..., *(slice(n) for n in other.shape[2:]))]
'''

NEAREST_AS: Final = '''
def nearest_as(x: Tensor, other: Tensor) -> Tensor:
    """Return the nearest positions of a map for the sizes of another one."""
    return functional.interpolate(x, list(other.shape[2:]), mode="nearest-exact")
'''
