"""An ONNX file as a flat list of operations, for inputs of one size.

Functions are replaced by what they contain, and what follows from constants and from the size of the input is
computed: many exporters compute the shape of a reshape, or pads, in the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from cnncli.diagnostics import Diagnostic, counted, listing, usage_error
from cnncli.importing.onnx.inlining import inline
from cnncli.importing.onnx.operators import READERS, Given, UnsupportedError
from cnncli.importing.operations import BATCH, Array, Flat, ImportingError, Operation, Tensor
from cnncli.language.description import OUTPUT
from cnncli.limits import MAX_FAULTS, MAX_FOLDED_NUMBERS

_ROUNDS: Final = 200
"""The most often that shapes are inferred after constants became known."""

_SMALL: Final = 1_000
"""The most numbers of a constant that may decide a shape."""

_DOMAINS: Final = frozenset({"", "ai.onnx"})


def read_onnx(path: Path, input_shape: Sequence[int] | None) -> Flat:
    """Return the operations of an ONNX file.

    Args:
        path: the file.
        input_shape: the shape of one sample; needed if the file does not fix it.

    Raises:
        UsageError: the file is not a model, or has several inputs or no fixed size.
        ImportingError: names the operators that have no operation.
    """
    model = _loaded(path)
    sized = _sized(model, input_shape, path)
    return _Reading(sized, path).flat()


def _loaded(path: Path) -> ModelProto:
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf, onnx and the disk each have their own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise usage_error(f"{path} is not an ONNX model", expected="a whole one", received=reason) from error
    inline(model)
    return model


def _sized(model: ModelProto, wanted: Sequence[int] | None, path: Path) -> ModelProto:
    """Return a model whose input has a size in numbers."""
    stored = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in stored]
    if len(inputs) != 1:
        received = listing([each.name for each in inputs]) or "none"
        raise usage_error(f"{path} does not have one input", expected="one input", received=received)
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type != TensorProto.FLOAT:
        received = TensorProto.DataType.Name(tensor.elem_type).lower()
        hint = "a model that prepares images has to be exported raw, without what makes inputs of them"
        raise usage_error(f"the input of {path} is not float32", received=received, hint=hint)
    given = [each.dim_value or None for each in tensor.shape.dim]
    if not given:
        raise usage_error(f"the input of {path} has no shape", expected="a batch, channels and sizes")
    batch, *own = given
    sizes = [*own] if wanted is None else [*wanted]
    fits = len(sizes) == len(own) and all(n in (None, size) for n, size in zip(own, sizes, strict=False))
    if None in sizes or not fits:
        shown = "x".join("?" if n is None else str(n) for n in own)
        raise usage_error(
            f"the size of the input of {path} is not known"
            if wanted is None
            else f"{path} has another input",
            expected=f"an input of the form {shown}",
            received="" if wanted is None else "x".join(map(str, wanted)),
        )
    del tensor.shape.dim[:]
    for size in (batch or BATCH, *sizes):
        tensor.shape.dim.add().dim_value = size or 0
    for each in (*model.graph.output, *model.graph.value_info):
        each.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    return model


class _Reading:
    """Reads a model whose input has a size."""

    def __init__(self, model: ModelProto, path: Path) -> None:
        self.model, self.path = model, path
        self.weights = {each.name for each in model.graph.initializer}
        self.constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.opset = next((each.version for each in model.opset_import if each.domain in _DOMAINS), 1)
        self.faults: list[Diagnostic] = []

    def flat(self) -> Flat:
        """Return the operations.

        Raises:
            ImportingError: names the operators that have no operation, with the names of their nodes.
        """
        self._know_shapes()
        nodes = [node for node in self.model.graph.node if node.output[0] not in self.constants]
        operations = [each for node in nodes for each in self._operation(node)]
        if self.faults:
            more = len(self.faults) - MAX_FAULTS
            tail = [Diagnostic("import", f"and {counted(more, 'more node')}")] if more > 0 else []
            raise ImportingError([*self.faults[:MAX_FAULTS], *tail])
        stored = {each.name for each in self.model.graph.initializer}
        given = next(each.name for each in self.model.graph.input if each.name not in stored)
        return Flat(self._name(), given, operations, self._outputs(), self.shapes)

    def _name(self) -> str:
        name = self.model.graph.name
        usual = not name or name in ("main_graph", "torch_jit", "torch-jit-export") or "/" in name
        return self.path.stem if usual else name

    def _outputs(self) -> dict[str, str]:
        names = [each.name for each in self.model.graph.output]
        return {OUTPUT: names[0]} if len(names) == 1 else {name: name for name in names}

    def _know_shapes(self) -> None:
        """Infer shapes and compute constants from them until nothing more becomes known."""
        for _ in range(_ROUNDS):
            known = len(self.constants), len(self.shapes)
            inferred = shape_inference.infer_shapes(self._without_weights(), data_prop=True)
            for each in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output):
                dims = each.type.tensor_type.shape.dim
                if each.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
                    self.shapes[each.name] = tuple(dim.dim_value for dim in dims)
            for node in self.model.graph.node:
                self._fold(node)
            if (len(self.constants), len(self.shapes)) == known:
                return

    def _without_weights(self) -> ModelProto:
        """Return the model with constants that decide no shape as inputs, which have shapes alone."""
        graph = self.model.graph
        stored = {each.name for each in graph.initializer}
        inputs = [each for each in graph.input if each.name not in stored]
        small = []
        for name, value in self.constants.items():
            if value.size <= _SMALL:
                small.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
            else:
                kind = helper.np_dtype_to_tensor_dtype(value.dtype)
                inputs.append(helper.make_tensor_value_info(name, kind, value.shape))
        nodes = [node for node in graph.node if node.output[0] not in self.constants]
        made = helper.make_graph(nodes, "shapes", inputs, list(graph.output), small)
        return helper.make_model(made, opset_imports=list(self.model.opset_import))

    def _fold(self, node: NodeProto) -> None:
        """Compute a node whose inputs are constants, or whose output is the shape of a value."""
        if node.output[0] in self.constants or node.op_type.startswith("Random"):
            return
        given = [name for name in node.input if name]
        if node.op_type == "Shape" and given[0] in self.shapes:
            shape = self.shapes[given[0]]
            ends = {each.name: each.i for each in node.attribute}
            part = shape[ends.get("start", 0) : ends.get("end", len(shape))]
            self._learn(node.output[0], np.array(part, dtype=np.int64))
            return
        if any(name not in self.constants for name in given):
            return
        if sum(self.constants[name].size for name in given) > MAX_FOLDED_NUMBERS:
            return
        try:
            results = _evaluated(node, {name: self.constants[name] for name in given}, self.opset)
        except Exception:  # noqa: BLE001 - the node remains, and is refused with its name
            return
        for name, value in zip(node.output, results, strict=False):
            self._learn(name, np.asarray(value))

    def _learn(self, name: str, value: Array) -> None:
        self.constants[name] = value
        self.shapes[name] = tuple(value.shape)

    def _operation(self, node: NodeProto) -> Iterator[Operation]:
        place = f"{self.path}: node '{node.name or node.output[0]}'"
        if node.output[0] not in self.shapes:
            self.faults.append(Diagnostic("import", f"{place}: '{node.op_type}' has no shape in numbers"))
            return
        if node.domain not in _DOMAINS:
            message = f"{place}: no kind computes '{node.domain}.{node.op_type}'"
            self.faults.append(Diagnostic("import", message))
            return
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        given = Given(tuple(node.input), attributes, self.constants, self.shapes, self.opset, node.output[0])
        try:
            read = READERS[node.op_type](given)
            tensors = {own: self._constant(name) for own, name in read.tensors.items()}
        except KeyError:
            self.faults.append(Diagnostic("import", f"{place}: no kind computes '{node.op_type}'"))
        except UnsupportedError as why:
            self.faults.append(Diagnostic("import", f"{place}: '{node.op_type}': {why}"))
        else:
            changed = {
                own: tensor._replace(values=read.changed[own](tensor.values))
                if own in read.changed
                else tensor
                for own, tensor in tensors.items()
            }
            scope = _scope(node)
            yield Operation(read.word, read.inputs, node.output[0], read.attributes, changed, scope, place)

    def _constant(self, name: str) -> Tensor:
        if name not in self.constants:
            raise UnsupportedError("weights that are computed")
        return Tensor(name if name in self.weights else "", self.constants[name])


def _evaluated(node: NodeProto, given: Mapping[str, Array], opset: int) -> list[Any]:
    """Return what a node computes from constants."""
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in given.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = helper.make_graph([node], "constant", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return list(ReferenceEvaluator(model).run(None, dict(given)))


def _scope(node: NodeProto) -> tuple[str, ...]:
    """Return the parts of the name of a node: of the module that it is from, if its exporter says so."""
    properties = {each.key: each.value for each in node.metadata_props}
    scopes = re.findall(r"'([^']*)'", properties.get("pkg.torch.onnx.name_scopes", ""))
    if len(scopes) > 1:
        return (*(part for part in scopes[-2].split(".") if part), node.op_type.lower())
    name = node.name or node.output[0]
    if not name.startswith("/"):
        return tuple(part for part in re.split(r"[./]", name) if part)
    path = ""
    *modules, last = [part for part in name.split("/") if part]
    for part in modules:
        path = part if not path or part.startswith(f"{path}.") else f"{path}.{part}"
    return (*(part for part in path.split(".") if part), last.lower())
