"""A network as its spec describes it; its methods are the analyses, the torch module and training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cnncli import arguments
from cnncli.algebra import Dim, symbols_of
from cnncli.diagnostics import usage_error
from cnncli.graph import Graph, Opened, all_sizes, open_spec, open_text, read_train
from cnncli.language.overrides import section_of
from cnncli.layers import shape_text
from cnncli.recipe.devices import AUTO
from cnncli.recipe.dtypes import DEFAULT_DTYPE
from cnncli.recipe.train import Train, with_overrides

if TYPE_CHECKING:
    from torch import nn

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
    from cnncli.results.probe import Probe
    from cnncli.results.training import Evaluated, Reading, Trained
    from cnncli.results.verify import Verification
    from cnncli.training.launch import Launch
    from cnncli.training.observer import Observer


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
    connections: Dim
    line: int
    training_only: bool


class Origin(NamedTuple):
    """The origin of a spec: a path or name, or a text and the name that messages use for it."""

    name: str | Path
    text: str | None

    def open(self, **how: Any) -> Opened:
        if self.text is None:
            return open_spec(self.name, **how)
        return open_text(self.text, name=str(self.name), **how)


_FROZEN: Final = "an Architecture is frozen; load another one, or call symbolic()"


class Architecture:
    """A network as its spec describes it: frozen and checked. Made by :func:`cnncli.load`."""

    __slots__ = ("_input", "_opened", "_origin", "_overrides")

    _origin: Origin
    _input: Any
    _overrides: tuple[str, ...]
    _opened: Opened

    def __init__(
        self, origin: Origin, size: Any, overrides: tuple[str, ...], unknown: Sequence[str] = ()
    ) -> None:
        opened = origin.open(size=size, overrides=overrides, unknown=tuple(unknown))
        for name, value in zip(self.__slots__, (size, opened, origin, overrides), strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(_FROZEN)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(_FROZEN)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Architecture):
            return NotImplemented
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash((self.name, self.input_shape, len(self.graph.nodes)))

    def __copy__(self) -> Architecture:
        return self

    def __deepcopy__(self, _: object) -> Architecture:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # As one text, so that what is read again is the same even if the files have changed.
        from cnncli.language.writer import to_yaml  # noqa: PLC0415

        origin = Origin(self._origin.name, to_yaml(self._opened.document))
        return Architecture, (origin, self._input, (), self.graph.variables)

    def __repr__(self) -> str:
        shape = shape_text(self.input_shape)
        return f"<cnncli.Architecture {self.name}: input {shape}, {len(self.graph.nodes)} layers>"

    def __str__(self) -> str:
        from cnncli.report.show import text  # noqa: PLC0415

        return text(self.page()).rstrip("\n")

    def _repr_html_(self) -> str:
        from cnncli.report.show import text  # noqa: PLC0415

        return text(self.page(), "html")

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
    def settings(self) -> Train:
        """The spec's ``train`` section."""
        return self._opened.train

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
            )
            for node, figures in self.costs().rows
        )

    def symbolic(self, *variables: str) -> Architecture:
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
        return Architecture(self._origin, size, self._overrides, names)

    def costs(self, batch: int = 1) -> Costs:
        """Return parameters, MACs, FLOPs, neurons and connections of each layer, and their totals."""
        from cnncli.analysis.costs.figures import costs  # noqa: PLC0415

        return costs(self.graph, arguments.whole("batch", batch))

    def overview(self, batch: int = 1) -> Overview:
        """Return the network's costs and its depth."""
        from cnncli.analysis.costs.overview import overview  # noqa: PLC0415

        return overview(self.graph, arguments.whole("batch", batch))

    def fully_connected(self) -> tuple[Comparison, ...]:
        """Compare the weights of each layer with those of a fully connected layer of the same shapes."""
        from cnncli.analysis.costs.fully_connected import compare  # noqa: PLC0415

        return compare(self._numeric("a comparison with fully connected layers"))

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
            settings: training settings that affect memory: ``optimizer="adamw"``, ``momentum=0``.

        Raises:
            UsageError: not even one sample fits, or an argument is wrong.
            SpecError: sizes are unknown, and a layer's memory has no single formula.
        """
        from cnncli.analysis.memory.report import memory_report  # noqa: PLC0415

        train = self._with_settings(settings).settings
        return memory_report(
            self.graph, train, arguments.whole("batch", batch), arguments.text("dtype", dtype), fit_into
        )

    def sizes(self) -> ValidSizes:
        """Return the input sizes that are accepted along each axis, and the layers that decide this."""
        from cnncli.analysis.sizes import valid_sizes  # noqa: PLC0415

        return valid_sizes((self if self.graph.unknowns else self.symbolic()).graph)

    def nearest_sizes(self, size: int) -> Mapping[str, Near]:
        """Return the accepted sizes nearest to ``size``, along each axis."""
        from cnncli.analysis.sizes import near  # noqa: PLC0415

        return near(self.sizes().axes, arguments.whole("size", size))

    def receptive_field(self) -> Mapping[str, Field]:
        """Return the receptive field of each node: size, jump and center along each axis of the input."""
        from cnncli.analysis.space.receptive_field import receptive_fields  # noqa: PLC0415

        return receptive_fields(self._numeric("a receptive field"))

    def shifts(self) -> Mapping[str, tuple[Shift, ...]]:
        """Return the smallest shifts of the input that only shift each node's output (equivariance)."""
        from cnncli.analysis.space.shifts import shifts  # noqa: PLC0415

        return shifts(self._numeric("shift equivariance"))

    def check(self, budget: str | Path | Mapping[str, int | str] | None = None) -> tuple[Verdict, ...]:
        """Return a verdict for each limit of a budget: the spec's own, a file's, or ``{"params": "62k"}``.

        Raises:
            UsageError: the budget sets no limit.
        """
        from cnncli.analysis import check  # noqa: PLC0415

        self._numeric("a budget")
        limits = self._opened.budget if budget is None else check.read(arguments.budget(budget))
        verdicts = check.check(self.costs(), limits)
        if not verdicts:
            hint = "write limits under 'budget:' in the spec, or give a file of limits"
            raise usage_error(f"'{self._origin.name}' has no budget", hint=hint)
        return verdicts

    def fit(self, *variables: str, output: str | None = None, **limits: int | str) -> Search:
        """Find the largest values of variables, one after another, for which limits hold.

        Args:
            variables: names of variables of the spec.
            output: a new file to which the changed spec is written.
            limits: the most that figures may be: ``params="1M"``, ``memory="8GiB"``; the spec's own budget by
                default.

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

    def module(self, device: Any = None) -> nn.Module:
        """Return a newly initialized torch module that computes this network.

        ``device`` is a ``torch.device`` or auto, cpu, cuda, cuda:N, mps or meta; the CPU by default.

        Raises:
            UsageError: torch is not installed, or does not have this device.
            CnncliError: a kind of layer has no torch implementation.
        """
        _need("torch", purpose="module()")
        from cnncli.network import build_network  # noqa: PLC0415
        from cnncli.training.device import choose_device  # noqa: PLC0415

        name = arguments.device(device, "cpu")
        where = name if name == "meta" else choose_device(name)
        return build_network(self._numeric("a torch module"), where)

    def verify(self) -> Verification:
        """Compare all figures with those of torch and torchinfo.

        Raises:
            UsageError: torch or torchinfo is not installed.
        """
        _need("torch", "torchinfo", purpose="verify()")
        from cnncli.network.verify import verify  # noqa: PLC0415

        return verify(self._numeric("a comparison with torch"))

    def probe(
        self, pixels: int = 4, *, samples: int = 4, seed: int = 0, weights: str | Path | None = None
    ) -> Probe:
        """Shift an input by 1 to ``pixels``, measure how outputs change, and check :meth:`shifts`.

        Args:
            pixels: the largest shift.
            samples: random inputs to measure.
            seed: seed of the weights and the inputs.
            weights: the folder of a run whose weights to use.

        Raises:
            UsageError: the input is a vector, or ``weights`` is not the folder of a run.
        """
        if len(self.input_shape) == 1:
            expected = "an input with positions, such as 3x224x224"
            raise usage_error(f"{self.name}: nothing to shift", expected=expected, received="a vector")
        _need("torch", purpose="probe")
        from cnncli.network.network import build_network  # noqa: PLC0415
        from cnncli.network.probe import probe, seeded  # noqa: PLC0415

        graph = self._numeric("probing")
        most, count = arguments.whole("pixels", pixels), arguments.whole("samples", samples)
        with seeded(arguments.whole("seed", seed, 0, 2**64 - 1)):
            network = build_network(graph)
            if weights is not None:
                _load_weights(network, arguments.path("weights", weights))
            return probe(graph, network, most, count)

    def begin(
        self,
        data: str | None = None,
        *,
        run: str | Path | None = None,
        device: Any = AUTO,
        settings_file: str | Path | None = None,
        reading: Reading = None,
        **settings: Any,
    ) -> Launch:
        """Check everything and create the folder of a new run; ``start()`` of the result trains.

        Args:
            data: a source such as "idx:DIR" (:mod:`cnncli.recipe.data`); the spec's own by default.
            run: the folder; ``runs/NAME-N`` by default.
            device: "auto", a device such as "cpu" (:mod:`cnncli.recipe.devices`), or a ``torch.device``.
            settings_file: a YAML file of settings that replaces the spec's ``train`` section.
            reading: called with (images read, of how many).
            settings: training settings, such as ``epochs=5, lr=0.1``.

        Raises:
            CnncliError: spec, data and settings do not match, or the folder is not empty.
        """
        need_training()
        self._numeric("training")
        from cnncli.training import launch  # noqa: PLC0415

        changed = self._with_settings(settings)
        chosen = changed.settings
        if settings_file is not None:
            texts = [text for text in changed._overrides if section_of(text) == Train.keyword]
            chosen = with_overrides(read_train(settings_file), texts)
        if data is not None:
            chosen = chosen.replaced({"data": arguments.text("data", data)})
        folder = None if run is None else arguments.path("run", run)
        return launch.begin(changed._opened, chosen, arguments.device(device, AUTO), folder, reading)

    def train(self, data: str | None = None, *, observer: Observer | None = None, **how: Any) -> Trained:
        """Train the network in a new run folder; the arguments are those of :meth:`begin`.

        Torch's generators are seeded by the settings, and continue from there afterwards.

        Raises:
            CnncliError: spec, data and settings do not match, or the training diverges.
        """
        return self.begin(data, **how).start(observer)

    def evaluate(self, module: nn.Module, data: str | None = None, *, reading: Reading = None) -> Evaluated:
        """Evaluate a torch module of this network on held-out data, on the device of its parameters.

        Images are normalized as in training. :func:`cnncli.evaluate` evaluates the weights of a run.

        Args:
            module: a result of :meth:`module`; it is not changed.
            data: a source such as "idx:DIR" (:mod:`cnncli.recipe.data`); the spec's own by default.
            reading: called with (images read, of how many).

        Raises:
            CnncliError: it is not a module of this network, or the data does not match the network.
        """
        need_training()
        from cnncli.training import launch  # noqa: PLC0415

        source = None if data is None else arguments.text("data", data)
        return launch.evaluate_module(self.graph, module, self.settings, source, reading)

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

        figures = self.costs(batch)
        depth = None if depth is None else arguments.whole("depth", depth)
        compared = self.fully_connected() if fully_connected else None
        views = tuple(self._views(receptive_field=receptive_field, shifts=shifts))
        if not self.graph.unknowns:
            asked = inspect.Asked(depth, views, compared, verification=verification)
            return inspect.page(self.graph, figures, batch, asked)
        from cnncli.analysis.memory.totals import memory_totals  # noqa: PLC0415

        formulas = inspect.Formulas(memory_totals(self.graph, figures, batch), self.sizes())
        return inspect.page(self.graph, figures, batch, inspect.Asked(depth, formulas=formulas))

    def _views(self, *, receptive_field: bool, shifts: bool) -> Iterator[View]:
        if not (receptive_field or shifts):
            return
        from cnncli.report.pages.spatial import FieldView, ShiftView  # noqa: PLC0415

        if receptive_field:
            yield FieldView(self.receptive_field())
        if shifts:
            yield ShiftView(self.shifts())

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

    def _with_settings(self, settings: Mapping[str, Any]) -> Architecture:
        if not settings:
            return self
        overrides = (*self._overrides, *arguments.keywords(settings, "train."))
        return Architecture(self._origin, self._input, overrides, self.graph.variables)

    def _compared(self) -> tuple[object, ...]:
        """Return what equal architectures have in common: the network, its settings and its budget."""
        graph, opened = self.graph, self._opened
        nodes = [(node.name, node.layer, node.inputs, node.training_only) for node in graph.nodes]
        network = (graph.name, graph.input, nodes, graph.outputs, graph.variables)
        return network, opened.train, opened.budget, opened.paper

    def _reopened(self, overrides: Sequence[str], **how: Any) -> Opened:
        return self._origin.open(size=self._input, overrides=(*self._overrides, *overrides), **how)


def need_training() -> None:
    """Check that everything that training needs is installed.

    Raises:
        UsageError: naming the missing packages and the command that installs them.
    """
    from cnncli.training import extras  # noqa: PLC0415

    extras.need_training()


def _load_weights(network: nn.Module, run: Path) -> None:
    """Fill a network with the weights of a run.

    Raises:
        UsageError: the folder is not a run, or its weights are those of another network.
    """
    _need("safetensors", purpose="weights of a run")
    from cnncli.training.runs.run import open_run  # noqa: PLC0415
    from cnncli.training.runs.weights import load_weights  # noqa: PLC0415

    load_weights(network, open_run(run).weights)


def _need(*packages: str, purpose: str) -> None:
    from cnncli.training.extras import need  # noqa: PLC0415

    need(*packages, purpose=purpose)
