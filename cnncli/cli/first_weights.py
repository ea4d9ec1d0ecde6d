"""The options of ``cnncli train`` for weights that are already learned, as settings of the recipe."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import typer

from cnncli.diagnostics import CnncliError, Diagnostic, Proposal, proposed, usage_error
from cnncli.recipe.origins import Setting, check_once

Settings: TypeAlias = Sequence[Setting]

From: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="RUN|FILE",
        help="Begin with the weights of a run, or of a .safetensors or .pth file.",
    ),
]
Key: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="With --from, which of several state dicts in a .pth file."),
]
Reset: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="With --from, keep the initial weights of these tensors, layers or blocks, such as 'head.*'; "
        "repeatable.",
    ),
]
Moves: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="OLD=NEW",
        help="With --from, a name in the file that is another in the network; repeatable.",
    ),
]
Freeze: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Learn nothing in these layers or blocks: train.groups begins with them; repeatable.",
    ),
]
UnfreezeAt: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="EPOCH",
        help="Let the layers of --freeze learn from this epoch on, counted from 1.",
    ),
]

_START: Final = ("train", "start")
_FROM: Final = (*_START, "from")
_GROUPS: Final = ("train", "groups")


class Given(NamedTuple):
    """The options as they were given."""

    place: str | None
    reset: Sequence[str]
    moves: Sequence[str]
    freeze: Sequence[str]
    unfreeze_at: int | None = None
    key: str | None = None


def with_weights(
    overrides: Sequence[str], given: Given, read: Callable[[Sequence[str]], Settings]
) -> list[str]:
    """Return overrides as ``--set`` takes them, with the settings that the options stand for.

    Args:
        overrides: those that are given.
        given: the options.
        read: returns the settings of the recipe with overrides.

    Raises:
        UsageError: an option has another form, or no effect.
    """
    place = given.place
    if place is None and (given.reset or given.moves or given.key is not None):
        place = next((each.value for each in read(overrides) if each.path == _FROM), None)
        if place is None:
            raise usage_error(
                "--key, --reset and --map are about a file of weights", expected="--from RUN|FILE, too"
            )
    if given.unfreeze_at is not None and not given.freeze:
        raise usage_error(
            "--unfreeze-at is about the layers of --freeze",
            expected="--freeze PATTERN, too",
            hint="a group of a recipe has a setting of its own: unfreeze_at",
        )
    found = [*overrides, *_start(place, given)]
    if given.freeze:
        own = next(each.value for each in read(found) if each.path == _GROUPS)
        until = {} if given.unfreeze_at is None else {"unfreeze_at": given.unfreeze_at}
        frozen = ({"match": pattern, "freeze": True} | until for pattern in given.freeze)
        found.append(_setting(_GROUPS, [*frozen, *own]))
    return found


def _start(place: str | None, given: Given) -> Iterator[str]:
    """Yield the settings of the weights to begin with.

    Raises:
        UsageError: a move is not ``OLD=NEW``, or two have the same old name.
    """
    if place is not None:
        yield _setting(_FROM, place)
    if given.key is not None:
        yield _setting((*_START, "key"), given.key)
    if given.reset:
        yield _setting((*_START, "reset"), list(given.reset))
    named: dict[str, str] = {}
    for move in given.moves:
        old, equals, new = move.partition("=")
        if not equals or old in named:
            message = f"--map {move}: " + (f"'{old}' is mapped twice" if equals else "not a pair of names")
            raise usage_error(message, expected="OLD=NEW, a name in the file and one in the network")
        named[old] = new
    if named:
        yield _setting((*_START, "map"), named)


@contextmanager
def options_in_hints() -> Iterator[None]:
    """Let the hints of errors name the options instead of the settings that they stand for.

    Raises:
        CnncliError: the error.
    """
    try:
        yield
    except CnncliError as error:
        raise type(error)(map(_typed, error.diagnostics)) from error


def _typed(fault: Diagnostic) -> Diagnostic:
    """Return a diagnostic whose proposals are written as options."""
    return fault._replace(hint=proposed(fault.proposals, as_options)) if fault.proposals else fault


def as_options(proposal: Proposal) -> str:
    """Return the options that a proposal stands for, as a shell reads them.

    >>> as_options(Proposal("", ("train", "start", "map"), {"fc": "head", "module": ""}))
    '--map fc=head --map module='
    """
    option, value = f"--{proposal.path[-1]}", proposal.value
    if isinstance(value, str):
        return f"{option} {shlex.quote(value)}"
    words = [f"{old}={new}" for old, new in value.items()] if isinstance(value, Mapping) else value
    return " ".join(f"{option} {shlex.quote(each)}" for each in words)


def check_from_once(settings: Settings, place: str) -> None:
    """Check that the weights are not given by --set as well.

    Raises:
        UsageError: they are.
    """
    check_once(settings, f"--from {place}", _FROM)


def _setting(path: Sequence[str], value: Any) -> str:
    return f"{'.'.join(path)}={json.dumps(value, allow_nan=False)}"
