"""The course of a training: the sizes of its images from stage to stage, and the FLOPs that it takes.

What is computed again in the backward pass, to need less memory, does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Final, NamedTuple, Protocol

from cnncli.algebra import symbol, symbols_of, whole, whole_shape
from cnncli.algebra.size_sets import SizeSet
from cnncli.analysis.costs.figures import STEP_PASSES, costs
from cnncli.analysis.sizes import valid_sizes
from cnncli.diagnostics import listing, usage_error
from cnncli.graph import Graph
from cnncli.graph.input import Size
from cnncli.layers import shape_text
from cnncli.recipe.resolution import STAGES, Resolution, epochs_of, stage_of

_PICTURE_AXES: Final = 2
_SIDE: Final = "H"
"""The size along all axes, as a symbol."""


class Course(NamedTuple):
    """The FLOPs of a sample's forward pass in training, and the size of the images, in each stage.

    ``sizes`` is empty, and there is one stage, if all images have the size of the input.
    """

    flops: tuple[int, ...]
    sizes: tuple[int, ...] = ()

    def stage(self, epoch: int, epochs: int) -> int:
        """Return the stage of an epoch; epochs count from 0."""
        return stage_of(epoch, epochs) if self.sizes else 0

    def size_of(self, stage: int) -> int | None:
        """Return the size of the images in a stage; None if it is that of the input."""
        return self.sizes[stage] if self.sizes else None

    def size(self, epoch: int, epochs: int) -> int | None:
        """Return the size of the images in an epoch; None if it is that of the input."""
        return self.size_of(self.stage(epoch, epochs))

    def epochs(self, stage: int, epochs: int) -> int:
        """Return how many of the epochs are in a stage."""
        return epochs_of(stage, epochs) if self.sizes else epochs

    def sample(self, epoch: int, epochs: int) -> int:
        """Return the FLOPs of training on a sample in an epoch."""
        return STEP_PASSES * self.flops[self.stage(epoch, epochs)]

    def total(self, epochs: int) -> int:
        """Return the FLOPs of training on a sample in all epochs."""
        return STEP_PASSES * sum(self.epochs(stage, epochs) * flops for stage, flops in enumerate(self.flops))

    def ends(self, bounds: Sequence[tuple[int, int]], flops: int | None) -> int:
        """Return the batches of the last epoch of a training of these FLOPs; None for whole epochs."""
        return len(bounds) if flops is None else length(self, bounds, flops).batches


class Length(NamedTuple):
    """How long a training is: epochs, and the batches of the last one."""

    epochs: int
    batches: int


def length(course: Course, bounds: Sequence[tuple[int, int]], flops: int) -> Length:
    """Return the shortest training that takes at least as many FLOPs.

    Args:
        course: the FLOPs of a sample.
        bounds: start and end of each batch of an epoch.
        flops: those of the whole training.
    """
    count = bounds[-1][1]
    most = 1
    while count * course.total(most) < flops:
        most *= 2
    least = most // 2 + 1 if most > 1 else 1
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if count * course.total(middle) >= flops else (middle + 1, most)
    each = course.sample(most - 1, most)
    left = flops - count * (course.total(most) - each)
    needed = (number for number, (_, end) in enumerate(bounds, 1) if end * each >= left)
    return Length(most, next(needed))


class Reopen(Protocol):
    """Opens the spec of a training with another input size."""

    def __call__(self, size: Size) -> Graph: ...


def course(graph: Graph, resolution: Resolution | None, reopen: Reopen) -> Course:
    """Return the course of a training of a graph whose sizes are numbers.

    Raises:
        UsageError: the input is not as large along all axes, its size is not ``resolution.to``, or the
            network cannot be trained on other sizes.
        SpecError: a shape has no single formula for all sizes.
    """
    if resolution is None:
        return Course((_flops(graph),))
    channels, *axes = whole_shape(graph.input)
    to = _largest(graph, axes, resolution)
    every = reopen(lambda shape: (shape[0], *(symbol(_SIDE) for _ in shape[1:])))
    _check_independent(every)
    accepted = _accepted(every, resolution.from_)
    sizes = tuple(_nearest(accepted, resolution.size(stage, to)) for stage in range(STAGES))
    found = {size: _flops(reopen((channels, *(size for _ in axes)))) for size in {*sizes}}
    return Course(tuple(found[size] for size in sizes), sizes)


def _flops(graph: Graph) -> int:
    """Return the FLOPs of a sample's forward pass in training."""
    return whole(costs(graph).training_totals.flops)


def _largest(graph: Graph, axes: Sequence[int], resolution: Resolution) -> int:
    """Return the size of the input, which is that of the last images.

    Raises:
        UsageError: it has no such size, or another one.
    """
    received = shape_text(graph.input)
    if len(axes) != _PICTURE_AXES or axes[0] != axes[1]:
        raise usage_error(
            "train.resolution needs square images", expected="an input such as 3x160x160", received=received
        )
    to = axes[0]
    if resolution.to not in (None, to):
        raise usage_error(
            f"train.resolution ends at {resolution.to}, but the input has another size",
            expected=f"train.resolution.to={to}",
            received=received,
            hint="evaluation is at the size of the input; a spec that extends this one can have another",
        )
    if resolution.from_ >= to:
        raise usage_error(
            "the size of the images does not rise",
            expected=f"a train.resolution.from of less than {to}, the size of the input",
            received=str(resolution.from_),
        )
    return to


def _check_independent(every: Graph) -> None:
    """Check that neither weights nor outputs have another shape for other sizes.

    Raises:
        UsageError: one has.
    """
    for node in every.nodes:
        for name, shape in {**node.parameters, **node.buffers}.items():
            if any(map(symbols_of, shape)):
                raise usage_error(
                    f"train.resolution: {name} of '{node.name}' depends on the size of the input",
                    expected="weights of the same shape for all sizes, as after globalavgpool",
                    received=shape_text(shape),
                )
    for name, output in every.outputs.items():
        if any(map(symbols_of, output.shape)):
            raise usage_error(
                f"train.resolution: the size of the output '{name}' follows that of the images",
                expected="outputs of the same shape for all sizes, as their targets are",
                received=shape_text(output.shape),
            )


def _accepted(every: Graph, first: int) -> SizeSet:
    """Return the sizes that the network accepts along all axes.

    Raises:
        UsageError: the ``first`` size is not one of them, or it is not known which they are.
    """
    found = valid_sizes(every)
    if found.open_bounds:
        bound = found.open_bounds[0]
        raise usage_error(
            f"train.resolution: it cannot be decided which sizes '{bound.node}' accepts",
            expected=bound.expected,
        )
    axis = found.axes[0]  # the others have the same symbol
    if first in axis.sizes:
        return axis.sizes
    around = [size for size in (axis.sizes.at_most(first), axis.sizes.at_least(first)) if size is not None]
    reasons = [f"{bound.node}: {bound.message}" for bound in axis.binding]
    raise usage_error(
        f"train.resolution: the network does not accept images of size {first}",
        expected=listing([*map(str, around)], last=" or "),
        received=str(first),
        hint=reasons[0] if reasons else "",
    )


def _nearest(sizes: SizeSet, wanted: Fraction) -> int:
    """Return the nearest of the sizes, the smaller one of two."""
    around = (sizes.at_most(floor(wanted)), sizes.at_least(ceil(wanted)))
    return min((size for size in around if size is not None), key=lambda size: abs(size - wanted))
