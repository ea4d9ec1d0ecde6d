"""A network as its spec describes it; its methods are the analyses, none of which needs torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from cnncli import arguments
from cnncli.algebra import Dim, whole, whole_shape
from cnncli.diagnostics import LimitError, usage_error
from cnncli.loaded import Loaded
from cnncli.recipe.dtypes import DEFAULT_DTYPE
from cnncli.work import metered

if TYPE_CHECKING:
    from cnncli.analysis.check import Verdict
    from cnncli.analysis.costs.figures import Costs
    from cnncli.analysis.costs.fully_connected import Comparison
    from cnncli.analysis.costs.overview import Overview
    from cnncli.analysis.fit.search import Search
    from cnncli.analysis.memory.report import MemoryReport
    from cnncli.analysis.sizes import Near, ValidSizes
    from cnncli.analysis.space.receptive_field import Field
    from cnncli.analysis.space.shifts import Shift
    from cnncli.report.page import Page
    from cnncli.report.pages.views import View
    from cnncli.results.cutting import Cut
    from cnncli.results.mirroring import Mirror
    from cnncli.results.verify import Verification
    from cnncli.transfer.cutting import Part
    from cnncli.transfer.mirroring import Mirrored


P = ParamSpec("P")
T = TypeVar("T")


class Layer(NamedTuple):
    """A row of plain values: ``pandas.DataFrame(architecture.layers)`` is a table of them.

    ``output_shape`` is that of one sample; figures are numbers, or formulas where sizes are unknown.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    output_shape: tuple[Dim, ...]
    params: Dim
    buffers: Dim
    macs: Dim
    flops: Dim
    neurons: Dim
    values: Dim
    connections: Dim
    line: int
    training_only: bool
    unused: bool


def question(method: Callable[P, T]) -> Callable[P, T]:
    """Give each call of an analysis its budget of work; an error without a place is about the network."""

    @functools.wraps(method)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with metered():
                return method(*args, **kwargs)
        except LimitError as error:
            network: Any = args[0]
            raise error.at(network.name, network._opened.document.start) from None

    return asked


class Analyzed(Loaded):
    """A frozen, checked network and its analyses: the base of :class:`cnncli.Architecture`."""

    __slots__ = ()

    def __str__(self) -> str:
        from cnncli.report.show import text  # noqa: PLC0415

        return text(self.page()).rstrip("\n")

    def _repr_html_(self) -> str:
        from cnncli.report.show import text  # noqa: PLC0415

        return text(self.page(), "html")

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers with their figures for one sample, in the order in which they run."""
        return tuple(
            Layer(
                node.name,
                node.kind,
                node.inputs,
                node.output_shape,
                *figures,
                node.location.line,
                node.training_only,
                node.unused,
            )
            for node, figures in self.costs().rows
        )

    @question
    def costs(self, batch: int = 1) -> Costs:
        """Return parameters, MACs, FLOPs, neurons, values and connections of each layer, and their totals."""
        from cnncli.analysis.costs.figures import costs  # noqa: PLC0415

        return costs(self.graph, arguments.whole("batch", batch))

    @question
    def overview(self, batch: int = 1) -> Overview:
        """Return the network's costs and its depth."""
        from cnncli.analysis.costs.overview import overview  # noqa: PLC0415

        return overview(self.graph, arguments.whole("batch", batch))

    @question
    def fully_connected(self) -> tuple[Comparison, ...]:
        """Compare the weights of each layer with those of a fully connected layer of the same shapes."""
        from cnncli.analysis.costs.fully_connected import compare  # noqa: PLC0415

        return compare(self._numeric("a comparison with fully connected layers"))

    @question
    def memory(
        self,
        batch: int = 1,
        *,
        dtype: str = DEFAULT_DTYPE,
        fit_into: int | str | None = None,
        **settings: Any,
    ) -> MemoryReport:
        """Return the memory of inference and of a training step, in bytes.

        Args:
            batch: samples in a batch.
            dtype: a name in :data:`cnncli.recipe.dtypes.ITEMSIZES`.
            fit_into: bytes, or a size such as "16GiB": replaces ``batch`` by the largest that fits.
            settings: training settings that affect memory: ``optimizer="adamw"``, or with its own
                settings ``optimizer={"sgd": {"momentum": 0}}``.

        Raises:
            UsageError: not even one sample fits, or an argument is wrong.
            SpecError: sizes are unknown, and a layer's memory has no single formula.
        """
        from cnncli.analysis.memory.report import memory_report  # noqa: PLC0415

        train = self._with_settings(settings).settings
        return memory_report(
            self.graph, train, arguments.whole("batch", batch), arguments.text("dtype", dtype), fit_into
        )

    @question
    def sizes(self) -> ValidSizes:
        """Return the input sizes that are accepted, along each axis and together, and what decides this."""
        from cnncli.analysis.sizes import valid_sizes  # noqa: PLC0415

        return valid_sizes((self if self.graph.unknowns else self.symbolic()).graph)

    @question
    def nearest_sizes(self, size: int) -> Mapping[str, Near]:
        """Return the accepted sizes nearest to ``size``, along each axis, with the sizes of the output.

        Of axes that are coupled, ``together`` is the nearest accepted combination.
        """
        from cnncli.analysis.sizes import near, output_sizes, valid_sizes  # noqa: PLC0415

        graph = (self if self.graph.unknowns else self.symbolic()).graph
        found = valid_sizes(graph)
        return near(found.axes, arguments.whole("size", size), output_sizes(graph), found.together)

    @question
    def receptive_field(self) -> Mapping[str, Field]:
        """Return the receptive field of each node: size, jump and center along each axis of the input."""
        from cnncli.analysis.space.receptive_field import receptive_fields  # noqa: PLC0415

        return receptive_fields(self._numeric("a receptive field"))

    @question
    def shifts(self) -> Mapping[str, tuple[Shift, ...]]:
        """Return the smallest shifts of the input that only shift each node's output (equivariance)."""
        from cnncli.analysis.space.shifts import shifts  # noqa: PLC0415

        return shifts(self._numeric("shift equivariance"))

    @question
    def check(self, budget: str | Path | Mapping[str, int | str] | None = None) -> tuple[Verdict, ...]:
        """Return a verdict for each limit of a budget: the spec's own, a file's, or ``{"params": "62k"}``.

        Raises:
            UsageError: the budget sets no limit.
        """
        from cnncli.analysis import check  # noqa: PLC0415

        graph = self._numeric("a budget")
        limits = self._opened.budget if budget is None else check.read(arguments.budget(budget))
        verdicts = check.check(graph, limits, self.settings)
        if not verdicts:
            hint = "write limits under 'budget:' in the spec, or give a file of limits"
            raise usage_error(f"'{self._origin.name}' has no budget", hint=hint)
        return verdicts

    @question
    def fit(self, *variables: str, output: str | None = None, **limits: int | str) -> Search:
        """Find the largest values of variables, one after another, for which limits hold.

        Args:
            variables: names of variables of the spec.
            output: a new file to which the changed spec is written.
            limits: the most that figures may be: ``params="1M"``, ``training_memory="8GiB"``; by default the
                spec's own budget.

        Raises:
            UsageError: no value fits, all values fit, or an argument is wrong.
        """
        if not variables:
            raise usage_error("fit() without a variable", expected="variables of the spec, such as 'width'")
        self._numeric("fit")
        if output is not None and self._origin.text is not None:
            hint = "load() the spec from a file, or use the values of the result"
            raise usage_error(
                "a spec that is not a file cannot be rewritten", expected="no 'output'", hint=hint
            )
        from cnncli.analysis.fit.search import search  # noqa: PLC0415

        names = arguments.words("variables", variables)
        file = None if output is None else arguments.text("output", output)
        return search(
            self._reopened, str(self._origin.name), names, limits, self._overrides, file, self._input
        )

    @question
    def mirror(self, until: str, output: str | None = None) -> Mirror:
        """Return the layers up to a node with a decoder: their mirror image, in the reverse order.

        Its output is as large as its input at every size that it accepts. Trained as it is, it learns to
        remove noise; :meth:`train` with ``start`` then takes the weights of the layers that both have.

        Args:
            until: the name of a layer or a block.
            output: a new file to which its spec is written.

        Raises:
            UsageError: there is no such layer, layers before it have no mirror image, or the file exists.
        """
        from cnncli.analysis.fit.writing import check_new, write  # noqa: PLC0415
        from cnncli.transfer.mirroring import mirrored  # noqa: PLC0415

        self._numeric("a decoder")
        if output is not None:
            check_new(arguments.text("output", output), None)
        found = mirrored(self._opened, arguments.text("until", until), str(self._origin.name))
        described = _described(found, str(self._origin.name), output)
        if output is not None:
            write(output, found.text)
        return described

    @question
    def cut(self, *, until: str | None = None, after: str | None = None, output: str | None = None) -> Cut:
        """Return the layers up to a node, or those after it, as a spec of its own.

        All names stay, so :meth:`train` with ``start`` takes the weights of the whole network. Variables are
        written in numbers.

        Args:
            until: the name of the last layer or block of the part.
            after: instead, the name of the layer or block whose output is the input of the part.
            output: a new file to which the spec is written.

        Raises:
            UsageError: not exactly one of ``until`` and ``after`` is given, there is no such layer, nothing
                comes after it or what does also reads other layers, or the file exists.
        """
        from cnncli.analysis.fit.writing import check_new, write  # noqa: PLC0415
        from cnncli.transfer.cutting import AFTER, UNTIL, cut  # noqa: PLC0415

        self._numeric("a cut")
        if (until is None) == (after is None):
            received = "neither" if until is None else "both"
            raise usage_error("a spec is cut at one place", expected="'until' or 'after'", received=received)
        if output is not None:
            check_new(arguments.text("output", output), None)
        side, name = (UNTIL, until) if until is not None else (AFTER, after)
        source = str(self._origin.name)
        found = cut(self.graph, arguments.text(side, name), side, source)
        described = _part(found, source, side, output)
        if output is not None:
            write(output, found.text)
        return described

    @question
    def page(
        self,
        batch: int = 1,
        *,
        depth: int | None = None,
        fully_connected: bool = False,
        receptive_field: bool = False,
        shifts: bool = False,
        verification: Verification | None = None,
    ) -> Page:
        """Return the page of ``cnncli inspect``, for :mod:`cnncli.report.show`.

        ``verification`` is a result of :meth:`verify` to show as well.

        Raises:
            UsageError: a comparison or a view is requested, but sizes are unknown.
        """
        from cnncli.report.pages import inspect  # noqa: PLC0415

        if verification is not None:
            self._numeric("a comparison with torch")
        figures = self.costs(batch)
        depth = None if depth is None else arguments.whole("depth", depth)
        compared = self.fully_connected() if fully_connected else None
        views = tuple(self._views(receptive_field=receptive_field, shifts=shifts))
        if not self.graph.unknowns:
            asked = inspect.Asked(depth, views, compared, verification=verification)
            return inspect.page(self.graph, figures, batch, asked)
        from cnncli.analysis.memory.totals import memory_totals  # noqa: PLC0415
        from cnncli.report.pages.formulas import Formulas  # noqa: PLC0415

        formulas = Formulas(memory_totals(self.graph, figures, batch), self.sizes())
        return inspect.page(self.graph, figures, batch, inspect.Asked(depth, formulas=formulas))

    def _views(self, *, receptive_field: bool, shifts: bool) -> Iterator[View]:
        if not (receptive_field or shifts):
            return
        from cnncli.report.pages.spatial import FieldView, ShiftView  # noqa: PLC0415

        if receptive_field:
            yield FieldView(self.receptive_field())
        if shifts:
            yield ShiftView(self.shifts())


def _part(found: Part, spec: str, side: str, path: str | None) -> Cut:
    """Return a part of a spec with the shapes and the parameters that its text has."""
    from cnncli.analysis.costs.figures import numbers  # noqa: PLC0415
    from cnncli.graph import open_text  # noqa: PLC0415
    from cnncli.results.cutting import Cut  # noqa: PLC0415

    graph = open_text(found.text, name=path or spec).graph
    return Cut(
        graph.name,
        spec,
        found.node,
        side,
        found.text,
        whole_shape(graph.input),
        {name: whole_shape(output.shape) for name, output in graph.outputs.items()},
        found.dropped,
        len(graph.nodes),
        sum(whole(numbers(node.parameters)) for node in graph.nodes),
        found.reset,
        path,
    )


def _described(found: Mirrored, spec: str, path: str | None) -> Mirror:
    """Return an autoencoder with the shapes, the parameters and the sizes that its text has."""
    from cnncli.analysis.costs.figures import numbers  # noqa: PLC0415
    from cnncli.analysis.sizes import valid_sizes  # noqa: PLC0415
    from cnncli.graph import all_sizes, open_text  # noqa: PLC0415
    from cnncli.results.mirroring import Mirror, MirrorLayer  # noqa: PLC0415

    graph = open_text(found.text, name=path or spec).graph
    nodes = {node.name: node for node in graph.nodes}
    symbols = open_text(found.text, name=path or spec, size=all_sizes).graph
    decoder = (
        MirrorLayer(name, node.kind, whole_shape(node.output_shape), whole(numbers(node.parameters)))
        for name, node in ((name, nodes[name]) for name in found.decoder)
    )
    return Mirror(
        graph.name,
        spec,
        found.last,
        whole_shape(graph.input),
        whole_shape(nodes[found.last].output_shape),
        found.text,
        tuple(decoder),
        valid_sizes(symbols) if symbols.unknowns else None,
        found.reset,
        path,
    )
