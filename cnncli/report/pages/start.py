"""What is said of the weights that a training starts from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnncli.diagnostics import counted, listing
from cnncli.limits import MAX_TENSORS_NAMED
from cnncli.report.text.escapes import printable
from cnncli.results.transfer import Adapted, Matching, Started


def lines(started: Started | None) -> Iterator[str]:
    """Yield the file, how many of its tensors the network has, and the names of those that differ."""
    if started is None:
        return
    origin, found = started.origin, started.matching
    file = printable(f"'{origin.entry}' of {origin.file}" if origin.entry else origin.file)
    if found is None:
        yield f"started from {file}, SHA-256 {started.origin.sha256}, which is not read again"
        return
    yield f"starts from {file}, SHA-256 {started.origin.sha256}"
    yield "  tensors: " + ", ".join(f"{count} {word}" for word, count in _counts(found).items())
    if found.types:
        yield f"  converted to float32: {listing(found.types)}"
    yield from (f"  adapted: {_how(each)}" for each in found.adapted)
    if found.reset:
        yield f"  keep their initial weights: {_names(found.reset)}"
    if found.left_out:
        yield f"  left out of the file: {_names(found.left_out)}"


def document(started: Started | None) -> dict[str, Any] | None:
    """Return the same for a JSON document."""
    if started is None:
        return None
    file, found = started.origin._asdict(), started.matching
    if found is None:
        return file
    return file | {
        "counts": _counts(found),
        "taken": dict(found.taken),
        "adapted": [each._asdict() for each in found.adapted],
        "reset": list(found.reset),
        "left_out": list(found.left_out),
        "types": list(found.types),
    }


def _counts(found: Matching) -> dict[str, int]:
    """Return the counts; what differs otherwise is an error before."""
    return {
        "matched": found.matched,
        "adapted": len(found.adapted),
        "reset": len(found.reset),
    }


def _how(each: Adapted) -> str:
    """Return how kernels were adapted (:func:`cnncli.training.warm.starting.adapted`)."""
    channels = f"{counted(each.before, 'input channel')} to {each.after}"
    if each.after == 1:
        return f"{printable(each.name)} from {channels}: their sum"
    return f"{printable(each.name)} from {channels}: repeated, times {each.before}/{each.after}"


def _names(names: tuple[str, ...]) -> str:
    return printable(listing(names, MAX_TENSORS_NAMED))
