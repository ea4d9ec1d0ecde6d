"""``cnncli inspect``: shapes, parameters and cost of every layer; of several networks, a row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import typer

from cnncli.api import load, load_plugins, select, spec_names
from cnncli.cli.common import Form, Format, InputShape, OptionalSpecWords, Overrides, Plugins, for_each
from cnncli.diagnostics import listing, nearest, usage_error
from cnncli.report.show import show

DIFFERS = 1
"""Exit code if a figure differs from torch's for no known reason."""

Batch: TypeAlias = Annotated[
    int, typer.Option(min=1, metavar="N", help="Batch size; multiplies MACs, FLOPs and neurons.")
]
Depth: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Show names of at most N parts; fold deeper layers into one row."),
]
FullyConnected: TypeAlias = Annotated[
    bool, typer.Option("--fully-connected", help="Compare with fully connected layers of the same shapes.")
]
ReceptiveField: TypeAlias = Annotated[
    bool, typer.Option("--receptive-field", help="Show what each output position reads of the input.")
]
Shifts: TypeAlias = Annotated[
    bool, typer.Option("--shifts", help="Show each layer's translation equivariance.")
]
Verify: TypeAlias = Annotated[
    bool, typer.Option("--verify", help="Check every figure against torch and torchinfo.")
]
SideBySide: TypeAlias = Annotated[
    bool, typer.Option("--side-by-side", help="Show the networks' layers in columns, then compare them.")
]
Symbolic: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--symbolic",
        metavar="[VAR,...]",
        help="Show formulas for all input sizes, or in these variables of the spec.",
    ),
]


def command(
    specs: OptionalSpecWords = None,
    input_size: InputShape = None,
    batch: Batch = 1,
    overrides: Overrides = None,
    depth: Depth = None,
    form: Form = Format.table,
    fully_connected: FullyConnected = False,
    receptive_field: ReceptiveField = False,
    shifts: Shifts = False,
    verify: Verify = False,
    side_by_side: SideBySide = False,
    symbolic: Symbolic = None,
    plugin: Plugins = None,
) -> None:
    """Show every layer's shape, parameters and cost.

    Several specs give one row for each network. Everything is computed from the text of the specs.
    """
    load_plugins(plugin or ())
    files, several = select(_given(specs, symbolic))
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
    network = load(files[0], input=input_size, symbolic=names or symbolic is not None, overrides=settings)
    if network.graph.unknowns:
        _refuse(in_numbers, "formulas", "numbers in --input, and no --symbolic")
    views = {"fully_connected": fully_connected, "receptive_field": receptive_field, "shifts": shifts}
    found = network.verify() if verify else None
    show(network.page(batch, depth=depth, verification=found, **views), form)
    if found is not None and not found.ok:
        raise typer.Exit(DIFFERS)


def _given(specs: list[str] | None, symbolic: str | None) -> list[str]:
    """Return the words for specs.

    Raises:
        UsageError: none is given; ``--symbolic`` may have taken one for a variable.
    """
    if specs:
        return specs
    expected = "a spec file, a folder, a pattern, or a name that 'cnncli specs' lists"
    if not symbolic:
        raise usage_error("no spec is given", expected=expected)
    meant = nearest(symbolic, spec_names())
    raise usage_error(
        f"no spec is given: in '--symbolic {symbolic}', '{symbolic}' is a variable",
        expected=expected,
        hint=f"cnncli inspect {meant or 'SPEC'} --symbolic" + ("" if meant else f" {symbolic}"),
    )


def _refuse(options: Mapping[str, object], other: str, expected: str) -> None:
    """Refuse options that have no meaning together with something else.

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
        files, lambda file: load(file, input=input_size, overrides=settings).overview(batch)
    )
    if networks:
        show(page(networks, batch, layers=side_by_side), form)
    if code:
        raise typer.Exit(code)
