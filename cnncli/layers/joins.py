"""Joins: layers that combine several branches into one tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from cnncli.algebra import Dim, known, largest, product, same, smallest, whole
from cnncli.language.fields import arg
from cnncli.language.readers import Choice
from cnncli.layers.geometry.axis import AnyWindow
from cnncli.layers.geometry.resampling import Resampled, Spread
from cnncli.layers.geometry.sliding import axis_name
from cnncli.layers.geometry.window import POINT, Window
from cnncli.layers.kind import NONE, Example, Kind, Require, Shape, Tensors, is_point, shape_text
from cnncli.layers.registry import layer

Shapes = tuple[Shape, ...]

_KEEP_MAPS: Final = (
    "'globalavgpool: {keepdims: true}' and 'conv' with kernel 1 in place of 'linear' keep a map with one "
    "position, which scales each channel in a 'multiply'; 'flatten' makes a vector of a map"
)


class Join(Kind[Shapes]):
    """A kind that reads several branches; ``input_shape`` is the tuple of their shapes."""

    align: str = arg(
        Choice("exact", "crop", "pad"),
        "if sizes differ: an error, or crop to the smallest, or pad to the largest, centered",
        default="exact",
    )

    joins = True

    def aligned(self, input_shape: Shapes) -> tuple[Dim, ...]:
        """Return the spatial sizes of the result."""
        pick = largest if self.align == "pad" else smallest
        return tuple(pick(sizes) for sizes in zip(*(shape[1:] for shape in input_shape), strict=True))

    def margins(self, shape: Shape, sizes: tuple[Dim, ...]) -> tuple[tuple[Dim, Dim], ...]:
        """Return the positions to add before and after, along each axis, to reach the common size.

        Negative ones crop. The odd one is added, or cut, after.
        """
        pairs = zip(sizes, shape[1:], strict=True)
        if self.align == "pad":
            gaps = [target - n for target, n in pairs]
            return tuple((gap // 2, gap - gap // 2) for gap in gaps)
        cuts = [n - target for target, n in pairs]
        return tuple((-(cut // 2), -(cut - cut // 2)) for cut in cuts)

    def check(self, input_shape: Shapes) -> Iterator[Require]:
        ranks = {len(shape) for shape in input_shape}
        shapes = " and ".join(shape_text(shape) for shape in input_shape)
        yield Require(
            len(ranks) == 1,
            f"the branches of '{self.keyword}' have different numbers of axes",
            "only vectors, or only maps with the same number of axes",
            shapes,
            _KEEP_MAPS if 1 in ranks else "",
        )
        if self.align == "exact":
            yield from self._sizes_agree(input_shape, shapes)

    def _sizes_agree(self, input_shape: Shapes, shapes: str) -> Iterator[Require]:
        rank = len(input_shape[0]) - 1
        for axis in range(rank):
            for shape in input_shape[1:]:
                where = axis_name(axis, rank)
                yield Require(
                    same(shape[axis + 1], input_shape[0][axis + 1]),
                    f"the branches of '{self.keyword}' differ in {where}",
                    f"{input_shape[0][axis + 1]}, as in the first branch",
                    f"{shape[axis + 1]} ({shapes})",
                    self._size_hint(input_shape[0], shape),
                )

    def _size_hint(self, first: Shape, other: Shape) -> str:
        """Return what makes the sizes of two branches equal."""
        return "'align: crop' or 'align: pad' makes their sizes equal"

    def parameters(self, input_shape: Shapes) -> Tensors:
        return NONE

    def macs(self, input_shape: Shapes, output_shape: Shape) -> Dim:
        return 0

    def neurons(self, input_shape: Shapes, output_shape: Shape) -> Dim:
        return 0

    def connections(self, input_shape: Shapes, output_shape: Shape) -> Dim:
        return 0

    def windows(self, input_shape: Shapes) -> tuple[AnyWindow, ...]:
        """Return the windows of the first branch."""
        return self.branches(input_shape)[0]

    def branches(self, input_shape: Shapes) -> tuple[tuple[AnyWindow, ...], ...]:
        """Return the windows of every branch: single positions, displaced by the margins."""
        sizes = self.aligned(input_shape)
        return tuple(tuple(self._placed(shape, sizes)) for shape in input_shape)

    def _placed(self, shape: Shape, sizes: tuple[Dim, ...]) -> Iterator[AnyWindow]:
        for before, after in self.margins(shape, sizes):
            yield Window(1, before=whole(before), after=whole(after))


@layer("concat")
class Concat(Join):
    """Concatenation: the channels (or features) of all branches, one after another."""

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((4, 6, 5), (3, 6, 5), (2, 6, 5))),
        Example("{align: crop}", ((4, 9, 8), (3, 6, 5))),
        Example("{align: pad}", ((4, 9, 4), (3, 6, 5))),
        Example("", ((7,), (5,))),
    )

    def output(self, input_shape: Shapes) -> Shape:
        channels: Dim = 0
        for shape in input_shape:
            channels = channels + shape[0]
        return (channels, *self.aligned(input_shape))

    def operations(self, input_shape: Shapes, output_shape: Shape) -> Dim:
        """None: values are moved, not computed."""
        return 0


class ChannelwiseJoin(Join):
    """A join of branches with the same channels."""

    def check(self, input_shape: Shapes) -> Iterator[Require]:
        yield from super().check(input_shape)
        shapes = " and ".join(shape_text(shape) for shape in input_shape)
        for shape in input_shape[1:]:
            yield Require(
                same(shape[0], input_shape[0][0]),
                f"the branches of '{self.keyword}' differ in channels",
                f"{input_shape[0][0]}, as in the first branch",
                f"{shape[0]} ({shapes})",
                self._channel_hint(input_shape[0], shape),
            )

    def _channel_hint(self, first: Shape, other: Shape) -> str:
        """Return what makes the channels of two branches equal."""
        return "'shortcut' or a 1x1 'conv' changes the channels of a branch"

    def _size_hint(self, first: Shape, other: Shape) -> str:
        if not _differs(first[0], other[0]):
            return super()._size_hint(first, other)
        large, small = sorted((first, other), key=_positions, reverse=True)
        stride = _stride(large[1:], small[1:])
        if stride is None:
            return "channels differ too: 'shortcut' with 'channels' and 'stride' changes both"
        return f"channels differ too: 'shortcut: {{channels: {small[0]}, stride: {stride}}}' changes both"

    def output(self, input_shape: Shapes) -> Shape:
        return (input_shape[0][0], *self.aligned(input_shape))

    def operations(self, input_shape: Shapes, output_shape: Shape) -> Dim:
        """One per value for each branch after the first."""
        return (len(input_shape) - 1) * product(output_shape)


@layer("add")
class Add(ChannelwiseJoin):
    """The sum of all branches: the residual connection (He et al., 2015)."""

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((4, 6, 5), (4, 6, 5))),
        Example("{align: crop}", ((4, 9, 8), (4, 6, 5))),
        Example("", ((7,), (7,), (7,))),
    )


@layer("multiply")
class Multiply(ChannelwiseJoin):
    """The product of all branches: gating.

    A branch with a single position scales whole channels (Hu et al., Squeeze-and-excitation networks, 2018).
    """

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((4, 6, 5), (4, 6, 5))),
        Example("", ((4, 6, 5), (4, 1, 1))),
        Example("{align: pad}", ((4, 9), (4, 6))),
    )

    def _channel_hint(self, first: Shape, other: Shape) -> str:
        gate, gated = sorted((first, other), key=lambda shape: shape[0] != 1)
        if gate[0] != 1 or not _differs(gated[0], 1):
            return super()._channel_hint(first, other)
        return (
            "one channel does not scale the others: a gate needs as many as what it scales, as from "
            f"'conv: {{channels: {gated[0]}, kernel: 1}}'"
        )

    def _sizes_agree(self, input_shape: Shapes, shapes: str) -> Iterator[Require]:
        maps = tuple(shape for shape in input_shape if not is_scale(shape)) or input_shape
        for requirement in super()._sizes_agree(maps, shapes):
            if not known(requirement.holds):
                _refuse_possible_scales(maps)
            yield requirement

    def aligned(self, input_shape: Shapes) -> tuple[Dim, ...]:
        maps = tuple(shape for shape in input_shape if not is_scale(shape)) or input_shape
        if self.align != "exact" and not all(_same_sizes(shape, maps[0]) for shape in maps):
            _refuse_possible_scales(maps)
        return super().aligned(maps)

    def margins(self, shape: Shape, sizes: tuple[Dim, ...]) -> tuple[tuple[Dim, Dim], ...]:
        return ((0, 0),) * len(sizes) if is_scale(shape) else super().margins(shape, sizes)

    def _placed(self, shape: Shape, sizes: tuple[Dim, ...]) -> Iterator[AnyWindow]:
        if not is_scale(shape):
            yield from super()._placed(shape, sizes)
            return
        for size in sizes:
            yield POINT if size == 1 else Spread(whole(size))


@layer("matchsize")
class MatchSize(Kind[Shapes]):
    """The first branch with the sizes of the second one, of which nothing else is read.

    ``exact`` requires that they are equal, ``crop`` cuts positions off the end, and ``nearest`` takes the
    nearest position as ``upsample`` does. A layer with stride s has the same output for s sizes of its input:
    a decoder is as large as the input again, for each of them, if it ends in this kind.
    """

    mode: str = arg(
        Choice("exact", "crop", "nearest"),
        "if sizes differ: an error, or cut off at the end, or repeat and leave out positions",
        default="exact",
    )

    joins = True
    sources = 1
    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((4, 6, 5), (2, 6, 5))),
        Example("{mode: crop}", ((4, 9, 8), (1, 8, 8))),
        Example("{mode: crop}", ((3, 9), (2, 9))),
        Example("{mode: nearest}", ((4, 3, 8), (2, 7, 5))),
        Example("{mode: nearest}", ((4, 3, 2, 3), (2, 6, 5, 1))),
    )

    def check(self, input_shape: Shapes) -> Iterator[Require]:
        shapes = " and ".join(shape_text(shape) for shape in input_shape)
        expected = "a map, and another one of the wanted size"
        yield Require(len(input_shape) == 2, "'matchsize' has two branches", expected, shapes)
        maps = min(map(len, input_shape)) > 1 and len(set(map(len, input_shape))) == 1
        expected = "two maps with the same number of axes"
        yield Require(maps, "'matchsize' matches the sizes of maps", expected, shapes)
        if self.mode == "nearest":
            return
        (_, *sizes), (_, *wanted) = input_shape
        for axis, (n, target) in enumerate(zip(sizes, wanted, strict=True)):
            exact = self.mode == "exact"
            yield Require(
                same(n, target) if exact else n >= target,
                f"'matchsize' cannot make {n} of {target} along {axis_name(axis, len(sizes))}",
                f"{target}" if exact else f"at least {target}",
                f"{n} ({shapes})",
                "'mode: nearest' takes any size",
            )

    def output(self, input_shape: Shapes) -> Shape:
        first, wanted = input_shape
        return (first[0], *wanted[1:])

    def parameters(self, input_shape: Shapes) -> Tensors:
        return NONE

    def macs(self, input_shape: Shapes, output_shape: Shape) -> Dim:
        return 0

    def operations(self, input_shape: Shapes, output_shape: Shape) -> Dim:
        """None: values are moved, not computed."""
        return 0

    def neurons(self, input_shape: Shapes, output_shape: Shape) -> Dim:
        return 0

    def connections(self, input_shape: Shapes, output_shape: Shape) -> Dim:
        return 0

    def windows(self, input_shape: Shapes) -> tuple[AnyWindow, ...]:
        pairs = zip(input_shape[0][1:], input_shape[1][1:], strict=True)
        if self.mode == "nearest":
            return tuple(Resampled(whole(target), 0, linear=False) for _, target in pairs)
        return tuple(Window(1, after=whole(target - n)) for n, target in pairs)

    def is_same(self, input_shape: Shapes) -> bool:
        """Return whether the first branch passes unchanged."""
        pairs = zip(input_shape[0][1:], input_shape[1][1:], strict=True)
        return self.mode != "nearest" and all(same(n, target) for n, target in pairs)


def _differs(one: Dim, other: Dim) -> bool:
    """Return whether two sizes differ for all values of the unknowns."""
    return isinstance(one, int) and isinstance(other, int) and one != other


def _positions(shape: Shape) -> int:
    """Return the number of positions of a map; 0 if it is not known."""
    return whole(product(shape[1:])) if all(isinstance(n, int) for n in shape[1:]) else 0


def _stride(sizes: Shape, smaller: Shape) -> int | None:
    """Return the stride with which a shortcut goes from some sizes to others, if one does."""
    pairs = zip(sizes, smaller, strict=True)
    strides = {-(-n // m) for n, m in pairs if isinstance(n, int) and isinstance(m, int)}
    if len(strides) != 1:
        return None
    (stride,) = strides
    fits = all(-(-n // stride) == m for n, m in zip(sizes, smaller, strict=True))
    return stride if fits else None


def _same_sizes(shape: Shape, other: Shape) -> bool:
    """Return whether two maps have the same size for all values of the unknowns."""
    return all(known(same(n, m)) for n, m in zip(shape[1:], other[1:], strict=True))


def _refuse_possible_scales(maps: Shapes) -> None:
    """Refuse maps that would be a scale for some values of the unknowns, where sizes need not agree.

    Raises:
        Undecidable: one may be.
    """
    for shape in maps:
        is_point(shape[1:])


def is_scale(shape: Shape) -> bool:
    """Return whether a branch of a product has one number per channel."""
    return len(shape) > 1 and all(known(same(n, 1)) for n in shape[1:])
