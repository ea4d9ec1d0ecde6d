"""What a kind of layer is: typed arguments, and rules that are pure functions of input shapes.

The rules are ordinary arithmetic over :data:`~cnncli.algebra.Dim`: numbers give numbers, symbols
give formulas. There is no second copy of any rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import ClassVar, Final, Generic, NamedTuple, TypeAlias, TypeVar

from cnncli.algebra import Condition, Dim, known, product, same
from cnncli.language.description import SUGAR
from cnncli.language.fields import Record
from cnncli.layers.geometry.window import POINT, AnyWindow

Shape: TypeAlias = tuple[Dim, ...]
"""(channels, *spatial sizes) of a map or (features,) of a vector, for one sample."""

Tensors: TypeAlias = Mapping[str, Shape]
"""Named tensors and their shapes."""

NONE: Tensors = {}

CRITERIA: Final = ("cross_entropy", "distance", "margin")
"""What an output can be trained by; ``training/criteria.py`` has the formulas."""

X = TypeVar("X")


class Require(NamedTuple):
    """A condition on the input shapes, and the message where it does not hold.

    ``argument`` names the argument to point at, if one is to blame.
    """

    holds: bool | Condition
    message: str
    expected: str = ""
    received: str = ""
    hint: str = ""
    argument: str = ""


class Example(NamedTuple):
    """Arguments as they stand in a spec, and the input shapes: for the reference page and the tests."""

    arguments: str
    inputs: tuple[tuple[int, ...], ...]


class UnderShift(Enum):
    """What a shift of the input does to an output that reads every position."""

    MOVES = "the output moves with it"
    STAYS = "the output stays the same"
    BREAKS = "the output changes in another way"


class Reads(Enum):
    """What an output reads, where windows along the axes are not the answer.

    Each member is checked against the gradients of the torch module (``tests/test_contract.py``).
    """

    ALL = "every output reads the whole input"
    EVERYWHERE = "every output reads every position, though perhaps not every channel there"
    EACH = "every output reads one value: the one in its own place"
    SCRAMBLED = "every output is one value of the input, in another place: positions no longer correspond"


ALL: Final = Reads.ALL
EVERYWHERE: Final = Reads.EVERYWHERE
EACH: Final = Reads.EACH
SCRAMBLED: Final = Reads.SCRAMBLED

Reading: TypeAlias = tuple[AnyWindow, ...] | Reads
"""What an output reads of one input: a window along each spatial axis, or one of :class:`Reads`.

Output axis i then follows input axis i, at every position across channels. A kind that permutes or merges
axes is :data:`SCRAMBLED`.
"""


class Kind(Record, Generic[X]):
    """A kind of layer. X is what its rules take: a shape, or for joins the shapes of all branches."""

    family: ClassVar[str]
    joins: ClassVar[bool] = False
    sugar: ClassVar[bool] = False
    """Whether ``norm`` and ``activation`` may stand among its arguments."""
    examples: ClassVar[tuple[Example, ...]] = ()
    criterion: ClassVar[str] = CRITERIA[0]
    """By which of :data:`CRITERIA` an output of the network is trained that a layer of this kind gives."""

    @classmethod
    def words(cls) -> Collection[str]:
        return (*cls.arguments, *SUGAR) if cls.sugar else cls.arguments.keys()

    def check(self, input_shape: X) -> Iterator[Require]:
        """What must hold of the input, in the order in which to report it."""
        raise NotImplementedError

    def output(self, input_shape: X) -> Shape:
        """The output shape, for an input that passed :meth:`check`."""
        raise NotImplementedError

    def parameters(self, input_shape: X) -> Tensors:
        """The learnable tensors, by the names they have in a checkpoint."""
        raise NotImplementedError

    def buffers(self, input_shape: X) -> Tensors:
        """State that is kept but not learned."""
        return NONE

    def macs(self, input_shape: X, output_shape: Shape) -> Dim:
        """Multiply-accumulates of one sample."""
        raise NotImplementedError

    def operations(self, input_shape: X, output_shape: Shape) -> Dim:
        """Floating-point operations of one sample beyond two for each multiply-accumulate."""
        raise NotImplementedError

    def connections(self, input_shape: X, output_shape: Shape) -> Dim:
        """What every unit reads of the layer before, and its bias (LeCun et al., 1998)."""
        raise NotImplementedError

    def windows(self, input_shape: X) -> Reading:
        """What an output position reads along each spatial axis, or one of :class:`Reads`."""
        raise NotImplementedError

    def branches(self, input_shape: X) -> tuple[Reading, ...]:
        """What :meth:`windows` says, for each input separately."""
        return (self.windows(input_shape),)

    def readings(self, input_shape: X) -> tuple[Reading, ...]:
        """Return :meth:`branches`, checked: this is what the analyses call.

        Raises:
            TypeError: a kind answers with anything else, such as None.
        """
        found = self.branches(input_shape)
        for reading in found:
            if not isinstance(reading, tuple | Reads):
                raise TypeError(_no_reading(self.keyword, reading))
        return found

    def under_shift(self, input_shape: X) -> UnderShift:
        """How the output answers to a shift; asked where every output reads every position."""
        return UnderShift.BREAKS


class Layer(Kind[Shape]):
    """A kind with one input."""


class Weightless(Layer):
    """A layer that learns nothing and does no multiply-accumulates."""

    def parameters(self, input_shape: Shape) -> Tensors:
        return NONE

    def macs(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return 0

    def connections(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return 0


class Elementwise(Weightless):
    """A layer that computes each value from the one in its place, with ``work`` operations."""

    work: ClassVar[int]

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield from ()

    def output(self, input_shape: Shape) -> Shape:
        return input_shape

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return self.work * product(output_shape)

    def windows(self, input_shape: Shape) -> Reading:
        return EACH


class FromInput(Elementwise):
    """Elementwise, with a derivative that is computed from the input, which autograd keeps."""


class FromOutput(Elementwise):
    """Elementwise, with a derivative that is computed from the output, which autograd keeps."""


def across_channels(input_shape: Shape) -> Reading:
    """The reading of a kind that mixes all channels of a position: of a vector, the whole input."""
    return (POINT,) * (len(input_shape) - 1) or ALL


def _no_reading(kind: str, reading: object) -> str:
    expected = f"one window per spatial axis, or {', '.join(word.name for word in Reads)}"
    return f"'windows' of kind '{kind}' returned {reading!r}; expected {expected}"


def shape_text(shape: Shape) -> str:
    """``64x224x224``; ``64xHxW`` with symbols, ``64x(H//2)x(W//2)`` and ``(width)x7x7`` with formulas."""
    return "x".join(text if _is_short(text := _size_text(dim)) else f"({text})" for dim in shape)


def _size_text(dim: Dim) -> str:
    if isinstance(dim, int):
        return str(dim)
    # Imported here: what few commands need.
    from cnncli.algebra.factoring import readable  # noqa: PLC0415

    return readable(dim)


def _is_short(text: str) -> bool:
    """Whether a size reads well between two crosses: a number, a letter, a letter with a number."""
    return text.isalnum() and len(text.rstrip("0123456789")) <= 1


def is_point(sizes: tuple[Dim, ...]) -> bool:
    """Whether there is one position only.

    Raises Undecidable where that depends on sizes that are not known.
    """
    # One axis that is surely longer settles it, whether the others are decided or not.
    return not any(known(n > 1) for n in sizes) and all(same(n, 1) for n in sizes)


def along(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    """One number for each axis, from one for all or one for each."""
    return (value,) * rank if isinstance(value, int) else value


def is_map(input_shape: Shape, kind: str, hint: str = "") -> Require:
    """A requirement: the input has spatial axes."""
    return Require(
        len(input_shape) > 1,
        f"'{kind}' works on a map",
        "a shape such as (channels, height, width)",
        f"a vector of {input_shape[0]} features",
        hint or "layers that work on maps come before flatten",
    )


def axes_match(input_shape: Shape, kind: str, **arguments: int | tuple[int, ...] | None) -> Iterator[Require]:
    """Requirements: what is given for each axis is given for as many axes as there are."""
    rank = len(input_shape) - 1
    for name, value in arguments.items():
        if isinstance(value, tuple) and len(value) != rank:
            received = f"{len(value)} numbers"
            yield _axes(name, kind, rank, received)


def padding_axes(
    input_shape: Shape, kind: str, axes: int | None, argument: str = "padding"
) -> Iterator[Require]:
    """A requirement: explicit pads are written for as many axes as there are."""
    if axes is not None and axes != len(input_shape) - 1:
        yield _axes(argument, kind, len(input_shape) - 1, f"amounts for {axes} axes")


def _axes(name: str, kind: str, rank: int, received: str) -> Require:
    expected = f"one number for all axes, or {rank}"
    return Require(
        False,
        f"'{name}' of '{kind}' does not match the input's {rank} axes",
        expected,
        received,
        argument=name,
    )
