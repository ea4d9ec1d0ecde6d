"""A training on the command line: shown while it runs, and ended by signals."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import typer

from cnncli.cli.exit_codes import SIGNALED
from cnncli.interrupts import EndingAtOnce
from cnncli.report.terminal import errors, output

if TYPE_CHECKING:
    from cnncli.training.launch.launch import Launch

_MANY_OBJECTS: Final = 100_000
"""New objects after which cycles among them are looked for while torch is imported; usually 700."""


def watched(
    open_run: Callable[..., Launch], ending: EndingAtOnce, way: str, *, tensorboard: bool = False
) -> None:
    """Train what is opened, and show it in one of the ways of :data:`cnncli.report.watching.WAYS`.

    ``open_run`` takes an argument ``reading``, for the progress of reading the data.

    Raises:
        Exit: it was interrupted.
    """
    from cnncli.report.watching import WAYS

    watching = WAYS[way](output(), errors())
    with _collecting_rarely(), watching.reading() as progress:
        launch = open_run(reading=progress)
    ending.before = launch.interrupted
    watching.introduce(launch.introduction)
    with watching:
        trained = launch.start(watching, report_every=watching.interval, tensorboard=tensorboard)
    watching.conclude(trained)
    launch.world.leave()
    if trained.signal is not None:
        raise typer.Exit(SIGNALED + trained.signal)


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Switch the collector of cycles on, rarely run inside; in a process of ours, what is there then stays.

    The import of torch makes hundreds of thousands of objects, which were looked at again and again.
    """
    ours, usual = not gc.isenabled(), gc.get_threshold()
    gc.set_threshold(_MANY_OBJECTS, *usual[1:])
    gc.enable()
    try:
        yield
    finally:
        gc.set_threshold(*usual)
    if ours:
        gc.freeze()
