"""``cnncli memory``: what a network takes at work and in training, and the largest batch that fits."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cnncli.cli.common import (
    Form,
    Format,
    InputShape,
    Overrides,
    Plugins,
    SpecPath,
    load_plugins,
    setting_changes,
)
from cnncli.cli.input_size import parse_shape
from cnncli.diagnostics import readable_bytes, usage_error
from cnncli.graph import open_spec
from cnncli.language.sections import Quantity
from cnncli.report.show import show

if TYPE_CHECKING:
    from cnncli.algebra import Dim
    from cnncli.analysis.memory.usage import Memory
    from cnncli.report.pages.memory import Fits

_AUTO: Final = "auto"


class Dtype(StrEnum):
    """The type of all numbers of a network."""

    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"
    float64 = "float64"


def command(
    spec: SpecPath,
    batch: Annotated[
        str, typer.Option(metavar="N|auto", help="Samples at once; auto: as many as fit in training.")
    ] = "1",
    limit: Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", help="What --batch auto fits into: 16GiB.")
    ] = None,
    dtype: Annotated[Dtype, typer.Option(help="The type of all numbers.")] = Dtype.float32,
    optimizer: Annotated[
        str | None, typer.Option(metavar="NAME", help="sgd or adamw; the spec's own if not given.")
    ] = None,
    momentum: Annotated[
        str | None, typer.Option(metavar="X", help="Momentum of sgd, which keeps no state where it is 0.")
    ] = None,
    input_size: InputShape = None,
    overrides: Overrides = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Show the memory of every layer, at work and in training, and the largest batch that fits.

    With symbols in --input, such as 3xHxW, all of it as formulas.
    """
    from cnncli.analysis.memory.peaks import Peaks
    from cnncli.analysis.memory.usage import ITEMSIZES, memory
    from cnncli.analysis.sizes import valid_sizes
    from cnncli.report.pages import memory as report

    load_plugins(plugin)
    size = parse_shape(input_size)
    changes = setting_changes(optimizer=optimizer, momentum=momentum)
    room = _room(batch, limit)
    if room is not None:
        _require_numbers(size)
    samples = 0 if room is not None else setting_changes(batch=batch)["batch"]
    opened = open_spec(spec, size=size, overrides=overrides or ())
    settings = opened.train.replaced(changes)
    found = memory(opened.graph, ITEMSIZES[dtype], settings)
    fits = _fits(found, room) if room is not None else None
    if fits is not None:
        samples = fits.training.batch or fits.inference.batch
    graph = opened.graph
    made = report.Report(graph, found, samples, dtype, settings, Peaks(graph, samples), fits)
    found_sizes = valid_sizes(graph) if graph.unknowns else None
    show(report.page(made, found_sizes), form)


def _require_numbers(size: Sequence[Dim] | None) -> None:
    """Refuse ``--batch auto`` for sizes that are not known.

    Raises:
        UsageError: some are symbols.
    """
    if not all(isinstance(dim, int) for dim in size or ()):
        raise usage_error(
            "the largest batch depends on sizes that are not known",
            expected="numbers in --input beside --batch auto",
            received="x".join(map(str, size or ())),
            hint="--batch 32 gives the memory of a batch as formulas",
        )


def _room(batch: str, limit: str | None) -> int | None:
    """The bytes into which ``--batch auto`` is to fit; None where a batch is given.

    Raises:
        UsageError: one of the two options is missing, or the size is none.
    """
    if (batch == _AUTO) != (limit is not None):
        raise usage_error(
            "--batch auto and --memory go together",
            expected="--batch auto --memory 16GiB, or --batch 32",
            received=f"--batch {batch}" + ("" if limit is None else f" --memory {limit}"),
        )
    if limit is None:
        return None
    reader = Quantity(of_bytes=True)
    amount = reader.amount(limit)
    if amount is None:
        raise usage_error(f"--memory {limit}: this is no size", expected=reader.expected)
    return amount


def _fits(found: Memory, room: int) -> Fits:
    """The largest batches.

    Raises:
        UsageError: not one sample fits, not even outside of training.
    """
    from cnncli.analysis.memory.usage import largest_batch
    from cnncli.report.pages.memory import Fits

    fits = Fits(room, largest_batch(found.inference, room), largest_batch(found.training, room))
    if not fits.inference.batch and not fits.training.batch:
        use, train = (readable_bytes(each.next_peak) for each in fits[1:])
        raise usage_error(
            "not one sample fits",
            expected=f"--memory of {use} to use the network, {train} to train it",
            received=readable_bytes(room),
            hint="a smaller --input, or --dtype float16",
        )
    return fits
