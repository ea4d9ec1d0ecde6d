"""Samples without a target: how many there are, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cnncli.diagnostics import counted, listing, usage_error
from cnncli.recipe.columns import FORMS, INPUT, TAGS, Column
from cnncli.training.data.dataset import Split
from cnncli.training.data.targets import present
from cnncli.training.tasks.objective import Objective

_PARTS: Final = ("training image", "held-out image", "validation image")
"""What the samples of each part are called, in the order of :attr:`Dataset.parts`."""


def check_targets(source: str, split: Split, objective: Objective) -> dict[str, int]:
    """Check that a part of the data has targets for all heads.

    Returns:
        how many samples have none, by the columns that some have no target in.

    Raises:
        UsageError: no sample has one.
    """
    missing = {}
    for name, column in objective.columns.items():
        if name == INPUT:
            continue
        there = int(present(column.form, split.column(name)).sum()) if name in split.columns else 0
        if not there:
            raise usage_error(
                f"{source} has no target in '{name}', which the network is compared with",
                expected=f"at least one image with {FORMS[column.form].what}",
            )
        if there < split.count:
            missing[name] = split.count - there
    return missing


def missing_notes(
    parts: Sequence[Split], missing: Sequence[Mapping[str, int]], units: Sequence[str] = _PARTS
) -> tuple[str, ...]:
    """Return a note for each column that samples have no target in.

    Args:
        parts: parts of the data.
        missing: what :func:`check_targets` says of each.
        units: what the samples of each are called.
    """
    notes = []
    for column in dict.fromkeys(name for each in missing for name in each):
        counts = [
            f"{each[column]:,} of {counted(part.count, unit)}"
            for part, each, unit in zip(parts, missing, units, strict=False)
            if column in each
        ]
        notes.append(f"without a target in '{column}', so in no loss or figure of it: {listing(counts)}")
    return tuple(notes)


def absent_tags(known: Mapping[str, Column], found: Mapping[str, Column]) -> Iterator[str]:
    """Yield a note for each column of tags of which data does not have all that a network was trained on.

    Args:
        known: the columns that it was trained on.
        found: those of the data.
    """
    for name, column in known.items():
        if column.form != TAGS or name not in found:
            continue
        absent = [each for each in column.names if each not in found[name].names]
        if absent:
            yield f"'{name}' does not have {listing(absent)} here, so no image counts as one with them"
