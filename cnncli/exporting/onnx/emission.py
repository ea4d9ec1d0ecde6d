"""Adding nodes to a model, and whole numbers that are known now or when the model runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from onnx import NodeProto, helper, numpy_helper

from cnncli.algebra import Dim
from cnncli.layers import Shape

END: Final = 2**63 - 1
"""Beyond the end of every axis, for ``Slice``."""

START: Final = -(2**63)
"""Before the start of every axis, for ``Slice`` backwards."""


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number that the model computes from the size of its input: int64 [1].

    Operators are those of Python's integers; division is by a positive number of one that is not negative,
    for which ONNX and Python agree.
    """

    emission: Emission
    name: str

    def __add__(self, other: Whole) -> Number:
        return self._with("Add", other)

    def __sub__(self, other: Whole) -> Number:
        return self._with("Sub", other)

    def __mul__(self, other: Whole) -> Number:
        return self._with("Mul", other)

    def __floordiv__(self, other: Whole) -> Number:
        return self._with("Div", other)

    def __mod__(self, other: Whole) -> Number:
        return self._with("Mod", other)

    def _with(self, kind: str, other: Whole) -> Number:
        name = other.name if isinstance(other, Number) else self.emission.ints([other])
        return Number(self.emission, self.emission.op(kind, self.name, name))


Whole: TypeAlias = "int | Number"
"""A whole number, known now or when the model runs."""


@dataclass(eq=False, slots=True)
class Emission:
    """The nodes of one layer: what it reads, and the list that nodes are added to.

    ``name`` is that of the layer, of the last node and of the value; other values are numbered below it.
    ``tensors`` has the names of the layer's tensors in the model. Shapes are for one sample, and may have
    formulas.
    """

    nodes: list[NodeProto]
    name: str
    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]
    output_shape: Shape
    tensors: Mapping[str, str]
    count: int = 0

    @property
    def x(self) -> str:
        """The name of the first input."""
        return self.inputs[0]

    @property
    def shape(self) -> Shape:
        """The shape of the first input."""
        return self.shapes[0]

    @property
    def rank(self) -> int:
        """The number of spatial axes of the first input."""
        return len(self.shape) - 1

    @property
    def axes(self) -> tuple[int, ...]:
        """The spatial axes of a batch."""
        return tuple(range(2, 2 + self.rank))

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; return the output's name."""
        return self.ops(kind, *inputs, outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs; return their names."""
        self.count += 1
        name = f"{self.name}/{kind}_{self.count}"
        names = [name, *(f"{name}.{number}" for number in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **attributes))
        return names

    def finish(self, result: str) -> None:
        """Give the result the name of the layer."""
        last = self.nodes[-1] if self.count else None
        if last is None or result not in last.output:
            self.nodes.append(helper.make_node("Identity", [result], [self.name], name=self.name))
            return
        last.output[[*last.output].index(result)] = self.name
        last.name = self.name

    def constant(self, value: Any, dtype: Any) -> str:
        """Add a constant."""
        return self.op("Constant", value=numpy_helper.from_array(np.asarray(value, dtype=dtype)))

    def ints(self, values: Sequence[int]) -> str:
        """Add int64 [n]."""
        return self.constant(values, np.int64)

    def floats(self, values: Any) -> str:
        """Add float32 of any shape."""
        return self.constant(values, np.float32)

    def wholes(self, values: Sequence[Whole]) -> str:
        """Add int64 [n] of numbers of which some may not be known yet."""
        if not any(isinstance(each, Number) for each in values):
            return self.ints([each for each in values if isinstance(each, int)])
        parts = [each.name if isinstance(each, Number) else self.ints([each]) for each in values]
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)

    def size(self, axis: int, shape: Shape | None = None, x: str = "") -> Whole:
        """Return the size of the first input, or of a value, along a spatial axis counted from 0."""
        n = (shape or self.shape)[1 + axis]
        return n if isinstance(n, int) else self.measured(x or self.x, 2 + axis)

    def measured(self, x: str, axis: int) -> Number:
        """Return the size of a value along an axis of the batch, when the model runs."""
        return Number(self, self.op("Shape", x, start=axis, end=axis + 1))

    def along_channels(self, tensor: str) -> str:
        """Return a vector [channels] so that it combines with the first input."""
        return self.op("Reshape", tensor, self.ints([-1, *(1,) * self.rank])) if self.rank else tensor

    def slice(self, x: str, starts: Sequence[Whole], ends: Sequence[Whole], axes: Sequence[int]) -> str:
        """Return the positions from ``starts`` up to before ``ends`` along axes of the batch."""
        return self.op("Slice", x, self.wholes(starts), self.wholes(ends), self.ints(axes))

    def flipped(self, x: str, axes: Sequence[int]) -> str:
        """Return the values in reverse order along axes of the batch."""
        count = len(axes)
        bounds = self.ints([END] * count), self.ints([START] * count)
        return self.op("Slice", x, *bounds, self.ints(axes), self.ints([-1] * count))

    def reduced(self, kind: str, x: str, axes: Sequence[int], *, keepdims: bool = True) -> str:
        """Return means, sums or maxima over axes of the batch."""
        return self.op(kind, x, self.ints(axes), keepdims=int(keepdims))


def is_number(dim: Dim) -> bool:
    """Return whether a size is known now."""
    return isinstance(dim, int)
