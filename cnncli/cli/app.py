"""The application: commands, and what they share."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import cnncli
from cnncli.cli import check, evaluate, fit, inspect, layers, memory, probe, sizes, specs, train
from cnncli.cli.common import guarded
from cnncli.cli.optional import spelled_out


class _Commands(TyperGroup):
    """The commands; ``--symbolic`` may stand without a value, for which typer has no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spelled_out(args))


app = typer.Typer(
    cls=_Commands,
    name="cnncli",
    help="Convolutional networks from YAML: exact analysis without torch, and training of the same graph.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cnncli {cnncli.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Convolutional networks from YAML: exact analysis without torch, and training of the same graph."""


app.command("inspect")(guarded(inspect.command))
app.command("sizes")(guarded(sizes.command))
app.command("memory")(guarded(memory.command))
app.command("fit")(guarded(fit.command))
app.command("check")(guarded(check.command))
app.command("train")(guarded(train.command))
app.command("evaluate")(guarded(evaluate.command))
app.command("probe")(guarded(probe.command))
app.command("layers")(guarded(layers.command))
app.command("specs")(guarded(specs.command))
