"""torch's own format, with the sizes that a network accepts, as far as ``torch.export`` can say them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch.export import Dim, ExportedProgram, export, load, save

from cnncli.algebra import Dim as Size
from cnncli.algebra import evaluate, same, symbol, symbols_of, whole_shape
from cnncli.algebra.deciding import solve
from cnncli.algebra.size_sets import SizeSet, TooFineError
from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.exporting.accepted import Accepted, accepted
from cnncli.exporting.metadata import described
from cnncli.exporting.onnx.model import BATCH
from cnncli.exporting.subject import Subject, random_batch
from cnncli.layers.geometry.sliding import axis_name
from cnncli.results.export import Compared, Exported
from cnncli.training.exporting.reference import difference, network_of, outputs_of
from cnncli.training.exporting.settings import Settings
from cnncli.training.new_files import write_new

KEY: Final = "cnncli.json"
"""The name of the file inside the file with what it says of itself."""

_CLOSE: Final = 1e-5
_PERIODS: Final = (1, 2, 4, 8, 16, 32, 64)
_COPIES: Final = 4
"""How many periods a size is followed to see that it grows evenly."""


class Way(NamedTuple):
    """Sizes to ask ``torch.export`` for, by the names of axes, and what they leave out."""

    sizes: Mapping[str, SizeSet]
    note: str


def write(subject: Subject, path: Path, settings: Settings) -> Exported:
    """Write what ``torch.export`` makes of the network, and compare it after reading it again.

    Raises:
        CnncliError: torch cannot export the network, the file computes something else or cannot be written.
    """
    found = accepted(subject.graph, subject.spec)
    program, said = _exported(subject, found)
    kept = found._replace(sizes=said.sizes, notes=tuple(filter(None, (*found.notes, said.note))))
    buffer = io.BytesIO()
    texts = described(subject, kept)
    save(program, buffer, extra_files={KEY: json.dumps(texts, sort_keys=True, allow_nan=False)})
    content = buffer.getvalue()
    compared = tuple(_compared(subject, content, kept))
    write_new(path, content)
    return Exported(
        name=subject.name,
        format="pt2",
        file=path,
        size=len(content),
        weights=subject.origin,
        tensors=len(subject.tensors),
        sizes=kept.sizes,
        compared=compared,
        notes=kept.notes,
    )


def _exported(subject: Subject, found: Accepted) -> tuple[ExportedProgram, Way]:
    """Return the program for the most sizes that torch can express."""
    network = network_of(subject)
    reason = ""
    shape = whole_shape(subject.graph.input)
    for way in _ways(found, shape):
        dims = _dims(way.sizes, len(shape))
        if dims is None:
            continue
        batch = torch.from_numpy(random_batch((2, *shape)))
        try:
            return export(network, (batch,), dynamic_shapes=(dims,)), way
        except Exception as error:  # noqa: BLE001 - torch raises almost anything
            reason = str(error).partition("\n")[0] or type(error).__name__
    raise CnncliError(
        Diagnostic("export", f"{subject.name}: torch.export does not take this network: {reason}")
    )


def _ways(found: Accepted, shape: tuple[int, ...]) -> Iterator[Way]:
    """Yield sizes to ask for, the most first."""
    if not found.sizes:
        yield Way({}, "")
        return
    yield Way(found.sizes, "")
    larger = _without_single_positions(found)
    if larger is not None:
        left_out = larger != dict(found.sizes)
        said = "torch.export cannot say of sizes that a map has a single position: larger ones only"
        if left_out:
            yield Way(larger, said)
        for period in _PERIODS:
            even = _even(found, larger, shape, period)
            if even is not None:
                yield Way(
                    even, f"torch.export can say only that sizes are {period} apart: the others are left out"
                )
                break
    yield Way({}, "torch.export cannot say which sizes are accepted: those of the spec only")


def _sized(found: Accepted) -> list[Size]:
    """Return the sizes along the axes of all maps that are formulas."""
    dims = {dim: None for node in found.graph.nodes for dim in node.output_shape if symbols_of(dim)}
    return [*dims]


def _without_single_positions(found: Accepted) -> dict[str, SizeSet] | None:
    """Return the sizes for which every map whose size varies has several positions; None if unknown.

    torch compiles code of its own for a single one.
    """
    names = {dim: axis for axis, dim in found.symbols.items()}
    sizes = dict(found.sizes)
    try:
        for dim in _sized(found):
            (name,) = symbols_of(dim)
            several: Any = dim >= 2
            if not isinstance(several, bool):
                sizes[names[name]] = sizes[names[name]] & solve(several)
    except (TooFineError, ValueError):  # several symbols in one size, as after a flatten
        return None
    return sizes


def _even(
    found: Accepted, sizes: Mapping[str, SizeSet], shape: tuple[int, ...], period: int
) -> dict[str, SizeSet] | None:
    """Return sizes that are a period apart, if all maps grow evenly with them; None if they do not."""
    names = [axis_name(axis, len(shape) - 1) for axis in range(len(shape) - 1)]
    own = dict(zip(names, shape[1:], strict=True))
    symbols = found.symbols
    for dim in _sized(found):
        (name,) = symbols_of(dim)
        axis = next(each for each in symbols if symbols[each] == name)
        values = [evaluate(dim, {name: own[axis] + step * period}) for step in range(_COPIES)]
        if len({after - before for before, after in pairwise(values)}) > 1:
            return None
    chosen = {}
    for axis, each in sizes.items():
        apart = same(symbol(symbols[axis]) % period, own[axis] % period)
        chosen[axis] = each if isinstance(apart, bool) else each & solve(apart)
    return chosen


def _dims(sizes: Mapping[str, SizeSet], axes: int) -> dict[int, Any] | None:
    """Return the axes of a batch that vary, as torch says them; None if a set has more than one class."""
    dims: dict[int, Any] = {0: Dim(BATCH, min=1)}
    for axis in range(axes - 1):
        name = axis_name(axis, axes - 1)
        if name not in sizes:
            continue
        each = sizes[name]
        if len(each.tails) != 1 or each.isolated:
            return None
        ((residue, first),) = each.tails
        if each.period == 1:
            dims[1 + axis + 1] = Dim(name, min=first)
        else:
            count = Dim(f"_{name}", min=first // each.period)
            dims[1 + axis + 1] = each.period * count + residue if residue else each.period * count
    return dims


def _compared(subject: Subject, content: bytes, found: Accepted) -> Iterator[Compared]:
    """Yield what was compared of the program that is in a file.

    Raises:
        CnncliError: it computes something else.
    """
    module = load(io.BytesIO(content)).module()
    network = network_of(subject)
    for shape in found.batches(whole_shape(subject.graph.input)):
        batch = random_batch(shape)
        apart = difference(outputs_of(module, batch), outputs_of(network, batch))
        if apart > _CLOSE:
            received = f"{apart:.1e} for an input of {'x'.join(map(str, shape))}"
            message = f"{subject.name}: what torch exported computes something else, so it was not written"
            raise CnncliError(Diagnostic("export", message, expected="equal outputs", received=received))
        yield Compared(shape, apart)
