"""The figures of epochs as JSON: in a checkpoint, and as lines of ``metrics.jsonl``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from cnncli.diagnostics import usage_error
from cnncli.limits import MAX_METRICS_BYTES
from cnncli.results.training import Epoch
from cnncli.training.runs.files import read_bytes
from cnncli.training.runs.values import (
    LARGEST_FIGURE,
    DamagedError,
    figures,
    members,
    number,
    parse_json,
    whole,
)

SHORTEST: Final = 1e-9
"""Seconds: what the clock resolves."""
LONGEST: Final = 1e10
_SLOWEST: Final = 1e-9
_PLAIN: Final = tuple(name for name in Epoch.__slots__ if name != "figures")


def epoch_line(metrics: Epoch) -> str:
    """Return an epoch as a line: a flat object, in which names with dots are figures."""
    values = asdict(metrics)
    named = values.pop("figures")
    return json.dumps(values | named, allow_nan=False)


def read_history(path: Path) -> tuple[Epoch, ...]:
    """Read ``metrics.jsonl``: every line that was written whole; nothing if there is no such file.

    Raises:
        UsageError: the file is damaged.
    """
    if not path.exists():
        return ()
    *lines, _ = read_bytes(path, MAX_METRICS_BYTES).decode(errors="replace").split("\n")
    try:
        found = tuple(_of_line(line, f"line {number}") for number, line in enumerate(lines, 1))
        if [each.epoch for each in found] != [*range(1, len(found) + 1)]:
            raise DamagedError("its epochs are not numbered from 1")
    except (ValueError, RecursionError) as error:
        raise usage_error(
            f"{path} is damaged: {error}", expected="lines as cnncli train wrote them"
        ) from error
    return found


def _of_line(line: str, name: str) -> Epoch:
    values = parse_json(line)
    if not isinstance(values, dict):
        raise DamagedError(f"{name} is not a mapping")
    plain = {key: value for key, value in values.items() if key in _PLAIN}
    return read_epoch(plain | {"figures": {key: values[key] for key in values.keys() - plain.keys()}}, name)


def read_epoch(value: Any, name: str) -> Epoch:
    """Return an epoch, after a check of every value.

    Raises:
        DamagedError: it is not one.
    """
    found = members(value, name, Epoch.__slots__)
    return Epoch(
        epoch=whole(found["epoch"], f"{name}.epoch", 1),
        lr=number(found["lr"], f"{name}.lr", 0, LARGEST_FIGURE),
        seconds=number(found["seconds"], f"{name}.seconds", SHORTEST, LONGEST),
        images_per_second=number(
            found["images_per_second"], f"{name}.images_per_second", _SLOWEST, LARGEST_FIGURE
        ),
        figures=figures(found["figures"], f"{name}.figures"),
    )
