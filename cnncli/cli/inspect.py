"""``cnncli inspect``: shapes, parameters and cost of every layer; of several networks, a row each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cnncli.analysis.costs.figures import Costs, costs
from cnncli.cli.common import Form, Format, InputShape, Overrides, Plugins, SpecWords, for_each, load_plugins
from cnncli.cli.input_size import parse_shape, parse_size
from cnncli.diagnostics import listing, usage_error
from cnncli.graph import Graph, Size, all_sizes, open_spec
from cnncli.language.selection import select
from cnncli.report.pages import inspect as report
from cnncli.report.pages.views import View
from cnncli.report.show import show
from cnncli.report.terminal import Screen, errors, output

if TYPE_CHECKING:
    from cnncli.analysis.costs.fully_connected import Comparison

DIFFERS = 1
"""Exit code where a figure differs from torch's without a known reason."""


def command(
    specs: SpecWords,
    input_size: InputShape = None,
    batch: Annotated[
        int, typer.Option(min=1, metavar="N", help="Samples at once: multiplies MACs, FLOPs and neurons.")
    ] = 1,
    overrides: Overrides = None,
    depth: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Fold names of more parts than this into one row.")
    ] = None,
    form: Form = Format.table,
    fully_connected: Annotated[
        bool,
        typer.Option("--fully-connected", help="Compare with fully connected layers of the same shapes."),
    ] = False,
    receptive_field: Annotated[
        bool, typer.Option("--receptive-field", help="Show what each output position sees of the input.")
    ] = False,
    shifts: Annotated[
        bool, typer.Option("--shifts", help="Show the shifts of the input under which an output only moves.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check every figure against torch and torchinfo.")
    ] = False,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Show the networks' layers in columns, then compare them.")
    ] = False,
    symbolic: Annotated[
        bool,
        typer.Option(
            "--symbolic",
            help="Formulas for all input sizes; where names of variables follow the spec, in those instead.",
        ),
    ] = False,
    plugin: Plugins = None,
) -> None:
    """Show every layer's shape, parameters and cost; of several networks, one row each.

    All is computed from the text alone.
    """
    load_plugins(plugin)
    in_numbers = {
        "--fully-connected": fully_connected,
        "--receptive-field": receptive_field,
        "--shifts": shifts,
        "--verify": verify,
    }
    words, unknown = (specs[:1], specs[1:]) if symbolic else (specs, [])
    files, several = select(words)
    if several or side_by_side:
        one_only = {"--depth": depth, "--symbolic": symbolic, **in_numbers}
        _refuse(one_only, "a comparison", "one spec file, without --side-by-side")
        _overview(files, parse_size(input_size), overrides or (), batch, form, side_by_side=side_by_side)
        return
    size = _size(input_size, symbolic=symbolic and not unknown)
    graph = open_spec(files[0], size=size, overrides=overrides or (), unknown=unknown).graph
    figures = costs(graph, batch)
    if graph.unknowns:
        _refuse(in_numbers, "formulas", "numbers in --input, and no --symbolic")
        asked = report.Asked(depth, formulas=_formulas(graph, figures, batch))
        show(report.page(graph, figures, batch, asked), form)
        return
    views = [*_views(graph, receptive_field=receptive_field, shifts=shifts)]
    asked = report.Asked(depth, views, _comparisons(graph) if fully_connected else None)
    show(report.page(graph, figures, batch, asked), form)
    if verify:
        # A document on standard output stays one; the verdict goes beside it.
        _verify(graph, output() if form is Format.table else errors())


def _comparisons(graph: Graph) -> tuple[Comparison, ...]:
    from cnncli.analysis.costs.fully_connected import compare

    return compare(graph)


def _views(graph: Graph, *, receptive_field: bool, shifts: bool) -> Iterator[View]:
    """What is asked for beside the costs."""
    if not (receptive_field or shifts):
        return
    from cnncli.analysis.space import receptive_field as fields
    from cnncli.analysis.space import shifts as equivariance
    from cnncli.report.pages.spatial import FieldView, ShiftView

    if receptive_field:
        yield FieldView(fields.receptive_fields(graph))
    if shifts:
        yield ShiftView(equivariance.shifts(graph))


def _refuse(options: Mapping[str, object], other: str, expected: str) -> None:
    """Refuse what has no meaning beside something else.

    Raises:
        UsageError: one of the options is given.
    """
    given = [option for option, value in options.items() if value]
    if given:
        raise usage_error(f"{listing(given)} cannot go with {other}", expected=expected)


def _size(input_size: str | None, *, symbolic: bool) -> Size:
    """The input that is asked for.

    Raises:
        UsageError: ``--symbolic`` stands beside a size in numbers.
    """
    size = parse_shape(input_size)
    if symbolic and size is not None and all(isinstance(dim, int) for dim in size):
        raise usage_error(
            f"--symbolic cannot go with --input {input_size}", expected="symbols, such as 3xHxW"
        )
    return all_sizes if symbolic and size is None else size


def _formulas(graph: Graph, figures: Costs, batch: int) -> report.Formulas:
    from cnncli.analysis.memory.totals import memory_totals
    from cnncli.analysis.sizes import valid_sizes

    return report.Formulas(memory_totals(graph, figures, batch), valid_sizes(graph))


def _overview(
    files: Sequence[str],
    size: Sequence[int] | None,
    overrides: Sequence[str],
    batch: int,
    form: Format,
    *,
    side_by_side: bool,
) -> None:
    from cnncli.analysis.costs.overview import overview
    from cnncli.report.pages.compare import page

    networks, code = for_each(
        files, lambda file: overview(open_spec(file, size=size, overrides=overrides).graph, batch)
    )
    if networks:
        show(page(networks, batch, layers=side_by_side), form)
    if code:
        raise typer.Exit(code)


def _verify(graph: Graph, screen: Screen) -> None:
    from cnncli.training.extras import need

    need("torch", "torchinfo", purpose="--verify")
    from cnncli.network.verify import verify
    from cnncli.report.pages.verify import page

    found = verify(graph)
    screen.line()
    show(page(found), screen=screen)
    if not found.ok:
        raise typer.Exit(DIFFERS)
