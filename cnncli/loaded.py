"""A spec that was read and checked: a frozen value that can be compared, copied and opened again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from cnncli import arguments
from cnncli.algebra import Dim, symbols_of
from cnncli.diagnostics import usage_error
from cnncli.graph import Graph, Opened, all_sizes, open_again, open_spec, open_text
from cnncli.layers import shape_text
from cnncli.recipe.recipe import Recipe
from cnncli.work import metered

_FROZEN: Final = "an Architecture is frozen; load another one, or call symbolic()"


class Origin(NamedTuple):
    """The origin of a spec: a path or name, or a text and the name that messages use for it."""

    name: str | Path
    text: str | None

    def open(self, **how: Any) -> Opened:
        if self.text is None:
            return open_spec(self.name, **how)
        return open_text(self.text, name=str(self.name), **how)


class Loaded:
    """A frozen, checked network, and how it was read."""

    __slots__ = ("_input", "_opened", "_origin", "_overrides")

    _origin: Origin
    _input: Any
    _overrides: tuple[str, ...]
    _opened: Opened

    @metered()
    def __init__(
        self, origin: Origin, size: Any, overrides: tuple[str, ...], unknown: Sequence[str] = ()
    ) -> None:
        opened = origin.open(size=size, overrides=overrides, unknown=tuple(unknown))
        for name, value in zip(Loaded.__slots__, (size, opened, origin, overrides), strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(_FROZEN)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(_FROZEN)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Loaded):
            return NotImplemented
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash((self.name, self.input_shape, len(self.graph.nodes)))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # As one text, so that what is read again is the same even if the files have changed.
        from cnncli.language.writer import to_yaml  # noqa: PLC0415

        origin = Origin(self._origin.name, to_yaml(self._opened.document))
        return type(self), (origin, self._input, (), self.graph.variables)

    def __repr__(self) -> str:
        shape = shape_text(self.input_shape)
        return f"<cnncli.Architecture {self.name}: input {shape}, {len(self.graph.nodes)} layers>"

    @property
    def name(self) -> str:
        """The network's name."""
        return self.graph.name

    @property
    def graph(self) -> Graph:
        """The graph from which all figures and the torch module are derived."""
        return self._opened.graph

    @property
    def input_shape(self) -> tuple[Dim, ...]:
        """The shape of one sample: (channels, *sizes) or (features,)."""
        return self.graph.input

    @property
    def outputs(self) -> Mapping[str, tuple[Dim, ...]]:
        """The shape of each output for one sample, by name."""
        return {name: output.shape for name, output in self.graph.outputs.items()}

    @property
    def settings(self) -> Recipe:
        """The spec's ``train`` section."""
        return self._opened.train

    def symbolic(self, *variables: str) -> Self:
        """Return the same network with symbols for its input sizes, or for these variables of the spec.

        Raises:
            SpecError: an argument that cannot be symbolic depends on a symbol.
            UsageError: the spec has no such variable.
        """
        size = self._input
        if not variables:
            known = size is not None and not callable(size) and not any(map(symbols_of, size))
            size = all_sizes(size) if known else size or all_sizes
        names = (*self.graph.variables, *arguments.words("variables", variables))
        return type(self)(self._origin, size, self._overrides, names)

    def _numeric(self, what: str) -> Graph:
        """Return the graph for ``what``, which cannot be computed from formulas.

        Raises:
            UsageError: a size or a variable is a symbol.
        """
        if self.graph.unknowns:
            expected = "an input size in numbers, and no symbolic variables"
            received = f"the symbols {', '.join(self.graph.unknowns)}"
            raise usage_error(f"{what} needs numbers, not formulas", expected=expected, received=received)
        return self.graph

    def _with_settings(self, settings: Mapping[str, Any]) -> Self:
        if not settings:
            return self
        overrides = (*self._overrides, *arguments.keywords(settings, "train."))
        return type(self)(self._origin, self._input, overrides, self.graph.variables)

    def _compared(self) -> tuple[object, ...]:
        """Return what equal architectures have in common: the network, its settings and its budget."""
        graph, opened = self.graph, self._opened
        nodes = [(node.name, node.layer, node.inputs, node.training_only) for node in graph.nodes]
        network = (graph.name, graph.input, nodes, graph.outputs, graph.variables)
        return network, opened.train, opened.pretrain, opened.budget, opened.paper

    def _reopened(self, overrides: Sequence[str], **how: Any) -> Opened:
        return open_again(self._opened.document, size=self._input, overrides=overrides, **how)
