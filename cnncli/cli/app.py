"""The application: the commands, and shared options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from keyword import iskeyword
from typing import Annotated, Any, Final

import typer
from typer._click.exceptions import NoArgsIsHelpError, UsageError
from typer.core import TyperGroup

import cnncli
from cnncli.cli import ReaderLeftError
from cnncli.cli.common import fail, guarded
from cnncli.cli.optional import spelled_out
from cnncli.cli.words import refuse_file_names
from cnncli.diagnostics import CnncliError, usage_error

COMMANDS: Final = (
    "inspect",
    "sizes",
    "memory",
    "fit",
    "check",
    "data",
    "pack",
    "mirror",
    "cut",
    "identify",
    "pretrain",
    "train",
    "evaluate",
    "predict",
    "features",
    "similar",
    "look",
    "export",
    "shrink",
    "import",
    "runs",
    "probe",
    "layers",
    "specs",
)
"""The commands in the order of ``--help``; each is the module of its name, with a function ``command``."""


class _Commands(TyperGroup):
    """The commands; ``--symbolic`` needs no value, for which typer has no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _in_our_words():
            refuse_file_names(args)
            return super().parse_args(ctx, spelled_out(args))

    def invoke(self, ctx: Any) -> Any:
        with _in_our_words():
            return super().invoke(ctx)


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Show mistakes in a command line as all others, and end where nobody reads the output any more.

    typer would quote a word as it is, with whatever controls a terminal or a log, and end a command without
    a reader with 1, which means that a network is over its budget.

    Raises:
        Exit: with the code 2, after a mistake.
        ReaderLeftError: the output was closed.
    """
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderLeftError from error
    except NoArgsIsHelpError:
        raise
    except UsageError as error:
        message = error.format_message()
        hint = f"{error.ctx.command_path} --help" if error.ctx is not None else ""
        fail(usage_error(message[:1].lower() + message[1:].removesuffix("."), hint=hint))
    except CnncliError as error:
        fail(error)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cnncli {cnncli.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Convolutional networks from YAML: exact analysis without torch, and training of the same graph."""


def module_of(name: str) -> str:
    """Return the module of a command: that of its name, with ``_`` after a reserved word of Python."""
    return f"{name}_" if iskeyword(name) else name


def application(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """Return the application with some of :data:`COMMANDS`; only their modules are imported."""
    app = typer.Typer(
        cls=_Commands,
        name="cnncli",
        help=_options.__doc__,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for name in commands:
        command = import_module(f"cnncli.cli.{module_of(name)}").command
        # typer would cut a first line that is too long for the list of commands.
        app.command(name, short_help=command.__doc__.partition("\n")[0])(guarded(command))
    return app
