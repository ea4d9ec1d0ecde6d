"""Receptive fields: which input positions an output position reads.

For every spatial axis of the input: the size, the step between neighbors, and the center of what the first
output reads. As in Araujo, Norris and Sim (Computing receptive fields of convolutional neural networks,
Distill, 2019), the input has no ends, so padding neither adds nor removes positions. Their equations are for
chains of convolutions and poolings; :mod:`cnncli.analysis.space.tracks` extends them to transposed
convolutions, whose outputs lie between input positions, and to paths that differ.

With every layer the size grows by (kernel - 1) times the jump so far, and the jump is multiplied by the
stride. Three 3x3 convolutions see 7 positions, as Simonyan and Zisserman (2014) argue for VGG; after a
pooling each further one adds twice as much:

>>> from cnncli.graph import open_text
>>> conv = "conv: {channels: 8, kernel: 3, padding: same}"
>>> spec = f"{{input: [3, 32, 32], layers: [{conv}, {conv}, {conv}, maxpool: 2, {conv}]}}"
>>> for name, field in receptive_fields(open_text(spec).graph).items():
...     height = field.axes[0]
...     print(f"{name:8} size {height.size:2}, jump {height.jump}, center {height.center}")
input    size  1, jump 1, center 0
conv1    size  3, jump 1, center 0
conv2    size  5, jump 1, center 0
conv3    size  7, jump 1, center 0
maxpool1 size  8, jump 2, center 1/2
conv4    size 12, jump 2, center 1/2
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from cnncli.algebra import whole_shape
from cnncli.analysis.space.large import too_large
from cnncli.analysis.space.tracks import Hull, PeriodError, Track, hull_at, joined, largest
from cnncli.diagnostics import Diagnostic, LimitError
from cnncli.graph import Graph, Node
from cnncli.language.description import INPUT
from cnncli.layers import EACH, SCRAMBLED
from cnncli.layers.geometry.axis import AnyWindow
from cnncli.layers.geometry.sliding import axis_name
from cnncli.layers.geometry.window import POINT
from cnncli.limits import MAX_EXACT, MAX_TRACK_PERIOD

_SELF: Final = Track(1, ((0, 0),))


class Axis(NamedTuple):
    """What a node's positions read along one axis of the input, in input positions.

    ``size`` is the number of positions from the first to the last that one output reads, the maximum over
    all outputs. ``jump`` is the distance between neighbors; None if paths differ in it. ``center`` is the
    middle of what the first output reads, counted from the middle of the first input position; with several
    phases, the mean over a period; None if paths differ in jump or nothing is read. ``clear`` are the outputs
    that no padding on any path contributes to.
    """

    tracks: tuple[Track, ...]
    size: int
    jump: Fraction | None
    center: Fraction | None
    clear: range

    def reads(self, position: int) -> Hull:
        """Return the first and last input position that an output reads, ignoring the ends of the input."""
        return hull_at(self.tracks, position)


class Uneven(NamedTuple):
    """The node at which outputs begin to see parts of the input that differ in shape, and why."""

    node: str
    reason: str


class Field(NamedTuple):
    """A node's receptive field, axis by axis.

    ``axes`` is None if positions do not correspond to positions of the input. ``values`` are then the sizes
    of what a single value sees, as after ``flatten``; None if every value sees the whole input. ``uneven`` is
    the first node whose branches differ in jump or center, or whose windows differ in length.
    """

    axes: tuple[Axis, ...] | None
    uneven: Uneven | None = None
    values: tuple[int, ...] | None = None


EVERYTHING: Final = Field(None)
"""Every value sees the whole input."""


class _Read(NamedTuple):
    """A branch as a node reads it along one axis: what its positions see, the window, and its size n."""

    axis: Axis
    window: AnyWindow
    n: int


def receptive_fields(graph: Graph) -> Mapping[str, Field]:
    """Return the receptive field of every node, by its name.

    Raises:
        LimitError: what the positions of a node read does not repeat soon enough, or is too far apart.
    """
    fields = {INPUT: Field(tuple(_axis((_SELF,), range(n), n) for n in whole_shape(graph.input[1:])))}
    for node in graph.nodes:
        try:
            field = _field(node, [fields[name] for name in node.sources])
        except PeriodError:
            raise _too_long(node) from None
        except LimitError as error:
            raise error.at(node.name, node.location) from None
        if any(_is_too_large(axis) for axis in field.axes or ()):
            raise too_large(node, "its receptive field")
        fields[node.name] = field
    return fields


def _is_too_large(axis: Axis) -> bool:
    """Return whether the numbers of a receptive field are above what is allowed."""
    return max(axis.size, *(track.advance for track in axis.tracks)) > MAX_EXACT


def _field(node: Node, inputs: Sequence[Field]) -> Field:
    extents = node.layer.extents(node.input_shape)
    if len(inputs) == 1 and extents[0] in (EACH, SCRAMBLED):
        return inputs[0] if extents[0] is EACH else _scrambled(inputs[0], len(node.output_shape) - 1)
    along = list(zip(inputs, extents, node.input_shapes[: len(inputs)], strict=True))
    uneven = next((field.uneven for field in inputs if field.uneven is not None), None)
    counts = whole_shape(node.output_shape[1:])
    read = [
        [_Read(*each) for each in zip(field.axes, windows, whole_shape(shape[1:]), strict=True)]
        for field, windows, shape in along
        if field.axes is not None and isinstance(windows, tuple)
    ]
    if len(read) < len(inputs):
        # This layer or an earlier one reads every position, or several values of a scrambled map. Where
        # the latter come from depends on all sizes, so they count as the whole input.
        return EVERYTHING
    seen = [_seen(each, counts) for each in read]
    axes: list[Axis] = []
    before: tuple[tuple[_Read, ...], tuple[Axis, ...]] | None = None
    for axis, both in enumerate(zip(zip(*read, strict=True), zip(*seen, strict=True), strict=True)):
        if both == before:
            axes.append(axes[-1])  # most maps are square
            continue
        before = both
        reads, views = both
        axes.append(_union([view for view in views if view.size] or views[:1], counts[axis]))
        uneven = uneven or _unevenness(node, axis, reads, views)
    return Field(tuple(axes), uneven)


def _scrambled(field: Field, rank: int) -> Field:
    """Return the field of a map with ``rank`` axes after positions have been scrambled.

    A vector has no positions: each of its values is itself, and in a map it has a position by accident.
    """
    if () in (field.axes, field.values):
        return Field(None, field.uneven, ()) if rank else Field((), field.uneven)
    if field.axes is None:
        return field
    return Field(None, field.uneven, tuple(axis.size for axis in field.axes))


def _seen(read: Sequence[_Read], counts: Sequence[int]) -> list[Axis]:
    """Return what a node reads of one branch, axis by axis.

    If it reads nothing along one axis, as between the copies of a kernel, it reads nothing at all.
    """
    seen: list[Axis] = []
    for axis, (each, count) in enumerate(zip(read, counts, strict=True)):
        again = axis and each == read[axis - 1] and count == counts[axis - 1]
        seen.append(seen[-1] if again else _through(each, count))
    return seen if all(axis.size for axis in seen) else list(map(_blind, seen))


def _blind(axis: Axis) -> Axis:
    """Return the same axis with nothing read."""
    tracks = tuple(Track(track.advance, (None,) * track.period).reduced() for track in axis.tracks)
    return axis._replace(tracks=tracks, size=0, center=None)


def _through(read: _Read, count: int) -> Axis:
    """Return what ``count`` placements of the window read."""
    axis, window, n = read
    if window == POINT:
        return axis
    tracks = joined([track.through(window, n) for track in axis.tracks])
    clear = window.within(axis.clear, n)
    return _axis(tracks, range(max(clear.start, 0), min(clear.stop, count)), count)


def _union(axes: Sequence[Axis], count: int) -> Axis:
    if len(axes) == 1:
        return axes[0]
    tracks = joined([track for axis in axes for track in axis.tracks])
    clear = range(max(axis.clear.start for axis in axes), min(axis.clear.stop for axis in axes))
    return _axis(tracks, clear, count)


def _axis(tracks: tuple[Track, ...], clear: range, count: int) -> Axis:
    single = tracks[0] if len(tracks) == 1 else None
    return Axis(
        tracks,
        largest(tracks, count),
        single.jump if single else None,
        single.center() if single else None,
        clear,
    )


def _unevenness(node: Node, axis: int, read: Sequence[_Read], seen: Sequence[Axis]) -> Uneven | None:
    """Return why the outputs of a node see parts of the input that differ in shape; None if they do not."""
    where = axis_name(axis, len(node.output_shape) - 1)
    if not all(window.even(n) for _, window, n in read):
        return Uneven(node.name, f"its windows differ in length along {where}")
    jumps = [each.jump for each in seen if each.jump is not None]
    if len(set(jumps)) > 1:
        steps = _listed(sorted(set(jumps)))
        return Uneven(node.name, f"its branches step by {steps} input positions along {where}")
    centers = [each.center for each in seen if each.center is not None]
    if len(set(centers)) > 1:
        apart = max(centers) - min(centers)
        return Uneven(node.name, f"its branches are centered {apart} input positions apart along {where}")
    return None


def _listed(steps: Sequence[Fraction]) -> str:
    return " and ".join(map(str, steps))


def _too_long(node: Node) -> LimitError:
    message = f"{node.name}: the pattern of what its positions read is too long"
    expected = f"a pattern that repeats within {MAX_TRACK_PERIOD} positions"
    hint = "use smaller strides and upsampling factors"
    return LimitError(Diagnostic("limit", message, node.location, expected, hint=hint))
