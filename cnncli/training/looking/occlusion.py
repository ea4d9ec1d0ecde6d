"""How what a head says changes where a part of the image is hidden.

M. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks", 2014, section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from cnncli.analysis.looking import hulls
from cnncli.analysis.space.receptive_field import Axis
from cnncli.diagnostics import usage_error
from cnncli.training.evaluate import evaluation_batch
from cnncli.training.looking.goals import Goal
from cnncli.training.looking.opened import Opened
from cnncli.training.pictures.heat import Place

Hull: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""The first row and the one after the last, and the same of columns."""


class Windows(NamedTuple):
    """Parts of an image that are hidden one after another, ``rows`` x ``columns`` of them, row by row.

    ``place`` is where the map of them lies: each cell is as large as the step to the next, around the middle
    of its window.
    """

    hulls: tuple[Hull, ...]
    rows: int
    columns: int
    place: Place


def windows_of_layer(axes: tuple[Axis, ...], shape: Sequence[int], sides: Sequence[int]) -> Windows:
    """Return what each position of a layer [height, width] sees of an image, cut to the image."""
    found = []
    for position in product(*map(range, shape)):
        (top, bottom), (left, right) = hulls(axes, position)
        found.append(((max(top, 0), min(bottom, sides[0])), (max(left, 0), min(right, sides[1]))))
    return Windows(tuple(found), shape[0], shape[1], place_of(axes, shape, sides))


def windows_of_size(window: int, stride: int, sides: Sequence[int]) -> Windows:
    """Return windows of a size at every multiple of a stride that fit into an image.

    Raises:
        UsageError: they are larger than the image, or empty.
    """
    if not (1 <= window <= min(sides) and stride >= 1):
        expected = f"a window of 1 to {min(sides)} pixels, and a stride of 1 or more"
        received = f"a window of {window}, a stride of {stride}"
        raise usage_error("nothing can be hidden like this", expected=expected, received=received)
    starts = [range(0, side - window + 1, stride) for side in sides]
    found = [((top, top + window), (left, left + window)) for top, left in product(*starts)]
    first = (window - 1) / 2 - stride / 2
    ends = [first + len(each) * stride for each in starts]
    return Windows(tuple(found), len(starts[0]), len(starts[1]), Place(first, ends[0], first, ends[1]))


def place_of(axes: tuple[Axis, ...] | None, shape: Sequence[int], sides: Sequence[int]) -> Place:
    """Return where a map [height, width] lies in an image of these sides.

    Its positions are in the middle of what they see, and as far apart as the layer's jump. Where paths differ
    in that, or a position sees everything, the map is as large as the image.
    """
    ends = []
    for number, (count, side) in enumerate(zip(shape, sides, strict=True)):
        axis = None if axes is None else axes[number]
        if axis is None or axis.jump is None or axis.center is None:
            ends += [-0.5, side - 0.5]
        else:
            first = float(axis.center - axis.jump / 2)
            ends += [first, first + count * float(axis.jump)]
    return Place(*ends)


def occlusion(opened: Opened, goal: Goal, inputs: Tensor, windows: Windows) -> Tensor:
    """Return what is shown of a goal for an image, [1, *input], with each window hidden: [rows, columns].

    What is hidden is 0 after normalization: the mean of the training images.
    """
    node = opened.trained.outputs[goal.head].node
    values = opened.values_with_logits([node])
    step, found = evaluation_batch(inputs[0].numel(), opened.device), []
    with torch.inference_mode():
        for start in range(0, len(windows.hulls), step):
            some = windows.hulls[start : start + step]
            hidden = inputs.repeat(len(some), 1, 1, 1)
            for image, ((top, bottom), (left, right)) in zip(hidden, some, strict=True):
                image[:, top:bottom, left:right] = 0
            found.append(goal.shown(values(hidden)[node]))
    return torch.cat(found).reshape(windows.rows, windows.columns).cpu()
