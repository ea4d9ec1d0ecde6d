"""What a kind of layer is: typed arguments, and rules that are pure functions of input shapes.

The rules are ordinary arithmetic over :data:`~cnncli.algebra.Dim`: numbers give numbers, symbols
give formulas. No rule exists twice.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeAlias, TypeVar

from cnncli.algebra import Condition, Dim, known, product, same
from cnncli.diagnostics import CnncliError, Diagnostic, counted, listing, shortened
from cnncli.language.fields import Record
from cnncli.language.nodes import beside
from cnncli.language.scope import Argument
from cnncli.language.shorthand import SHORTHAND
from cnncli.layers.geometry.axis import AnyWindow
from cnncli.layers.geometry.window import POINT
from cnncli.recipe.criteria import DEFAULT_CRITERION

Shape: TypeAlias = tuple[Dim, ...]
"""(channels, *spatial sizes) of a map or (features,) of a vector, for one sample."""

Tensors: TypeAlias = Mapping[str, Shape]
"""Named tensors and their shapes."""

NONE: Tensors = {}

X = TypeVar("X")
N = TypeVar("N", bound=float | None)


class Require(NamedTuple):
    """A condition on the input shapes, and the message if it does not hold.

    ``argument`` names the argument that the message points at, if any.
    """

    holds: bool | Condition
    message: str
    expected: str = ""
    received: str = ""
    hint: str = ""
    argument: str = ""


class Example(NamedTuple):
    """Arguments as written in a spec, and input shapes: for the reference page and the tests."""

    arguments: str
    inputs: tuple[tuple[int, ...], ...]


class UnderShift(Enum):
    """How an output that reads every position responds to a shift of the input."""

    MOVES = "the output moves with it"
    STAYS = "the output stays the same"
    BREAKS = "the output changes in another way"


class Reads(Enum):
    """What an output reads, if windows along the axes do not describe it.

    Each member is checked against the gradients of the torch module (``tests/test_contract.py``).
    """

    ALL = "every output reads the whole input"
    EVERYWHERE = "every output reads every position, but not necessarily every channel"
    EACH = "every output reads one value: the one at its own place"
    SCRAMBLED = "every output is one value of the input, at another place: positions do not correspond"


ALL: Final = Reads.ALL
EVERYWHERE: Final = Reads.EVERYWHERE
EACH: Final = Reads.EACH
SCRAMBLED: Final = Reads.SCRAMBLED

Extent: TypeAlias = tuple[AnyWindow, ...] | Reads
"""What an output reads of one input: a window along each spatial axis, or one of :class:`Reads`.

With windows, output axis i belongs to input axis i, and a position reads all channels of its window. A kind
that permutes or merges axes is :data:`SCRAMBLED`.
"""


class Kind(Record, Generic[X]):
    """A kind of layer. X is the type of ``input_shape``: a shape, or for joins the shapes of all branches."""

    family: ClassVar[str]
    joins: ClassVar[bool] = False
    sources: ClassVar[int | None] = None
    """How many of its inputs it reads the values of, the first ones; of the others it reads the sizes only.

    None: all of them.
    """
    shorthand: ClassVar[bool] = False
    """Whether its arguments may include ``norm`` and ``activation``."""
    inherits: ClassVar[Mapping[str, Collection[str]]] = {}
    """The kinds that a layer of this kind contains, with its arguments to which their ``defaults`` apply."""
    examples: ClassVar[tuple[Example, ...]] = ()
    criterion: ClassVar[str] = DEFAULT_CRITERION
    """What trains an output that a layer of this kind computes (:data:`~cnncli.recipe.criteria.CRITERIA`)."""
    value_range: ClassVar[str] = ""
    """The range of its values, such as ``0 or more``, if every output of this kind has one."""

    @classmethod
    def words(cls) -> Collection[str]:
        return (*cls.arguments, *SHORTHAND) if cls.shorthand else cls.arguments.keys()

    @classmethod
    def elsewhere(cls, name: str, argument: Argument) -> str:
        return beside(cls.keyword, name, argument)

    def check(self, input_shape: X) -> Iterator[Require]:
        """Yield what the input must satisfy, in the order in which to report it."""
        raise NotImplementedError

    def output(self, input_shape: X) -> Shape:
        """Return the output shape, for an input that passed :meth:`check`."""
        raise NotImplementedError

    def parameters(self, input_shape: X) -> Tensors:
        """Return the shapes of the learnable tensors, by their names in a checkpoint."""
        raise NotImplementedError

    def buffers(self, input_shape: X) -> Tensors:
        """Return the shapes of the tensors that are stored but not learned."""
        return NONE

    def matrices(self) -> tuple[str, ...]:
        """Return the names of the parameters that are one matrix, with a row for each output channel."""
        return ()

    def macs(self, input_shape: X, output_shape: Shape) -> Dim:
        """Return the multiply-accumulates for one sample."""
        raise NotImplementedError

    def operations(self, input_shape: X, output_shape: Shape) -> Dim:
        """Return the floating-point operations for one sample besides two for each multiply-accumulate."""
        raise NotImplementedError

    def neurons(self, input_shape: X, output_shape: Shape) -> Dim:
        """Return the outputs that are neurons: those that sum weighted inputs."""
        raise NotImplementedError

    def connections(self, input_shape: X, output_shape: Shape) -> Dim:
        """Return what every unit reads from the layer before, and its bias (LeCun et al., 1998)."""
        raise NotImplementedError

    def windows(self, input_shape: X) -> Extent:
        """Return what an output position reads along each spatial axis, or one of :class:`Reads`."""
        raise NotImplementedError

    def branches(self, input_shape: X) -> tuple[Extent, ...]:
        """Return the answer of :meth:`windows` for each of the inputs whose values are read."""
        return (self.windows(input_shape),)

    def extents(self, input_shape: X) -> tuple[Extent, ...]:
        """Return :meth:`branches`, checked: this is what the analyses call.

        Raises:
            CnncliError: a kind returns anything else, such as None.
        """
        found = self.branches(input_shape)
        shapes: Any = input_shape if self.joins else (input_shape,)
        for extent, shape in zip(found, shapes[: self.sources], strict=True):
            if not _is_extent(extent, len(shape) - 1):
                raise _no_extent(type(self), extent)
        return found

    def under_shift(self, input_shape: X) -> UnderShift:
        """Return how the output responds to a shift; asked only if every output reads every position."""
        return UnderShift.BREAKS


class Layer(Kind[Shape]):
    """A kind with one input."""


class Summing(Layer):
    """A layer that sums weighted inputs: every output is a neuron."""

    def neurons(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return product(output_shape)


class Neuronless(Layer):
    """A layer that moves, combines or scales the outputs of neurons and has none itself."""

    def macs(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return 0

    def neurons(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return 0


class Weightless(Neuronless):
    """A layer without neurons and parameters."""

    def parameters(self, input_shape: Shape) -> Tensors:
        return NONE

    def connections(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return 0


class Elementwise(Weightless):
    """A layer that computes each value from the one at the same place, with ``work`` operations."""

    work: ClassVar[int]

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield from ()

    def output(self, input_shape: Shape) -> Shape:
        return input_shape

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return self.work * product(output_shape)

    def windows(self, input_shape: Shape) -> Extent:
        return EACH


class FromInput(Elementwise):
    """Elementwise, with a derivative computed from the input, which autograd therefore saves."""


class FromOutput(Elementwise):
    """Elementwise, with a derivative computed from the output, which autograd therefore saves."""


def across_channels(input_shape: Shape) -> Extent:
    """Return what a kind reads that mixes all channels of a position; for a vector, the whole input."""
    return (POINT,) * (len(input_shape) - 1) or ALL


def _is_extent(answer: object, rank: int) -> bool:
    if isinstance(answer, tuple):
        return len(answer) == rank and all(isinstance(each, AnyWindow) for each in answer)
    return isinstance(answer, Reads)


def _no_extent(kind: type[Kind[Any]], extent: object) -> CnncliError:
    """Return the error of a plug-in whose ``windows`` or ``branches`` is wrong."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    words = listing([word.name for word in Reads], last=" or ")
    return CnncliError(
        Diagnostic(
            "plug-in",
            f"kind '{kind.keyword}' does not say what its outputs read",
            expected=f"from 'windows': a tuple of one window for each spatial axis, or {words}",
            received=shortened(repr(extent)),
            hint=f"correct {kind.__name__} in {file or kind.__module__}",
        )
    )


def shape_text(shape: Shape) -> str:
    """Write a shape as ``64x224x224``, ``64xHxW``, ``64x(H//2)x(W//2)`` or ``(width)x7x7``."""
    return "x".join(text if _is_short(text := _size_text(dim)) else f"({text})" for dim in shape)


def _size_text(dim: Dim) -> str:
    if isinstance(dim, int):
        return str(dim)
    # Imported here because few commands need it.
    from cnncli.algebra.factoring import readable  # noqa: PLC0415

    return readable(dim)


def _is_short(text: str) -> bool:
    """Return whether a size needs no parentheses in a shape: a number, a letter, a letter with a number."""
    return text.isalnum() and len(text.rstrip("0123456789")) <= 1


def is_point(sizes: tuple[Dim, ...]) -> bool:
    """Return whether a map has a single position.

    Raises:
        Undecidable: that depends on unknown sizes.
    """
    # One axis that is known to be longer is enough, even if the others cannot be decided.
    return not any(known(n > 1) for n in sizes) and all(same(n, 1) for n in sizes)


def along(value: N | tuple[N, ...], rank: int) -> tuple[N, ...]:
    """Return one number for each axis, from one for all axes or one for each."""
    return value if isinstance(value, tuple) else (value,) * rank


def is_map(input_shape: Shape, kind: str, hint: str = "") -> Require:
    """Return the requirement that the input has spatial axes."""
    return Require(
        len(input_shape) > 1,
        f"'{kind}' takes a map",
        "a shape such as (channels, height, width)",
        f"a vector of {input_shape[0]} features",
        hint or "move the layer before 'flatten'",
    )


def axes_match(
    input_shape: Shape, kind: str, **arguments: float | tuple[int | float | None, ...] | None
) -> Iterator[Require]:
    """Yield the requirements that lists with one number for each axis have the right length."""
    rank = len(input_shape) - 1
    for name, value in arguments.items():
        if isinstance(value, tuple) and len(value) != rank:
            received = counted(len(value), "number")
            yield _axes(name, kind, rank, received)


def padding_axes(
    input_shape: Shape, kind: str, axes: int | None, argument: str = "padding"
) -> Iterator[Require]:
    """Yield the requirement that explicit pads are given for the right number of axes."""
    if axes is not None and axes != len(input_shape) - 1:
        yield _axes(argument, kind, len(input_shape) - 1, f"amounts for {axes} axes")


def _axes(name: str, kind: str, rank: int, received: str) -> Require:
    expected = f"one number for all axes, or {rank}"
    return Require(
        False,
        f"'{name}' of '{kind}' does not match the spatial axes of the input",
        expected,
        received,
        argument=name,
    )
