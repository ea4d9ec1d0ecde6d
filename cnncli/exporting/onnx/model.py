"""A network with its weights as an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from cnncli import __version__
from cnncli.algebra import Dim
from cnncli.diagnostics import CnncliError, Diagnostic, readable_bytes
from cnncli.exporting.accepted import Accepted
from cnncli.exporting.metadata import described
from cnncli.exporting.onnx.functions import Writing, opsets
from cnncli.exporting.onnx.preparing import Preparing
from cnncli.exporting.subject import Array, Subject
from cnncli.graph.schedule import schedule
from cnncli.language.description import INPUT
from cnncli.layers import Shape, shape_text
from cnncli.limits import MAX_MODEL_BYTES

BATCH: Final = "batch"
"""The name of the axis of samples."""

IR_VERSION: Final = 10
"""The version of the file format: that of ONNX 1.16, of 2024."""


class Written(NamedTuple):
    """A model without weights, the weights by their names, and how often each function is called."""

    model: ModelProto
    weights: Mapping[str, Array]
    calls: Mapping[str, int]


def model_of(subject: Subject, found: Accepted) -> Written:
    """Return the model of a network for inference, which takes what the network takes.

    Layers, values, weights, blocks and outputs have the names of the spec.

    Raises:
        CnncliError: a layer cannot be said in ONNX, or the weights are too large for a file.
    """
    graph = found.graph
    order = schedule(graph, training=False)
    with graph.decided():
        writing = Writing(order, graph.groups)
        nodes = writing.nodes()
    used = [f"{node.name}.{name}" for node in order.nodes for name in (*node.parameters, *node.buffers)]
    _check_size(subject, used)
    outputs = _renamed_outputs(nodes, order.outputs)
    shapes = {name: output.shape for name, output in graph.outputs.items() if name in outputs}
    proto = helper.make_graph(
        nodes,
        _identifier(subject.name),
        [_value(INPUT, graph.input, found)],
        [_value(name, shape, found) for name, shape in shapes.items()],
    )
    model = helper.make_model(
        proto,
        functions=[*writing.functions.values()],
        opset_imports=opsets(),
        ir_version=IR_VERSION,
        producer_name="cnncli",
        producer_version=__version__,
    )
    return Written(model, {name: subject.tensors[name] for name in used}, dict(writing.calls))


def prepare(model: ModelProto, preparing: Preparing) -> None:
    """Let a model take images instead of what the network takes."""
    nodes = [*preparing.nodes(INPUT), *model.graph.node]
    del model.graph.node[:], model.graph.input[:]
    model.graph.node.extend(nodes)
    model.graph.input.append(preparing.input(BATCH))


def describe(model: ModelProto, subject: Subject, found: Accepted) -> None:
    """Write into a model what it says of itself."""
    texts = {f"cnncli.{key}": text for key, text in described(subject, found).items()}
    helper.set_model_props(model, texts)


def _check_size(subject: Subject, used: list[str]) -> None:
    size = sum(subject.tensors[name].nbytes for name in used)
    if size > MAX_MODEL_BYTES:
        raise CnncliError(
            Diagnostic(
                "export",
                f"{subject.name}: the weights are too large for an ONNX file",
                expected=f"at most {readable_bytes(MAX_MODEL_BYTES)}",
                received=readable_bytes(size),
            )
        )


def _renamed_outputs(nodes: list[NodeProto], outputs: Mapping[str, str]) -> Mapping[str, str]:
    """Give outputs their names: a node passes on the value of the layer that computes each.

    A layer that has the name of another one's output gets another name.
    """
    taken = {name: f"{name}/value" for name, node in outputs.items() if name != node}
    for each in nodes:
        for names in (each.input, each.output):
            for number, name in enumerate(names):
                names[number] = taken.get(name, name)
    for name, node in outputs.items():
        if name != node:
            nodes.append(helper.make_node("Identity", [taken.get(node, node)], [name], name=f"{name}/output"))
    return outputs


def _value(name: str, shape: Shape, found: Accepted) -> ValueInfoProto:
    """Return the declaration of a batch: axes that vary have names, or formulas of them."""
    names = {symbol: axis for axis, symbol in found.symbols.items()}
    dims = [BATCH, *(_dim(dim, names) for dim in shape)]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def _dim(dim: Dim, names: Mapping[str, str]) -> int | str:
    if isinstance(dim, int):
        return dim
    text = str(dim)
    return names.get(text) or shape_text((dim,))


def _identifier(name: str) -> str:
    """Return a name as ONNX requires it: letters, digits and underscores, no digit first."""
    plain = "".join(each if each.isascii() and each.isalnum() else "_" for each in name)
    return f"_{plain}" if not plain or plain[0].isdigit() else plain
