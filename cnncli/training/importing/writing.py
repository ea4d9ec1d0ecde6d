"""From a source to files: a spec and its weights, compared with the source before they get their names.

torch is imported for a Python file, and to compare; an ONNX file becomes a spec without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import NamedTuple

from safetensors.numpy import save

from cnncli.algebra import whole_shape
from cnncli.exporting.subject import SAFETENSORS, Array, Subject, random_batch
from cnncli.graph import open_spec
from cnncli.importing.building import Imported, imported
from cnncli.results.importing import Import
from cnncli.results.transfer import Origin
from cnncli.training.new_files import write_new
from cnncli.transfer.matching import named_tensors

_SAMPLES = 2


class Source(NamedTuple):
    """What was read, and what computes the outputs of the source for a batch."""

    found: Imported
    outputs: Callable[[Array], Sequence[Array]]


def from_python(file: Path, function: str, shape: tuple[int, ...]) -> Source:
    """Run a Python file, and return the network that a function of it makes.

    Raises:
        CnncliError: it cannot be run or traced, or has operations that no kind expresses.
    """
    from cnncli.training.importing.comparing import outputs_of_module  # noqa: PLC0415
    from cnncli.training.importing.loading import load_module  # noqa: PLC0415
    from cnncli.training.importing.tracing import traced  # noqa: PLC0415

    module = load_module(file, function)
    name = file.stem if function == "make_model" else function
    flat = traced(module, shape, name, str(file.resolve()))
    return Source(imported(flat), lambda batch: outputs_of_module(module, batch))


def from_onnx(file: Path, shape: tuple[int, ...] | None) -> Source:
    """Return the network in an ONNX file.

    Raises:
        CnncliError: it is not one, its size is not known, or it has operations that no kind expresses.
    """
    from cnncli.importing.onnx.reading import read_onnx  # noqa: PLC0415
    from cnncli.importing.onnx.running import outputs_of_file  # noqa: PLC0415

    return Source(imported(read_onnx(file, shape)), lambda batch: outputs_of_file(file, batch))


def written(read: Source, source: str, path: Path) -> Import:
    """Write a spec and its weights after comparing what they compute with the source.

    Raises:
        CnncliError: they compute something else, or a file cannot be written.
    """
    found, weights = read.found, path.with_suffix(SAFETENSORS)
    shape, difference = whole_shape(found.graph.input), None
    if find_spec("torch") is not None:
        from cnncli.training.importing.comparing import compared  # noqa: PLC0415

        batch = random_batch((_SAMPLES, *shape))
        subject = Subject(found.graph, found.text, found.tensors, Origin(source, "", ""))
        difference = compared(subject, batch, read.outputs(batch))
    write_new(weights, save(dict(found.tensors)))
    write_new(path, found.text.encode())
    graph = open_spec(str(path)).graph
    tensors = named_tensors(graph)
    assert tensors == {name: value.shape for name, value in found.tensors.items()}
    uses = Counter(graph.groups.values())
    return Import(
        name=graph.name,
        source=source,
        spec=path,
        weights=weights,
        input_shape=shape,
        layers=len(graph.nodes),
        params=sum(prod(whole_shape(each)) for node in graph.nodes for each in node.parameters.values()),
        tensors=len(tensors),
        blocks={name: uses[name] for name in found.blocks},
        renamed={name: old for name, old in found.sources.items() if old != name},
        difference=difference,
        uncompared="" if difference is not None else "since torch is not installed",
        notes=found.notes,
    )
