"""``cnncli train``: train the network of a spec, in a run folder that survives interruptions."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import typer

from cnncli.api import load, load_plugins, need_training, resume, several, speaks
from cnncli.cli.common import Device, Form, Format, Overrides, Plugins, exit_code
from cnncli.cli.exit_codes import LOST
from cnncli.cli.first_weights import (
    Freeze,
    From,
    Given,
    Key,
    Moves,
    Reset,
    UnfreezeAt,
    check_from_once,
    options_in_hints,
    with_weights,
)
from cnncli.cli.watched import watched
from cnncli.diagnostics import CnncliError, listing, usage_error
from cnncli.interrupts import EndingAtOnce, ignore_signals
from cnncli.recipe.data import SOURCE_FORMS
from cnncli.recipe.devices import AUTO
from cnncli.recipe.origins import LIMIT, SOURCE, check_once
from cnncli.report.terminal import errors, output

if TYPE_CHECKING:
    from cnncli.analysis.rates import LayerRate
    from cnncli.recipe.origins import Setting
    from cnncli.results.dry_run import DryRun as Found
    from cnncli.results.find_lr import RangeTest
    from cnncli.results.training import Previewed

T = TypeVar("T")

Spec: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="SPEC",
        help="A spec file, or a name that 'cnncli specs' lists (not with --resume).",
        show_default=False,
    ),
]
Data: TypeAlias = Annotated[
    str | None, typer.Option(metavar="SOURCE", help=f"Training data: {SOURCE_FORMS}.")
]
RunFolder: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="DIR", help="The folder of the run; one in it is continued. runs/NAME-N by default."
    ),
]
Resumed: TypeAlias = Annotated[
    str | None, typer.Option("--resume", metavar="RUN", help="Resume the run in this folder.")
]
RecipeFile: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="A YAML file of settings, over those of the spec's 'train' section."),
]
Limit: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="SHARE", help="Use this share of the training images of each class, such as 0.1."),
]
Memory: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Compute batches in slices, so that a step needs at most this much memory, such as 8GiB.",
    ),
]
PrintRecipe: TypeAlias = Annotated[
    bool,
    typer.Option("--print-recipe", help="Print all settings and where each comes from, and do nothing else."),
]
Preview: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="PNG", help="Write a picture of images before and after the transforms, and train nothing."
    ),
]
DryRun: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Carry out a few steps, and show what a run would do, need and write; keep nothing.",
    ),
]

FindLr: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--find-lr",
        help="Try learning rates from tiny to large, a step each, and suggest one; keep nothing.",
    ),
]
Picture: TypeAlias = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Draw the curve of --find-lr, as .svg or .png."),
]
TensorBoard: TypeAlias = Annotated[
    bool, typer.Option("--tensorboard", help="Also write events for TensorBoard into the run folder.")
]

QuietOption: TypeAlias = Annotated[
    bool, typer.Option("--quiet", help="Print only the folder of the run, at the end, and errors.")
]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print a line of JSON for each event (cnncli.event/1).")
]


def command(
    spec: Spec = None,
    data: Data = None,
    device: Device = AUTO,
    run: RunFolder = None,
    resumed: Resumed = None,
    recipe: RecipeFile = None,
    limit: Limit = None,
    memory: Memory = None,
    from_: From = None,
    key: Key = None,
    reset: Reset = None,
    moves: Moves = None,
    freeze: Freeze = None,
    unfreeze_at: UnfreezeAt = None,
    print_recipe: PrintRecipe = False,
    preview: Preview = None,
    dry_run: DryRun = False,
    find_lr: FindLr = False,
    picture: Picture = None,
    tensorboard: TensorBoard = False,
    quiet: QuietOption = False,
    json: Json = False,
    form: Form = Format.table,
    overrides: Overrides = None,
    plugin: Plugins = None,
) -> None:
    """Train a network, or continue a run, as the same command does when it is repeated.

    The spec's 'train' section has the settings; --set train.optimizer.sgd.lr=0.1 changes any of them.
    """
    instead = {
        "--print-recipe": print_recipe,
        "--preview": preview is not None,
        "--dry-run": dry_run,
        "--find-lr": find_lr,
    }
    _check_of_training(any(instead.values()), quiet=quiet, json=json, tensorboard=tensorboard)
    _check_of_training(any(instead.values()) and not dry_run, memory=memory is not None)
    _check_of_training(preview is not None, **{"from": from_ is not None})
    if quiet and json:
        raise usage_error("--quiet and --json cannot be combined", expected="one of them")
    if any(instead.values()):
        gc.enable()
    way = "json" if json else "quiet" if quiet else "display"
    with (
        _one_voice() as speaks,
        EndingAtOnce(says=speaks) as ending,
        _error_event(wanted=json),
        options_in_hints(),
    ):
        load_plugins(plugin or ())
        more = any((run, recipe, limit, memory, from_, key, reset, moves, freeze, unfreeze_at))
        _check_together(spec, resumed, instead, run=run, more=more)
        _check_output(instead, form, picture)
        if spec is None:
            need_training()
            begin = partial(resume, str(resumed), overrides=overrides or (), data=data, device=device)
            watched(begin, ending, way, tensorboard=tensorboard)
            return
        read = partial(_settings, spec, recipe)
        if overrides and any(each is not None for each in (data, limit, from_)):
            _check_given_once(read(overrides), data, limit, from_)
        chosen = [*(overrides or ()), *([] if limit is None else [f"train.data.limit={limit}"])]
        given = Given(from_, reset or (), moves or (), freeze or (), unfreeze_at, key)
        chosen = with_weights(chosen, given, read)
        network = load(spec, overrides=chosen)
        if print_recipe:
            _print_recipe(network.recipe(data, recipe_file=recipe), network.rates(recipe_file=recipe))
            return
        need_training()
        how: dict[str, Any] = {"run": run, "device": device, "recipe_file": recipe, "memory": memory}
        if preview is not None:
            _preview(partial(network.preview, preview, data, recipe_file=recipe))
        elif dry_run:
            _dry_run(partial(network.dry_run, data, **how), form)
        elif find_lr:
            test = partial(network.find_lr, data, picture=picture, device=device, recipe_file=recipe)
            _find_lr(test, form)
        else:
            begin = partial(network.begin, data, **how)
            watched(begin, ending, way, tensorboard=tensorboard)


def _settings(spec: str, recipe: str | None, overrides: Sequence[str]) -> Sequence[Setting]:
    """Return the settings of the recipe of a spec."""
    return load(spec, overrides=overrides).recipe(recipe_file=recipe)


@contextmanager
def _error_event(*, wanted: bool) -> Iterator[None]:
    """Print an error as an event too, if it is ``wanted``.

    Raises:
        CnncliError: the error.
    """
    try:
        yield
    except CnncliError as error:
        if wanted:
            from cnncli.report.watching import Events

            Events(output(), errors()).failed(error)
        raise


@contextmanager
def _one_voice() -> Iterator[bool]:
    """Let one of several processes show everything; yield whether it is this one.

    An error that only another process knows is shown by that one.

    Raises:
        Exit: another process shows the error.
    """
    leads = not several() or os.environ.get("RANK") == "0"
    try:
        with ExitStack() as nowhere:
            if several():  # torchrun sends signals to the others as soon as one has ended
                nowhere.callback(ignore_signals)
            if not leads:
                stream = nowhere.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
                nowhere.enter_context(redirect_stdout(stream))
                nowhere.enter_context(redirect_stderr(stream))
            yield leads
    except CnncliError as error:
        code = exit_code(error)
        if not speaks(is_lost=code == LOST):
            raise typer.Exit(code) from None
        raise


def _check_together(
    spec: str | None, resumed: str | None, instead: Mapping[str, bool], *, run: str | None, more: bool
) -> None:
    """Check that it is clear what is to be done.

    Args:
        spec: a spec, or None.
        resumed: the folder of a run to continue, or None.
        instead: the options that do something else instead of a training, and whether they are given.
        run: the folder for a new run, or None.
        more: whether other options are given that only a new training has.

    Raises:
        UsageError: there is nothing to do, or two things; or an option has no effect.
    """
    given = [option for option, is_given in instead.items() if is_given]
    if resumed is not None and (spec is not None or more or given):
        hint = f"cnncli train --resume {resumed}"
        raise usage_error("--resume takes spec, settings and folder from the run", hint=hint)
    if resumed is None and spec is None:
        raise usage_error("nothing to train", expected="a spec, or --resume RUN")
    for option in ("--preview", "--find-lr"):
        if option in given and run is not None:
            raise usage_error(f"{option} trains nothing, so there is no run", expected=f"{option} or --run")
    if given and several():
        raise usage_error(f"{listing(given)} is for one process", expected="the command without torchrun")
    if len(given) > 1:
        raise usage_error(f"{listing(given)} cannot be combined", expected="one of them")


def _check_given_once(
    settings: Sequence[Setting], data: str | None, limit: str | None, place: str | None
) -> None:
    """Check that what has an option of its own is not given by --set as well.

    Raises:
        UsageError: it is.
    """
    if data is not None:
        check_once(settings, f"--data {data}", SOURCE)
    if limit is not None:
        check_once(settings, f"--limit {limit}", LIMIT)
    if place is not None:
        check_from_once(settings, place)


def _check_output(instead: Mapping[str, bool], form: Format, picture: str | None) -> None:
    """Check that there is something to show in another format, and something to draw.

    Raises:
        UsageError: there is not.
    """
    if form is not Format.table and not (instead["--dry-run"] or instead["--find-lr"]):
        expected = "--dry-run or --find-lr, or no --format"
        raise usage_error("--format is for the page of --dry-run or --find-lr", expected=expected)
    if picture is not None and not instead["--find-lr"]:
        raise usage_error("--output is for the curve of --find-lr", expected="--find-lr, or no --output")


def _check_of_training(instead: bool, **given: bool) -> None:
    """Check that options of a training are given for one.

    Raises:
        UsageError: something is done ``instead`` of it.
    """
    options = [f"--{name}" for name, is_given in given.items() if is_given]
    if instead and options:
        verb = "is" if len(options) == 1 else "are"
        raise usage_error(f"{listing(options)} {verb} for a training", expected="a command that trains")


def _print_recipe(settings: tuple[Setting, ...], rates: tuple[LayerRate, ...]) -> None:
    from cnncli.report.pages.recipe import lines

    output().lines(lines(settings, rates))


def _preview(write: Callable[..., Previewed]) -> None:
    from cnncli.report.pages.train import previewed, reading

    screen = output()
    with reading(screen) as progress:
        found = write(reading=progress)
    previewed(screen, found)


def _dry_run(carry_out: Callable[..., Found], form: Format) -> None:
    from cnncli.report.pages.dry_run import page
    from cnncli.report.show import show

    show(page(_tried(carry_out)), form)


def _find_lr(carry_out: Callable[..., RangeTest], form: Format) -> None:
    from cnncli.report.pages.find_lr import page
    from cnncli.report.show import show

    show(page(_tried(carry_out)), form)


def _tried(carry_out: Callable[..., T]) -> T:
    """Return what some steps show, and show how far they are meanwhile."""
    from cnncli.report.pages.train import READING, TRYING, counting

    with counting(errors()) as shown:
        return carry_out(reading=shown(READING), trying=shown(TRYING))
