"""ONNX, written from the graph, and compared with the network before it gets its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onnx import ModelProto, checker, load_model_from_string

from cnncli.algebra import whole_shape
from cnncli.diagnostics import CnncliError, Diagnostic, usage_error
from cnncli.exporting.accepted import Accepted, accepted
from cnncli.exporting.onnx.model import describe, model_of, prepare
from cnncli.exporting.onnx.preparing import Preparing
from cnncli.exporting.onnx.running import Session
from cnncli.exporting.onnx.serializing import content_of
from cnncli.exporting.subject import Array, Subject, random_batch, random_images
from cnncli.results.export import Compared, Exported, Quantized, Resized
from cnncli.training.exporting.settings import Settings
from cnncli.training.new_files import write_new

if TYPE_CHECKING:
    from cnncli.training.exporting.reference import Reference

CLOSE: Final = 1e-5
"""A difference, in shares of the largest value of an output, that is one of rounding."""


def write(subject: Subject, path: Path, settings: Settings) -> Exported:
    """Write the network of a run with what is done to images before, or that of a spec as it is.

    Raises:
        CnncliError: a layer cannot be said in ONNX, the file computes something else or cannot be written.
    """
    shape = whole_shape(subject.graph.input)
    if settings.raw or subject.images is None:
        preparing, found = None, accepted(subject.graph, subject.spec)
    else:
        preparing, found = Preparing(subject.images, shape), Accepted(subject.graph, {}, ())
    written = model_of(subject, found)
    model, weights, small = written.model, written.weights, None
    if settings.int8:
        whole = load_model_from_string(content_of(model, weights))
        (model, small), weights = _eight_bits(subject, whole, settings), {}
    bare = model.ByteSize()
    if preparing is not None:
        prepare(model, preparing)
    describe(model, subject, found)
    content = content_of(model, weights)
    checker.check_model(content, full_check=True)
    session = Session(content)
    shapes = found.batches(shape if preparing is None else preparing.images.stored)
    compared = tuple(_compared(subject, session, shapes, preparing)) if small is None else ()
    resizing = _resized(preparing) if preparing is not None and preparing.resizes else None
    if small is None or small.is_within:
        write_new(path, content)
    return Exported(
        name=subject.name,
        format="onnx",
        file=path,
        size=len(content),
        weights=subject.origin,
        tensors=len(written.weights),
        sizes=found.sizes,
        functions={} if settings.int8 else written.calls,
        compared=compared,
        notes=found.notes if preparing is None else subject.notes,
        images="" if preparing is None else preparing.words(),
        resized=resizing,
        quantized=None if small is None else small._replace(whole=small.whole + len(content) - bare),
    )


def _eight_bits(subject: Subject, model: ModelProto, settings: Settings) -> tuple[ModelProto, Quantized]:
    """Return a model of 8 bits, and what it lost on the held-out data of the run.

    Raises:
        CnncliError: it is not a run, or its data cannot be read.
    """
    if subject.run is None:
        raise usage_error(
            f"{subject.name} is a spec, which has no images to find the ranges of values with",
            expected="the folder of a run for weights of 8 bits",
        )
    from cnncli.training.exporting.losing import of_eight_bits  # noqa: PLC0415

    return of_eight_bits(subject, model, settings)


def _compared(
    subject: Subject, session: Session, shapes: Sequence[tuple[int, ...]], preparing: Preparing | None
) -> Iterator[Compared]:
    """Yield what was compared, for inputs of these shapes.

    Without torch, the model runs and nothing is compared.

    Raises:
        CnncliError: the model computes something else.
    """
    has_torch = find_spec("torch") is not None
    reference = _reference(subject) if has_torch else None
    for shape in shapes:
        given = random_batch(shape) if preparing is None else random_images(shape)
        found = session.run(given)
        if reference is None:
            yield Compared(shape, None)
            continue
        batch = given if preparing is None else _inputs(preparing, given)
        apart = reference.difference(batch, found)
        if apart > CLOSE and not reference.is_rounding(batch, found):
            raise _another(subject, shape, apart)
        yield Compared(shape, apart)


def _reference(subject: Subject) -> Reference:
    from cnncli.training.exporting.reference import Reference  # noqa: PLC0415

    return Reference(subject)


def _inputs(preparing: Preparing, images: Array) -> Array:
    from cnncli.training.exporting.images import inputs_of  # noqa: PLC0415

    return inputs_of(preparing, images)


def _resized(preparing: Preparing) -> Resized | None:
    if find_spec("torch") is None:
        return None
    from cnncli.training.exporting.images import resized  # noqa: PLC0415

    return resized(preparing)


def _another(subject: Subject, shape: tuple[int, ...], apart: float) -> CnncliError:
    return CnncliError(
        Diagnostic(
            "export",
            f"{subject.name}: the model computes something else than the network, so it was not written",
            expected=f"outputs that differ by {CLOSE:.0e} of the largest at most",
            received=f"{apart:.1e} for an input of {'x'.join(map(str, shape))}",
            hint="please report this with the spec: it is a fault of cnncli or of onnxruntime",
        )
    )
