"""In what a file of weights differs from a network, and what can be done about it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from glob import escape
from typing import Final, NamedTuple, TypedDict

from cnncli.diagnostics import Diagnostic, Proposal, UsageError, counted, listing, proposed
from cnncli.layers import shape_text
from cnncli.limits import MAX_TENSORS_NAMED
from cnncli.transfer.header import FLOATS
from cnncli.transfer.renaming import without_common_end

_MOVES: Final = 3
"""The names that a hint suggests at most."""

_START: Final = ("train", "start")
_PLAIN: Final = re.compile(r"[A-Za-z_][\w.]*")


class _Hint(TypedDict):
    hint: str
    proposals: tuple[Proposal, ...]


class Mismatches(NamedTuple):
    """The tensors of a network and of a file that differ, and that nobody named.

    ``reshaped`` have the name in the network, and the shapes in the file and in the network; ``missing`` are
    tensors of the network, and ``left_over`` those of the file, with their shapes; ``untyped`` are tensors of
    the file that are not floating-point numbers, with their types.
    """

    reshaped: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    missing: Mapping[str, tuple[int, ...]]
    left_over: Mapping[str, tuple[int, ...]]
    untyped: Mapping[str, str]


def check_none(found: Mismatches, *, matched: int, adapted: int, file: str) -> None:
    """Check that nothing differs, and that something is taken of the file.

    Args:
        found: what differs.
        matched: the number of tensors that are taken, with those that are adapted.
        adapted: the number of tensors that are adapted.
        file: the file, for messages.

    Raises:
        UsageError: with an error for each way in which they differ.
    """
    faults = [
        fault for fault in (_reshaped(found, file), *_unnamed(found, file), _untyped(found, file)) if fault
    ]
    if not faults and matched:
        return
    counts = (
        f"{matched - adapted} matched, {adapted} adapted, {len(found.reshaped)} of another shape, "
        f"{len(found.missing)} missing, {len(found.left_over)} left over"
    )
    if not matched:
        message = f"no tensor of {file} would be loaded"
        faults = [Diagnostic("usage", message, expected="one tensor or more of the network"), *faults]
    raise UsageError([faults[0]._replace(received=counts), *faults[1:]])


def _reshaped(found: Mismatches, file: str) -> Diagnostic | None:
    if not found.reshaped:
        return None
    named = [
        f"{name} is {shape_text(before)} in the file and {shape_text(after)} in the network"
        for name, (before, after) in found.reshaped.items()
    ]
    return Diagnostic(
        "usage",
        f"{_some(found.reshaped, file)} {_verb(found.reshaped, 'has', 'have')} another shape than the "
        f"network's: {listing(named, MAX_TENSORS_NAMED)}",
        expected="the shapes of the network",
        **_hint(_reset("to train these layers from their initial weights", found.reshaped)),
    )


def _unnamed(found: Mismatches, file: str) -> Iterator[Diagnostic]:
    """Yield the errors about tensors that only one of both has."""
    moves = dict(_moves(found))
    called = [Proposal("if they are called otherwise in the file", (*_START, "map"), moves)] if moves else []
    if found.missing:
        yield Diagnostic(
            "usage",
            f"{_some(found.missing, 'the network')} {_verb(found.missing, 'is', 'are')} missing in {file}: "
            f"{_names(found.missing)}",
            expected="a tensor of the file for each tensor of the network",
            **_hint(*called, _reset("to train them from their initial weights", found.missing)),
        )
    if found.left_over:
        yield Diagnostic(
            "usage",
            f"{_some(found.left_over, file)} {_verb(found.left_over, 'is', 'are')} not in the network: "
            f"{_names(found.left_over)}",
            expected="a tensor of the network for each tensor of the file",
            **_hint(_reset("to leave them out", found.left_over)),
        )


def _untyped(found: Mismatches, file: str) -> Diagnostic | None:
    if not found.untyped:
        return None
    named = [f"{name} is {dtype}" for name, dtype in found.untyped.items()]
    verb = _verb(found.untyped, "is", "are")
    message = f"{_some(found.untyped, file)} {verb} not made of floating-point numbers: "
    expected = listing([*FLOATS], last=" or ")
    return Diagnostic("usage", message + listing(named, MAX_TENSORS_NAMED), expected=expected)


def _some(names: Collection[str], owner: str) -> str:
    return f"{counted(len(names), 'tensor')} of {owner}"


def _verb(names: Collection[str], one: str, several: str) -> str:
    return one if len(names) == 1 else several


def _names(names: Collection[str]) -> str:
    return listing([*names], MAX_TENSORS_NAMED)


def _reset(reason: str, names: Collection[str]) -> Proposal:
    """Return the proposal to reset the layers of these tensors, the first ones of many."""
    layers = {name: name.rpartition(".")[0] for name in names}
    patterns = [*dict.fromkeys(f"{escape(own)}.*" if own else escape(name) for name, own in layers.items())]
    more = len(patterns) - MAX_TENSORS_NAMED
    rest = f" and {counted(more, 'more layer')}" if more > 0 else ""
    return Proposal(reason, (*_START, "reset"), tuple(patterns[:MAX_TENSORS_NAMED]), rest)


def _hint(*proposals: Proposal) -> _Hint:
    return {"hint": proposed(proposals, as_setting), "proposals": proposals}


def as_setting(proposal: Proposal) -> str:
    """Return the setting that a proposal stands for, as ``--set`` takes it.

    >>> as_setting(Proposal("", ("train", "start", "map"), {"fc": "head", "module": ""}))
    "train.start.map={fc: head, module: ''}"
    """
    path = ".".join(proposal.path)
    if isinstance(proposal.value, str):
        return f"{path}={_plain(proposal.value)}"
    if isinstance(proposal.value, Mapping):
        return (
            f"{path}={{{', '.join(f'{_plain(old)}: {_plain(new)}' for old, new in proposal.value.items())}}}"
        )
    return f"{path}=[{', '.join(map(_quoted, proposal.value))}]"


def _plain(name: str) -> str:
    """Return a name as YAML reads it as one, without quotes if it needs none."""
    return name if _PLAIN.fullmatch(name) else _quoted(name)


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _moves(found: Mismatches) -> Sequence[tuple[str, str]]:
    """Return names of the file that may be missing names of the network, each with the nearest one."""
    from difflib import SequenceMatcher  # noqa: PLC0415 - needed only after a mistake

    moves: dict[tuple[str, str], None] = {}
    for name in [*found.missing][:MAX_TENSORS_NAMED]:
        alike = [
            old
            for old, shape in found.left_over.items()
            if shape == found.missing[name] and old.rpartition(".")[2] == name.rpartition(".")[2]
        ]
        nearest = max(alike, key=lambda old: SequenceMatcher(None, old, name).ratio(), default=None)
        if nearest is not None:
            moves[without_common_end(nearest, name)] = None
    return [*moves][:_MOVES]
