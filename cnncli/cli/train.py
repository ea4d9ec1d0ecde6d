"""``cnncli train``: train the network of a spec, in a run folder that survives interruptions."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cnncli.api import load, load_plugins, need_training, resume
from cnncli.cli.common import Device, Form, Format, Overrides, Plugins
from cnncli.cli.exit_codes import SIGNALED
from cnncli.diagnostics import CnncliError, listing, usage_error
from cnncli.interrupts import EndingAtOnce
from cnncli.recipe.data import SOURCE_FORMS
from cnncli.recipe.devices import AUTO
from cnncli.report.terminal import errors, output

if TYPE_CHECKING:
    from cnncli.recipe.origins import Setting
    from cnncli.results.dry_run import DryRun as Found
    from cnncli.results.training import Previewed
    from cnncli.training.launch.launch import Launch

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
    print_recipe: PrintRecipe = False,
    preview: Preview = None,
    dry_run: DryRun = False,
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
    gc.enable()
    _check_instead(print_recipe=print_recipe, preview=preview is not None, dry_run=dry_run)
    instead = print_recipe or preview is not None or dry_run
    _check_of_training(instead, quiet=quiet, json=json, tensorboard=tensorboard)
    if quiet and json:
        raise usage_error("--quiet and --json cannot be combined", expected="one of them")
    way = "json" if json else "quiet" if quiet else "display"
    with EndingAtOnce() as ending, _error_event(wanted=json):
        load_plugins(plugin or ())
        if resumed is not None:
            _check_resumed(resumed, instead or any((spec, run, recipe, limit)))
        elif spec is None:
            raise usage_error("nothing to train", expected="a spec, or --resume RUN")
        elif preview is not None and run is not None:
            raise usage_error("--preview trains nothing, so there is no run", expected="--preview or --run")
        if form is not Format.table and not dry_run:
            raise usage_error("--format is for the page of --dry-run", expected="--dry-run, or no --format")
        if spec is None:
            need_training()
            begin = partial(resume, str(resumed), overrides=overrides or (), data=data, device=device)
            _train(begin, ending, way, tensorboard=tensorboard)
            return
        chosen = [*(overrides or ()), *([] if limit is None else [f"train.data.limit={limit}"])]
        network = load(spec, overrides=chosen)
        if print_recipe:
            _print_recipe(network.recipe(data, recipe_file=recipe))
            return
        need_training()
        if preview is not None:
            _preview(partial(network.preview, preview, data, recipe_file=recipe))
        elif dry_run:
            _dry_run(partial(network.dry_run, data, run=run, device=device, recipe_file=recipe), form)
        else:
            begin = partial(network.begin, data, run=run, device=device, recipe_file=recipe)
            _train(begin, ending, way, tensorboard=tensorboard)


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


def _check_resumed(run: str, more: bool) -> None:
    """Check that nothing else is said about a run that is resumed.

    Raises:
        UsageError: there is ``more``.
    """
    if more:
        hint = f"cnncli train --resume {run}"
        raise usage_error("--resume takes spec, settings and folder from the run", hint=hint)


def _check_instead(**given: bool) -> None:
    """Check that at most one thing is to be done instead of a training.

    Raises:
        UsageError: there are two.
    """
    options = [f"--{name.replace('_', '-')}" for name, is_given in given.items() if is_given]
    if len(options) > 1:
        raise usage_error(f"{listing(options)} cannot be combined", expected="one of them")


def _check_of_training(instead: bool, **given: bool) -> None:
    """Check that options of a training are given for one.

    Raises:
        UsageError: something is done ``instead`` of it.
    """
    options = [f"--{name}" for name, is_given in given.items() if is_given]
    if instead and options:
        verb = "is" if len(options) == 1 else "are"
        raise usage_error(f"{listing(options)} {verb} for a training", expected="a command that trains")


def _print_recipe(settings: tuple[Setting, ...]) -> None:
    from cnncli.report.pages.recipe import lines

    output().lines(lines(settings))


def _preview(write: Callable[..., Previewed]) -> None:
    from cnncli.report.pages.train import previewed, reading

    screen = output()
    with reading(screen) as progress:
        found = write(reading=progress)
    previewed(screen, found)


def _dry_run(carry_out: Callable[..., Found], form: Format) -> None:
    from cnncli.report.pages.dry_run import page
    from cnncli.report.pages.train import READING, TRYING, counting
    from cnncli.report.show import show

    with counting(errors()) as shown:
        found = carry_out(reading=shown(READING), trying=shown(TRYING))
    show(page(found), form)


def _train(open_run: Callable[..., Launch], ending: EndingAtOnce, way: str, *, tensorboard: bool) -> None:
    """Train what is opened, and show it in one of the ways of :data:`cnncli.report.watching.WAYS`.

    Raises:
        Exit: it was interrupted.
    """
    from cnncli.report.watching import WAYS

    watching = WAYS[way](output(), errors())
    with watching.reading() as progress:
        launch = open_run(reading=progress)
    ending.before = launch.interrupted
    watching.introduce(launch.introduction)
    with watching:
        trained = launch.start(watching, report_every=watching.interval, tensorboard=tensorboard)
    watching.conclude(trained)
    if trained.signal is not None:
        raise typer.Exit(SIGNALED + trained.signal)
