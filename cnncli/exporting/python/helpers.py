"""The text of functions and classes that an exported module contains if it uses them.

They compute what torch has no module for; a contract test compares each with the network's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from cnncli.exporting.python.texts import conv, joins, layers, padding, pooling
from cnncli.layers.prototypes import DIGITS


def _pictures() -> str:
    """Return the ten pictures beside one another."""
    digits = [picture.split() for picture in DIGITS]
    return "\n".join(f"    {' '.join(row)}" for row in zip(*digits, strict=True))


def _ranked(name: str, text: str, needs: tuple[str, ...]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return a helper for each number of spatial axes."""
    found = {}
    for rank in (1, 2, 3):
        sizes = ", ".join(["int"] * rank)
        size = f"int | tuple[{sizes}]" if rank > 1 else "int | tuple[int]"
        axes = ", ".join(str(2 + axis) for axis in range(rank))
        written = text.replace("{rank}", str(rank)).replace("{size}", size).replace("{norm}", str(rank))
        written = written.replace("{axes}", axes).replace("{ones}", ", ".join(["1"] * rank))
        found[name.format(rank)] = (written, needs)
    return found


HELPERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "Pads": (padding.ALIASES, ()),
    "pad": (padding.PAD, ("Pads",)),
    **_ranked("PaddedConv{}d", conv.PADDED_CONV, ("pad",)),
    **_ranked("TableConv{}d", conv.TABLE_CONV, ("pad",)),
    **_ranked("CutConvTranspose{}d", conv.CUT_CONV, ()),
    **_ranked("shortcut{}d", conv.SHORTCUT, ()),
    "PaddedShortcut": (conv.PADDED_SHORTCUT, ()),
    "max_pool": (pooling.MAX_POOL, ()),
    "avg_pool": (pooling.AVG_POOL, ()),
    "SlidingPool": (pooling.SLIDING, ("pad",)),
    "PaddedMaxPool": (pooling.PADDED_MAX_POOL, ("max_pool", "SlidingPool")),
    "MinPool": (pooling.MIN_POOL, ("max_pool", "SlidingPool")),
    "MedianPool": (pooling.MEDIAN_POOL, ("SlidingPool",)),
    "PaddedAvgPool": (pooling.PADDED_AVG_POOL, ("avg_pool", "SlidingPool")),
    "Subsample": (pooling.SUBSAMPLE, ("avg_pool",)),
    "GlobalAvgPool": (pooling.GLOBAL.format(name="Avg", what="mean", function="mean"), ()),
    "GlobalMaxPool": (pooling.GLOBAL.format(name="Max", what="largest value", function="amax"), ()),
    "ScaledTanh": (layers.SCALED_TANH, ()),
    "ChannelNorm": (layers.CHANNEL_NORM, ()),
    "SampleNorm": (layers.SAMPLE_NORM, ()),
    "DigitDistances": (layers.DISTANCES.replace("{pictures}", _pictures()), ()),
    "squash": (layers.SQUASH, ()),
    "Capsules": (layers.CAPSULES, ("squash",)),
    "CapsuleLengths": (layers.CAPSULE_LENGTHS, ("squash",)),
    "LongestCapsule": (layers.LONGEST, ("squash",)),
    "DropPath": (layers.DROP_PATH, ()),
    "GaussianNoise": (layers.NOISE, ()),
    "Reshape": (layers.RESHAPE, ()),
    "ChannelShuffle": (layers.SHUFFLE, ()),
    "Pad": (padding.PAD_MODULE, ("pad",)),
    "resized": (joins.RESIZED, ()),
    "cropped": (joins.CROPPED, ("resized",)),
    "padded": (joins.PADDED, ("resized",)),
    "product": (joins.SCALED, ("resized",)),
    "cut_as": (joins.CUT_AS, ()),
    "nearest_as": (joins.NEAREST_AS, ()),
}
"""For each helper its text, and the helpers that it needs."""


def helpers(used: Iterable[str]) -> Iterator[str]:
    """Yield the texts of helpers and of what they need, each once, in an order in which they can be read."""
    needed = _closure(used)
    for name, (text, _) in HELPERS.items():
        if name in needed:
            yield text.strip("\n")


def _closure(used: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = [name for name in used if name in HELPERS]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += HELPERS[name][1]
    return found
