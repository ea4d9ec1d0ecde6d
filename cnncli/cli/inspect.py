"""``cnncli inspect``: shapes, parameters and cost of every layer; of several networks, a row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from cnncli.analysis import dense
from cnncli.analysis.costs import Costs, costs
from cnncli.cli.common import (
    Format,
    InputSize,
    Overrides,
    Plugins,
    SpecWords,
    for_each,
    load_plugins,
    parse_size,
)
from cnncli.diagnostics import listing, usage_error
from cnncli.graph import Graph, open_spec
from cnncli.report import inspection, verification
from cnncli.report.markdown import markdown_table
from cnncli.report.screen import Screen, errors, output
from cnncli.spec.selection import select

DIFFERS = 1
"""Exit code where a figure differs from torch's without a known reason."""


def command(
    specs: SpecWords,
    input_size: InputSize = None,
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
    verify: Annotated[
        bool, typer.Option("--verify", help="Check every figure against torch and torchinfo.")
    ] = False,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Show the networks' layers in columns, then compare them.")
    ] = False,
    plugin: Plugins = None,
) -> None:
    """Show every layer's shape, parameters and cost; of several networks, one row each.

    All is computed from the text alone.
    """
    load_plugins(plugin)
    size = parse_size(input_size)
    files, several = select(specs)
    if several or side_by_side:
        _refuse({"--depth": depth, "--fully-connected": fully_connected, "--verify": verify})
        _overview(files, size, overrides or (), batch, form, side_by_side=side_by_side)
        return
    graph = open_spec(files[0], size=size, overrides=overrides or ()).graph
    figures = costs(graph, batch)
    comparisons = dense.compare(graph) if fully_connected else None
    if form is Format.json:
        from cnncli.report import inspection_json

        typer.echo(inspection_json.document(graph, figures, batch, comparisons))
    elif form is Format.markdown:
        _markdown(graph, figures, depth, batch, comparisons)
    else:
        _table(graph, figures, depth, batch, comparisons)
    if verify:
        # A document on standard output stays one; what was verified is said beside it.
        _verify(graph, output() if form is Format.table else errors())


def _refuse(options: Mapping[str, object]) -> None:
    """Refuse what says nothing of several networks.

    Raises:
        UsageError: one of the options is given.
    """
    given = [option for option, value in options.items() if value]
    if given:
        raise usage_error(
            f"{listing(given)} cannot go with a comparison", expected="one spec file, without --side-by-side"
        )


def _overview(
    files: Sequence[str],
    size: Sequence[int] | None,
    overrides: Sequence[str],
    batch: int,
    form: Format,
    *,
    side_by_side: bool,
) -> None:
    from cnncli.analysis.overview import overview
    from cnncli.report import overview as report

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


def _table(
    graph: Graph,
    figures: Costs,
    depth: int | None,
    batch: int,
    comparisons: tuple[dense.Comparison, ...] | None,
) -> None:
    screen = output()
    inspection.show(screen, graph, figures, depth, batch)
    if comparisons is not None:
        screen.line()
        screen.table(inspection.dense_table(comparisons))


def _markdown(
    graph: Graph,
    figures: Costs,
    depth: int | None,
    batch: int,
    comparisons: tuple[dense.Comparison, ...] | None,
) -> None:
    lines = [*inspection.markdown(graph, figures, depth, batch)]
    if comparisons is not None:
        lines += ["", *markdown_table(inspection.dense_table(comparisons))]
    typer.echo("\n".join(lines))


def _verify(graph: Graph, screen: Screen) -> None:
    from cnncli.training.extras import need

    need("torch", "torchinfo", purpose="--verify")
    from cnncli.network.verify import verify

    report = verify(graph)
    screen.line()
    screen.lines(verification.lines(report.compared, report.differences, report.totals, screen.width))
    if not report.ok:
        raise typer.Exit(DIFFERS)
