"""What several commands share: options, and how an error ends a command."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Final, NoReturn, ParamSpec, TypeAlias, TypeVar

import typer

from cnncli.cli.exit_codes import INTERRUPTED, OF_DIAGNOSTICS, WRONG
from cnncli.cli.words import permit_plugins
from cnncli.diagnostics import BATCH_IN_INPUT, CnncliError
from cnncli.recipe.devices import DEVICE_FORMS
from cnncli.report.messages import show_error
from cnncli.report.terminal import Screen, errors

P = ParamSpec("P")
T = TypeVar("T")

_SPEC_WORDS: Final = (
    "Spec files, folders, patterns such as 'nets/*.yaml', or names that 'cnncli specs' lists."
)
SpecWords: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="SPEC...",
        help=_SPEC_WORDS,
        show_default=False,
    ),
]
OptionalSpecWords: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="SPEC...", help=_SPEC_WORDS, show_default=False),
]
SpecPath: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="SPEC", help="A spec file, or a name that 'cnncli specs' lists.", show_default=False
    ),
]
InputSize: TypeAlias = Annotated[
    str | None, typer.Option("--input", metavar="SIZE", help="Another input size, such as 3x224x224.")
]
InputShape: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--input", metavar="SIZE", help="Another input size, such as 3x224x224; 3xHxW gives formulas."
    ),
]
Overrides: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Set a variable, or a setting such as train.epochs=20; repeatable.",
    ),
]
Depth: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Show names of at most N parts; fold deeper layers into one row."),
]
Device: TypeAlias = Annotated[str, typer.Option(metavar="DEVICE", help=f"{DEVICE_FORMS}.")]
Weights: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="WHICH", help="best or last; by default the best, if a validation part chose."),
]
Split: TypeAlias = Annotated[
    str | None, typer.Option(metavar="PART", help="The part of a source: train, val or test.")
]
Plugins: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="FILE", help="A Python file that adds kinds of layers."),
]


class Format(StrEnum):
    """The formats of :data:`cnncli.report.show.FORMATS`."""

    table = "table"
    json = "json"
    markdown = "markdown"
    html = "html"


Form: TypeAlias = Annotated[Format, typer.Option("--format", help="Output format.")]
"""Every command that shows a page shows it in any format."""


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Return the command, showing its errors and exiting with their code instead of raising them."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            permit_plugins(kwargs.get("plugin"))
            command(*args, **kwargs)
        except CnncliError as error:
            fail(_with_batch_option(error) if "batch" in kwargs else error)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    return run


def fail(error: CnncliError) -> NoReturn:
    """Show an error and end the command.

    Raises:
        Exit: with its code (:mod:`cnncli.cli.exit_codes`).
    """
    _show(errors(), error)
    raise typer.Exit(exit_code(error)) from None


def exit_code(error: CnncliError) -> int:
    """Return the exit code of a command that ends with an error."""
    return OF_DIAGNOSTICS.get(error.diagnostics[0].code, WRONG)


def _show(screen: Screen, error: CnncliError) -> None:
    """Show an error; that nobody can read it does not change the exit code."""
    with suppress(OSError):
        show_error(screen, error)


def _with_batch_option(error: CnncliError) -> CnncliError:
    """Return the error; of an input size that begins with a batch size, with the option for that."""
    return type(error)(
        each._replace(hint=f"{each.hint}, use --batch") if each.code == BATCH_IN_INPUT else each
        for each in error.diagnostics
    )


def for_each(files: Iterable[str], action: Callable[[str], T]) -> tuple[list[T], int]:
    """Return the results of an action on each file, and the exit code.

    The errors of a faulty file are shown, and the files after it are still read.
    """
    results: list[T] = []
    code = 0
    screen = errors()
    for file in files:
        try:
            results.append(action(file))
        except CnncliError as error:
            if code:
                screen.line()
            _show(screen, error)
            code = WRONG
    return results, code
