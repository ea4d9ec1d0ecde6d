"""``cnncli inspect``: shapes, parameters and cost of every layer; of several networks, a row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from cnncli.api import load, load_plugins, select
from cnncli.cli.common import Form, Format, InputShape, Overrides, Plugins, SpecWords, for_each
from cnncli.diagnostics import listing, usage_error
from cnncli.report.show import show
from cnncli.report.terminal import errors, output

if TYPE_CHECKING:
    from cnncli.api import Architecture

DIFFERS = 1
"""Exit code where a figure differs from torch's without a known reason."""


def command(
    specs: SpecWords,
    input_size: InputShape = None,
    batch: Annotated[
        int, typer.Option(min=1, metavar="N", help="Samples at once; multiplies MACs, FLOPs and neurons.")
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
        bool, typer.Option("--receptive-field", help="Show what each output position reads of the input.")
    ] = False,
    shifts: Annotated[
        bool, typer.Option("--shifts", help="Show each layer's translation equivariance.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check every figure against torch and torchinfo.")
    ] = False,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Show the networks' layers in columns, then compare them.")
    ] = False,
    symbolic: Annotated[
        str | None,
        typer.Option(
            "--symbolic",
            metavar="[VAR,...]",
            help="Formulas for all input sizes, or in these variables of the spec.",
        ),
    ] = None,
    plugin: Plugins = None,
) -> None:
    """Show every layer's shape, parameters and cost; of several networks, one row each.

    Everything is computed from the text alone.
    """
    load_plugins(plugin or ())
    files, several = select(specs)
    settings = overrides or []
    in_numbers = {
        "--fully-connected": fully_connected,
        "--receptive-field": receptive_field,
        "--shifts": shifts,
        "--verify": verify,
    }
    if several or side_by_side:
        one_only = {"--depth": depth, "--symbolic": symbolic is not None, **in_numbers}
        _refuse(one_only, "a comparison", "one spec file, without --side-by-side")
        _compare(files, input_size, settings, batch, form, side_by_side=side_by_side)
        return
    names = [] if symbolic is None else list(filter(None, symbolic.split(",")))
    network = load(files[0], input=input_size, symbolic=names or symbolic is not None, settings=settings)
    if network.graph.unknowns:
        _refuse(in_numbers, "formulas", "numbers in --input, and no --symbolic")
    page = network.page(
        batch,
        depth=depth,
        fully_connected=fully_connected,
        receptive_field=receptive_field,
        shifts=shifts,
    )
    show(page, form)
    if verify:
        _verify(network, form)


def _refuse(options: Mapping[str, object], other: str, expected: str) -> None:
    """Refuse options that have no meaning beside something else.

    Raises:
        UsageError: one of them is given.
    """
    given = [option for option, value in options.items() if value]
    if given:
        raise usage_error(f"{listing(given)} cannot be combined with {other}", expected=expected)


def _compare(
    files: tuple[str, ...],
    input_size: str | None,
    settings: list[str],
    batch: int,
    form: Format,
    *,
    side_by_side: bool,
) -> None:
    from cnncli.report.pages.compare import page

    networks, code = for_each(
        files, lambda file: load(file, input=input_size, settings=settings).overview(batch)
    )
    if networks:
        show(page(networks, batch, layers=side_by_side), form)
    if code:
        raise typer.Exit(code)


def _verify(network: Architecture, form: Format) -> None:
    from cnncli.report.pages.verify import page

    found = network.verify()
    # A document on standard output stays one; the verdict goes beside it.
    screen = output() if form is Format.table else errors()
    screen.line()
    show(page(found), screen=screen)
    if not found.ok:
        raise typer.Exit(DIFFERS)
