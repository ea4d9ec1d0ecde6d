"""From operations to a spec: every operation becomes a layer, and what was written is compared with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cnncli.algebra import whole_shape
from cnncli.diagnostics import CnncliError, Diagnostic, counted
from cnncli.graph import Graph, open_text
from cnncli.importing.folding import folded
from cnncli.importing.kinds import Layer, RefusedError, as_float, layer_of
from cnncli.importing.naming import allowed, names_for
from cnncli.importing.operations import Array, Flat, ImportingError, Operation, refused
from cnncli.importing.patterns import simplified
from cnncli.language.description import INPUT, OUTPUT
from cnncli.language.writer import plain_yaml
from cnncli.limits import MAX_FAULTS


class Imported(NamedTuple):
    """A spec, its graph, its weights by name, and for each weight its name in the network that was read.

    ``blocks`` are the names of its blocks; ``notes`` say what was left out.
    """

    text: str
    graph: Graph
    tensors: Mapping[str, Array]
    sources: Mapping[str, str]
    blocks: tuple[str, ...]
    notes: tuple[str, ...]


def imported(flat: Flat) -> Imported:
    """Return the spec of a network, with blocks where groups of layers repeat.

    Raises:
        ImportingError: names each operation that no kind expresses, with its place.
    """
    flat = simplified(flat)
    layers = _layers(flat)
    names = names_for(flat.operations, layers)
    sections = _sections(flat, layers, names)
    graph = _opened(plain_yaml(sections))
    _compare(graph, flat, layers, names)
    text, blocks = folded(graph, sections, flat.words)
    tensors, sources = _tensors(layers, names)
    return Imported(text, open_text(text).graph, tensors, sources, blocks, flat.notes)


def _layers(flat: Flat) -> list[Layer]:
    found: list[Layer] = []
    faults: list[Diagnostic] = []
    owners: dict[str, Operation] = {}
    for operation in flat.operations:
        try:
            layer = layer_of(operation, flat)
            for tensor in layer.tensors.values():
                if tensor.source and owners.setdefault(tensor.source, operation) is not operation:
                    raise RefusedError(f"the weights '{tensor.source}' are shared with another layer")
        except RefusedError as why:
            faults.append(refused(operation, str(why)))
        else:
            found.append(layer)
    if faults:
        more = len(faults) - MAX_FAULTS
        shown = faults[:MAX_FAULTS]
        if more > 0:
            shown.append(Diagnostic("import", f"and {counted(more, 'more operation')}"))
        raise ImportingError(shown)
    return found


def _sections(flat: Flat, layers: Sequence[Layer], names: Sequence[str]) -> dict[str, Any]:
    """Return the sections of a spec with every layer by itself, under its full name."""
    called = {flat.input: INPUT}
    written: list[dict[str, Any]] = []
    previous = INPUT
    for operation, layer, name in zip(flat.operations, layers, names, strict=True):
        inputs = [called[each] for each in operation.inputs]
        written.append(_entry(layer, name, inputs, previous))
        called[operation.output] = previous = name
    sections: dict[str, Any] = {
        "name": flat.name.replace("$", "$$"),
        "input": list(flat.sample(flat.input)),
        "layers": written,
    }
    if [*flat.outputs] != [OUTPUT] or called[flat.outputs[OUTPUT]] != previous:
        sections["heads"] = {
            allowed(key).replace(".", "_"): {"from": called[value], "layers": []}
            for key, value in flat.outputs.items()
        }
    return sections


def _entry(layer: Layer, name: str, inputs: Sequence[str], previous: str) -> dict[str, Any]:
    if layer.kind in ("add", "multiply", "concat", "matchsize"):
        return {layer.kind: {"branches": [*inputs], **layer.arguments}, "name": name}
    entry: dict[str, Any] = {layer.kind: dict(layer.arguments), "name": name}
    if [*inputs] != [previous]:
        (entry["from"],) = inputs
    return entry


def _opened(text: str) -> Graph:
    """Return the graph of a spec that was written.

    Raises:
        ImportingError: a layer is not what a spec allows.
    """
    try:
        return open_text(text).graph
    except CnncliError as error:
        raise ImportingError(
            each._replace(location=None, related=(), detail="") for each in error.diagnostics
        ) from error


def _compare(graph: Graph, flat: Flat, layers: Sequence[Layer], names: Sequence[str]) -> None:
    """Check that every layer has the shape and the tensors that its operation has.

    Raises:
        ImportingError: names the layers that differ.
    """
    nodes = {node.name: node for node in graph.nodes}
    faults: list[Diagnostic] = []
    for operation, layer, name in zip(flat.operations, layers, names, strict=True):
        node = nodes[name]
        shape, expected = whole_shape(node.output_shape), flat.sample(operation.output)
        if shape != expected:
            faults.append(refused(operation, f"'{node.kind}' has the shape {shape} in place of {expected}"))
        own = {key: whole_shape(size) for key, size in {**node.parameters, **node.buffers}.items()}
        given = {key: tensor.values.shape for key, tensor in layer.tensors.items()}
        if own != given:
            faults.append(refused(operation, f"'{node.kind}' has the tensors {own} in place of {given}"))
    if faults:
        raise ImportingError(faults[:MAX_FAULTS])


def _tensors(layers: Sequence[Layer], names: Sequence[str]) -> tuple[dict[str, Array], dict[str, str]]:
    tensors: dict[str, Array] = {}
    sources: dict[str, str] = {}
    for layer, name in zip(layers, names, strict=True):
        for own, tensor in layer.tensors.items():
            tensors[f"{name}.{own}"] = as_float(tensor.values)
            sources[f"{name}.{own}"] = tensor.source
    return tensors, sources
