"""Measure the transforms on batches of 128x1x28x28 and 32x3x224x224, on one thread of a CPU.

    python benchmarks/transforms.py --rounds 15

Medians of interleaved rounds, in milliseconds a batch: first the two ways to crop and to flip beside a loop
over all shifts with masks (as in K. Jordan's airbench), then every transform with its defaults, and three
warps as one reading and as three; then crops and flips of sizes in between, and the draws of an epoch. The
goal: of both ways to crop and to flip, the faster one is chosen for the two sizes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.recipe.transforms import TRANSFORMS, Rotate, Scale, Shear
from cnncli.training.transforms import Pipeline
from cnncli.training.transforms.copies import (
    cut_one_by_one,
    cut_out,
    mirrored,
    mirrored_one_by_one,
    one_by_one_is_faster,
)

SHAPES: Final = ((128, 1, 28, 28), (32, 3, 224, 224))
BETWEEN: Final = ((128, 3, 32, 32), (128, 3, 48, 48))
"""Sizes around the one from which on images are copied one by one."""
SAMPLES: Final = 50_000
PADDING: Final = 4


def masked(images: Tensor, corners: Tensor) -> Tensor:
    """Crop by a loop over all rows and then all columns, each with a mask of the images that begin there."""
    height, width = images.shape[2:]
    padded = functional.pad(images, (PADDING,) * 4)
    rows = torch.empty(*images.shape[:2], height, padded.shape[3])
    result = torch.empty_like(images)
    for first in range(2 * PADDING + 1):
        chosen = corners[:, 0] == first
        rows[chosen] = padded[chosen, :, first : first + height]
    for first in range(2 * PADDING + 1):
        chosen = corners[:, 1] == first
        result[chosen] = rows[chosen, :, :, first : first + width]
    return result


def medians(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each call over interleaved rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - begun)
    return {name: 1000 * statistics.median(found) for name, found in seconds.items()}


def show(title: str, found: Mapping[str, float]) -> None:
    """Print the rows of a table."""
    for name, milliseconds in found.items():
        print(f"| {title} | {name} | {milliseconds:.2f} |", flush=True)


def copies(images: Tensor, rounds: int) -> bool:
    """Measure both ways to crop and to flip; return whether the faster ones are chosen."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.randint(0, 2 * PADDING + 1, (len(images), 2), generator=generator)
    chosen = torch.rand(len(images), generator=generator) < 0.5
    assert torch.equal(masked(images, corners), cut_out(images, corners, PADDING, 0.0))
    crops = {
        "by an index": partial(cut_out, images, corners, PADDING, 0.0),
        "one by one": partial(cut_one_by_one, images, corners, PADDING, 0.0),
        "by masks": partial(masked, images, corners),
    }
    flips = {
        "by an index": partial(mirrored, images, chosen, -1),
        "one by one": partial(mirrored_one_by_one, images, chosen, -1),
    }
    met = True
    for title, calls in (("crop", crops), ("flip", flips)):
        found = medians(calls, rounds)
        show(title, found)
        met &= one_by_one_is_faster(images) == (found["one by one"] < found["by an index"])
    return met


def every(images: Tensor, rounds: int) -> None:
    """Measure all transforms with their defaults, and three warps together and apart."""
    calls: dict[str, Callable[[], object]] = {}
    for name, kind in TRANSFORMS.items():
        transform = kind()
        if not transform.lacks(images.shape[1:]):
            pipeline = Pipeline([transform])
            calls[name] = partial(pipeline, images, pipeline.table(len(images), 0, 0))
    together = Pipeline([Rotate(), Scale(), Shear()])
    apart = Pipeline([Rotate(), Scale(fill=0.1), Shear()])
    for name, pipeline in (("rotate, scale, shear", together), ("the same, read three times", apart)):
        calls[name] = partial(pipeline, images, pipeline.table(len(images), 0, 0))
    show("all", medians(calls, rounds))


def main() -> None:
    """Measure, print, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    met = True
    for shape in SHAPES:
        print(f"\n{'x'.join(map(str, shape))}")
        images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        met &= copies(images, rounds)
        every(images, rounds)
    for shape in BETWEEN:
        print(f"\n{'x'.join(map(str, shape))}")
        copies(torch.rand(shape, generator=torch.Generator().manual_seed(1)), rounds)
    print()
    whole = Pipeline([kind() for kind in TRANSFORMS.values()])
    draws = {f"{SAMPLES:,} samples, all transforms": partial(whole.table, SAMPLES, 0, 0)}
    show("draws", medians(draws, rounds))
    if not met:
        sys.exit("the way that is chosen to crop or to flip is not the faster one")


if __name__ == "__main__":
    main()
