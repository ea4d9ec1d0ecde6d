"""``cnncli inspect``: shapes, parameters and cost of every layer; of several networks, a row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

import typer

from cnncli.api import load, load_plugins, select, spec_names
from cnncli.cli.common import (
    Depth,
    Form,
    Format,
    InputShape,
    OptionalSpecWords,
    Overrides,
    Plugins,
    for_each,
)
from cnncli.cli.exit_codes import NOT_MET
from cnncli.cli.optional import variables
from cnncli.diagnostics import listing, nearest, usage_error
from cnncli.report.show import show

Batch: TypeAlias = Annotated[
    int, typer.Option(min=1, metavar="N", help="Batch size; multiplies MACs, FLOPs, neurons and values.")
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
    names = _variables(symbolic)
    files, several = select(_given(specs, names))
    settings = overrides or []
    in_numbers = {
        "--fully-connected": fully_connected,
        "--receptive-field": receptive_field,
        "--shifts": shifts,
        "--verify": verify,
    }
    if several or side_by_side:
        one_only = {"--depth": depth, "--symbolic": symbolic is not None, **in_numbers}
        expected = "one spec file, without --side-by-side"
        _refuse(one_only, "a comparison", expected, listing(files) if len(files) > 1 else "")
        _compare(files, input_size, settings, batch, form, side_by_side=side_by_side)
        return
    network = load(files[0], input=input_size, symbolic=names or symbolic is not None, overrides=settings)
    if network.graph.unknowns:
        _refuse(in_numbers, "formulas", "numbers in --input, and no --symbolic")
    views = {"fully_connected": fully_connected, "receptive_field": receptive_field, "shifts": shifts}
    found = network.verify() if verify else None
    show(network.page(batch, depth=depth, verification=found, **views), form)
    if found is not None and not found.ok:
        raise typer.Exit(NOT_MET)  # a figure differs from torch's for no known reason


def _variables(symbolic: str | None) -> list[str]:
    """Return the variables that ``--symbolic`` names.

    Raises:
        UsageError: one of the names is empty.
    """
    names = [] if symbolic is None else variables(symbolic)
    if "" in names:
        raise usage_error(
            f"'{symbolic}' after --symbolic has an empty name",
            expected="names of variables of the spec, such as width,depth, or nothing for all input sizes",
        )
    return names


def _given(specs: list[str] | None, names: Sequence[str]) -> list[str]:
    """Return the words for specs.

    Raises:
        UsageError: none is given; ``--symbolic`` may have taken one for a variable.
    """
    if specs:
        return specs
    expected = "a spec file, a folder, a pattern, or a name that 'cnncli specs' lists"
    if not names:
        raise usage_error("no spec is given", expected=expected)
    symbolic = ",".join(names)
    meant = nearest(symbolic, spec_names())
    raise usage_error(
        f"no spec is given: in '--symbolic {symbolic}', '{symbolic}' is a variable",
        expected=expected,
        hint=f"cnncli inspect {meant or 'SPEC'} --symbolic" + ("" if meant else f" {symbolic}"),
    )


def _refuse(options: Mapping[str, object], other: str, expected: str, received: str = "") -> None:
    """Refuse options that have no meaning together with something else.

    Raises:
        UsageError: one of them is given.
    """
    given = [option for option, value in options.items() if value]
    if given:
        message = f"{listing(given)} cannot be combined with {other}"
        raise usage_error(message, expected=expected, received=received)


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
    if any(each.graph.unknowns for each in networks):
        _refuse({"--side-by-side": side_by_side}, "formulas", "numbers in --input")
    if networks:
        show(page(networks, batch, layers=side_by_side), form)
    if code:
        raise typer.Exit(code)
