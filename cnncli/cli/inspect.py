"""``cnncli inspect``: shapes, parameters and cost of every layer; of several networks, a row each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import typer

from cnncli.analysis.costs import fully_connected as dense
from cnncli.analysis.costs.figures import Costs, costs
from cnncli.cli.common import Format, InputShape, Overrides, Plugins, SpecWords, for_each, load_plugins
from cnncli.cli.input_size import parse_shape, parse_size
from cnncli.diagnostics import listing, usage_error
from cnncli.graph import Graph, Size, all_sizes, open_spec
from cnncli.language.selection import select
from cnncli.report.markdown import markdown_table
from cnncli.report.pages import inspect as inspection
from cnncli.report.pages import verify as verification
from cnncli.report.pages.views import View
from cnncli.report.terminal import Screen, errors, output

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
    form: Annotated[Format, typer.Option("--format", help="How to show it.")] = Format.table,
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
        _symbolic(graph, figures, depth, batch, form)
        return
    comparisons = dense.compare(graph) if fully_connected else None
    views = [*_views(graph, receptive_field=receptive_field, shifts=shifts)]
    _numbers(graph, figures, depth, batch, form, comparisons, views)
    if verify:
        # A document on standard output stays one; what was verified is said beside it.
        _verify(graph, output() if form is Format.table else errors())


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


def _symbolic(graph: Graph, figures: Costs, depth: int | None, batch: int, form: Format) -> None:
    from cnncli.analysis.memory.totals import memory_totals
    from cnncli.analysis.sizes import valid_sizes
    from cnncli.report.pages import inspect_data as inspection_json
    from cnncli.report.pages import inspect_formulas as symbolic
    from cnncli.report.pages.sizes import where_it_holds

    memory = memory_totals(graph, figures, batch)
    found = valid_sizes(graph)
    if form is Format.json:
        more = {"memory": symbolic.memory_document(memory), **where_it_holds(graph, found)}
        typer.echo(inspection_json.document(graph, figures, batch, None, more=more))
        return
    if form is Format.markdown:
        typer.echo("\n".join(symbolic.markdown(graph, figures, memory, found, depth, batch)))
    else:
        symbolic.show(output(), graph, figures, memory, found, depth, batch)


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
    from cnncli.report.pages import compare as report

    if side_by_side and form is Format.json:
        raise usage_error("--side-by-side has no JSON form", expected="--format table or markdown")
    networks, code = for_each(
        files, lambda file: overview(open_spec(file, size=size, overrides=overrides).graph, batch)
    )
    if networks and form is Format.json:
        typer.echo(report.document(networks, batch))
    elif networks and form is Format.markdown:
        typer.echo("\n".join(report.markdown(networks, batch, layers=side_by_side)))
    elif networks:
        report.show(output(), networks, batch, layers=side_by_side)
    if code:
        raise typer.Exit(code)


def _numbers(
    graph: Graph,
    figures: Costs,
    depth: int | None,
    batch: int,
    form: Format,
    comparisons: tuple[dense.Comparison, ...] | None,
    views: Sequence[View],
) -> None:
    if form is Format.json:
        from cnncli.report.pages import inspect_data as inspection_json

        typer.echo(inspection_json.document(graph, figures, batch, comparisons, views))
        return
    compared = inspection.dense_table(comparisons) if comparisons is not None else None
    if form is Format.markdown:
        lines = [*inspection.markdown(graph, figures, depth, batch, views)]
        lines += ["", *markdown_table(compared)] if compared is not None else []
        typer.echo("\n".join(lines))
        return
    screen = output()
    inspection.show(screen, graph, figures, depth, batch, views)
    if compared is not None:
        screen.line()
        screen.table(compared)


def _verify(graph: Graph, screen: Screen) -> None:
    from cnncli.training.extras import need

    need("torch", "torchinfo", purpose="--verify")
    from cnncli.network.verify import verify

    report = verify(graph)
    screen.line()
    screen.lines(verification.lines(report.compared, report.differences, report.totals, screen.width))
    if not report.ok:
        raise typer.Exit(DIFFERS)
