"""Functions of an ONNX model replaced by what they contain; names keep the name of the call before them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto

from cnncli.diagnostics import usage_error
from cnncli.limits import MAX_IMPORTED_NODES, MAX_NESTED_FUNCTIONS


def inline(model: ModelProto) -> None:
    """Replace the calls of functions in a model by the functions' nodes.

    Raises:
        UsageError: there is no end to it.
    """
    functions = {(each.domain, each.name): each for each in model.functions}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        for each in _inlined(node, functions, {}, 0):
            nodes.append(each)
            if len(nodes) > MAX_IMPORTED_NODES:
                raise _endless()
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.functions[:]


def _inlined(
    node: NodeProto,
    functions: Mapping[tuple[str, str], FunctionProto],
    attributes: Mapping[str, AttributeProto],
    depth: int,
) -> Iterator[NodeProto]:
    node = _with_attributes(node, attributes)
    function = functions.get((node.domain, node.op_type))
    if function is None:
        yield node
        return
    if depth > MAX_NESTED_FUNCTIONS:
        raise _endless()
    around = node.name or node.output[0]
    own = {each.name: each for each in function.attribute_proto} | {
        each.name: each for each in node.attribute
    }
    renamed = dict(zip(function.input, node.input, strict=False))
    renamed |= dict(zip(function.output, node.output, strict=False))
    for each in function.node:
        inner = NodeProto()
        inner.CopyFrom(each)
        inner.name = f"{around}.{each.name or each.output[0]}"
        for names in (inner.input, inner.output):
            names[:] = [renamed.setdefault(name, f"{around}.{name}") if name else "" for name in names]
        yield from _inlined(inner, functions, own, depth + 1)


def _with_attributes(node: NodeProto, given: Mapping[str, AttributeProto]) -> NodeProto:
    """Return a node whose attributes that are parameters of the function around it have their values."""
    if not any(each.ref_attr_name for each in node.attribute):
        return node
    found = NodeProto()
    found.CopyFrom(node)
    del found.attribute[:]
    for each in node.attribute:
        if not each.ref_attr_name:
            found.attribute.append(each)
        elif each.ref_attr_name in given:
            value = AttributeProto()
            value.CopyFrom(given[each.ref_attr_name])
            value.name = each.name
            found.attribute.append(value)
    return found


def _endless() -> Exception:
    return usage_error("the functions of the model contain one another endlessly", expected="finite ones")
