"""The first lines of a run about its course: sizes of images, FLOPs, and memory."""

from __future__ import annotations

from collections.abc import Iterator

from cnncli.diagnostics import counted, readable_bytes
from cnncli.layers import shape_text
from cnncli.recipe.computing import FLOAT32
from cnncli.report.text.numbers import percent, short
from cnncli.results.training import Introduction, Stage, Within


def lines(about: Introduction) -> Iterator[str]:
    """Yield sizes and FLOPs of a training in stages, and what was chosen for a limit of memory."""
    sizes = [
        f"{each.size}x{each.size} {_epochs(each)} ({short(each.flops)})"
        for each in about.stages
        if each.size is not None
    ]
    if sizes:
        yield f"training images of {', '.join(sizes)}; measured at {shape_text(about.input_shape[1:])}"
    if about.stages:
        total = short(sum(each.flops for each in about.stages))
        end = f", the last one up to batch {about.ends}" if about.ends else ""
        yield f"{total} FLOPs of training in {counted(about.epochs, 'epoch')}{end}"
    if about.within is not None:
        yield _within(about.within)


def _epochs(stage: Stage) -> str:
    if stage.first == stage.last:
        return f"in epoch {stage.first}"
    return f"in epochs {stage.first} to {stage.last}"


def _within(found: Within) -> str:
    """Return how batches are computed to stay within a limit of memory."""
    what = "batch" if found.processes == 1 else "process's share"
    slices = f"each {what} at once"
    if found.slices > 1:
        slices = f"each {what} in {found.slices} slices of at most {counted(found.images, 'image')}"
    again = f", with {percent(found.share)} more FLOPs" if found.recomputed else ""
    most = "" if found.precision == FLOAT32 else "at most "
    needed, limit = readable_bytes(found.peak), readable_bytes(found.limit)
    return f"memory: a step needs {most}{needed} of {limit} in {found.precision}; {slices}{again}"
