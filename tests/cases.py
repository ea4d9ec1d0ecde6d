"""Kinds with arguments and inputs, for the contract test: as declared, and drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from hypothesis import strategies as st

from cnncli.diagnostics import ShapeError
from cnncli.graph import open_text
from cnncli.language.readers import (
    Choice,
    Count,
    EachAxis,
    Flag,
    Number,
    PerAxis,
    PerAxisOrNull,
    Reader,
    Sizes,
    Whole,
)
from cnncli.layers import KINDS, Kind
from cnncli.layers.geometry.padding import Edges, PaddingReader
from cnncli.layers.table import TableReader


class Case(NamedTuple):
    """A kind, its arguments as text, and the shapes of its inputs."""

    kind: str
    arguments: str
    inputs: tuple[tuple[int, ...], ...]

    @property
    def layer(self) -> Kind[Any]:
        """Return the layer as read from the spec.

        Raises:
            SpecError: the arguments do not go with the inputs.
        """
        return layer_in(self.spec)

    @property
    def input_shape(self) -> Any:
        return self.inputs if KINDS[self.kind].joins else self.inputs[0]

    @property
    def spec(self) -> str:
        """A spec whose last layer is this one, on inputs of these shapes."""
        if not KINDS[self.kind].joins:
            written = f"{self.kind}: {self.arguments}" if self.arguments else self.kind
            return f"input: {list(self.inputs[0])}\nlayers:\n  - {written}\n"
        branches = ", ".join(["identity", *map(branch_of, self.inputs[1:])])
        arguments = self.arguments.removeprefix("{").removesuffix("}")
        written = f"{{branches: [{branches}]{', ' if arguments else ''}{arguments}}}"
        return f"input: {list(self.inputs[0])}\nlayers:\n  - {self.kind}: {written}\n"

    def __str__(self) -> str:
        return f"\n{self.spec}"


@cache
def layer_in(spec: str) -> Kind[Any]:
    """Return the last layer of a spec."""
    return open_text(spec).graph.nodes[-1].layer


def branch_of(shape: tuple[int, ...]) -> str:
    """Return a branch that outputs this shape, for any input."""
    if len(shape) == 1:
        return f"[linear: {shape[0]}]"
    return f"[adaptiveavgpool: {list(shape[1:])}, conv: {{channels: {shape[0]}, kernel: 1}}]"


def fits(case: Case) -> bool:
    """Return whether the arguments match the inputs; they must be arguments of the kind."""
    try:
        return case.layer is not None
    except ShapeError:
        return False


Draw = Callable[[st.SearchStrategy[Any]], Any]


def draw_per_axis(draw: Draw, minimum: int, rank: int) -> Any:
    size = st.integers(minimum, 3)
    return draw(st.one_of(size, st.lists(size, min_size=max(rank, 1), max_size=max(rank, 1))))


def draw_factors(draw: Draw, rank: int) -> Any:
    factor = st.sampled_from((0.5, 1, 1.25, 1.5, 2, 3))
    return draw(st.one_of(factor, st.lists(factor, min_size=max(rank, 1), max_size=max(rank, 1))))


def draw_sizes(draw: Draw, rank: int) -> Any:
    sizes = st.lists(st.sampled_from((None, 1, 2, 3)), min_size=max(rank, 1), max_size=max(rank, 1))
    return draw(st.one_of(st.integers(1, 3), sizes.filter(any)))


def draw_edges(draw: Draw, _: Reader[Any], rank: int) -> Any:
    form = draw(st.sampled_from(("amounts", "sides") if rank == 2 else ("amounts",)))
    if form == "amounts":
        return draw_per_axis(draw, 0, rank)
    sides = st.dictionaries(
        st.sampled_from(("top", "bottom", "left", "right")), st.integers(0, 2), min_size=1
    )
    return draw(sides)


def draw_padding(draw: Draw, reader: Reader[Any], rank: int) -> Any:
    word = draw(st.sampled_from(("valid", "same", "half", "explicit")))
    return draw_edges(draw, reader, rank) if word == "explicit" else word


def draw_number(draw: Draw, reader: Number, _: int) -> Any:
    low = -1.0 if reader.minimum is None else reader.minimum
    high = 2.0 if reader.maximum is None else reader.maximum
    return draw(st.sampled_from([low + (high - low) * share for share in (0.125, 0.5, 0.75)]))


def draw_table(draw: Draw, *_: Any) -> Any:
    row = st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True)
    return draw(st.lists(row, min_size=1, max_size=5))


DRAW: Mapping[type[Reader[Any]], Callable[[Draw, Any, int], Any]] = {
    Whole: lambda draw, reader, _: draw(st.sampled_from([n for n in (1, 2, 3, 4, 6) if n >= reader.minimum])),
    Count: lambda draw, *_: draw(st.sampled_from((1, 2, 3, 4, 6))),
    PerAxisOrNull: lambda draw, _, rank: draw_sizes(draw, rank),
    EachAxis: lambda draw, _, rank: draw_factors(draw, rank),
    PerAxis: lambda draw, reader, rank: draw_per_axis(draw, reader.item.minimum, rank),
    Number: draw_number,
    Flag: lambda draw, *_: draw(st.booleans()),
    Choice: lambda draw, reader, _: draw(st.sampled_from(reader.words)),
    PaddingReader: draw_padding,
    Edges: draw_edges,
    TableReader: draw_table,
    Sizes: lambda draw, *_: draw(st.sampled_from([[-1], [-1, 2], [2, -1, 3], [4, 3, -1, 1], [12], [6, 2]])),
}


# The input shape of kinds that accept a single one.
INPUTS: Mapping[str, tuple[int, ...]] = {"rbf": (84,)}


def draw_case(draw: Draw, name: str) -> Case:
    kind = KINDS[name]
    rank = draw(st.integers(0, 3))
    given_arguments = {
        key: DRAW[type(argument.reader)](draw, argument.reader, rank)
        for key, argument in kind.arguments.items()
        if argument.required or draw(st.booleans())
    }
    if name == "upsample":
        given_arguments.setdefault(*draw(st.sampled_from((("scale", 1.5), ("size", 4)))))
        if len(given_arguments.keys() & {"scale", "size"}) > 1:
            del given_arguments[draw(st.sampled_from(("scale", "size")))]
    if "table" in given_arguments:
        given_arguments["channels"] = len(given_arguments["table"])
    channels = st.sampled_from((1, 2, 3, 4, 6, 9, 12))
    sizes = st.integers(1, 9 if rank < 3 else 4)
    shape = st.tuples(channels, *[sizes] * rank)
    inputs = [INPUTS[name] if name in INPUTS else draw(shape)]
    if kind.joins:
        inputs += draw(st.lists(st.one_of(st.just(inputs[0]), shape), max_size=2))
    return Case(name, flow(given_arguments) if given_arguments else "", tuple(inputs))


def flow(value: Any) -> str:
    """Write a value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
