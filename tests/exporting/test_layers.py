"""Every kind as ONNX: what onnxruntime computes is what the torch module computes, at every size."""

from __future__ import annotations

import copy
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, checker, helper
from torch import Tensor, nn

from cnncli.algebra import Expr, symbol
from cnncli.algebra.deciding import Domain
from cnncli.algebra.size_sets import make
from cnncli.exporting.onnx import EMITTERS
from cnncli.exporting.onnx.emission import Emission
from cnncli.exporting.onnx.functions import OPSET
from cnncli.exporting.onnx.model import IR_VERSION
from cnncli.exporting.onnx.registry import emit
from cnncli.layers import KINDS, Shape
from tests.cases import Case, draw_case, fits
from tests.test_contract import EXAMPLES, id_of, module_of, node_of, with_symbols

BATCH = 3
STEPS = (0, 1, 3)
"""By how many positions inputs are longer than in the example, along every axis."""

Session: TypeAlias = Any
"""An onnxruntime.InferenceSession, which has no annotations."""


def test_every_kind_has_an_emitter_and_every_emitter_a_kind() -> None:
    assert set(EMITTERS) == set(KINDS.values())


def module_with_weights(case: Case) -> nn.Module:
    torch.manual_seed(0)
    module = module_of(case).eval()
    for name, tensor in module.named_buffers():
        if "running" in name:
            nn.init.uniform_(tensor, 0.5, 2)
    return module


def session_of(case: Case, module: nn.Module, shapes: tuple[Shape, ...]) -> Session:
    """A model of the layer alone, for inputs of these shapes; formulas become sizes that vary."""
    node, state = node_of(case), module.state_dict()
    own = {name: f"it.{name}" for name in (*node.parameters, *node.buffers)}
    nodes: list[NodeProto] = []
    emit(node, Emission(nodes, "it", node.inputs, shapes, node.output_shape, own))
    tensors = [
        helper.make_tensor(own[name], TensorProto.FLOAT, each.shape, each.numpy().tobytes(), raw=True)
        for name, each in ((name, state[name]) for name in own)
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, *map(declared, shape)])
        for name, shape in zip(node.inputs, shapes, strict=True)
    ]
    axes: list[Any] = [None] * (1 + len(node.output_shape))
    output = helper.make_tensor_value_info("it", TensorProto.FLOAT, axes)
    graph = helper.make_graph(nodes, "it", inputs, [output], tensors)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString())


def declared(dim: Any) -> Any:
    return None if isinstance(dim, Expr) else dim


def compare(case: Case, module: nn.Module, session: Session, inputs: tuple[tuple[int, ...], ...]) -> None:
    values = [torch.randn(BATCH, *shape) for shape in inputs]
    with torch.no_grad():  # in 64 bits, so that the rounding of torch is not compared with another one
        wanted = array(copy.deepcopy(module).double()(*(each.double() for each in values)))
    names = [each.name for each in session.get_inputs()]
    feeds = {name: array(each) for name, each in zip(names, values, strict=True)}
    (found,) = session.run(None, feeds)
    assert found.shape == wanted.shape, (case, inputs)
    limit = 1e-5 * max(1, np.abs(wanted).max())
    np.testing.assert_allclose(found, wanted, rtol=0, atol=limit, err_msg=f"{case} {inputs}")


def array(values: Tensor) -> NDArray[Any]:
    found: NDArray[Any] = values.numpy()
    return found


@pytest.mark.parametrize("case", EXAMPLES, ids=id_of)
def test_an_example_is_what_torch_computes(case: Case) -> None:
    module = module_with_weights(case)
    compare(case, module, session_of(case, module, case.inputs), case.inputs)


def longer(inputs: tuple[tuple[int, ...], ...], step: int) -> tuple[tuple[int, ...], ...]:
    """Shapes with more positions along each axis, except those of a single position, which may be scales."""
    return tuple((shape[0], *(n + step if n > 1 else n for n in shape[1:])) for shape in inputs)


def of_sizes(case: Case) -> bool:
    """Whether the layer has positions, and weights that do not depend on how many there are."""
    here, there = case, case._replace(inputs=longer(case.inputs, 1))
    return (
        here.inputs != there.inputs
        and fits(there)
        and here.layer.parameters(here.input_shape) == there.layer.parameters(there.input_shape)
    )


@pytest.mark.parametrize("case", [*filter(of_sizes, EXAMPLES)], ids=id_of)
def test_an_example_of_any_size_is_what_torch_computes(case: Case) -> None:
    """One model for all of these sizes."""
    module = module_with_weights(case)
    shapes, sizes = with_symbols(case.inputs)
    with Domain({name: make(1, {0: size}, ()) for name, size in sizes.items()}).applied():
        session = session_of(case, module, shapes)
    for step in STEPS:
        if fits(case._replace(inputs=longer(case.inputs, step))):
            compare(case, module, session, longer(case.inputs, step))


JOINS = [
    case
    for case in EXAMPLES
    if KINDS[case.kind].joins and len(case.inputs[0]) > 1 and all(min(shape[1:]) > 1 for shape in case.inputs)
]


@pytest.mark.parametrize("case", JOINS, ids=id_of)
def test_branches_whose_sizes_have_nothing_to_do_with_each_other(case: Case) -> None:
    """Which one is larger is decided when the model runs."""
    module = module_with_weights(case)
    shapes: tuple[Shape, ...] = tuple(
        (shape[0], *(symbol(f"n{place}{axis}") for axis in range(len(shape) - 1)))
        for place, shape in enumerate(case.inputs)
    )
    session = session_of(case, module, shapes)
    for inputs in (case.inputs, case.inputs[1:] + case.inputs[:1]):
        moved = tuple((shape[0], *other[1:]) for shape, other in zip(case.inputs, inputs, strict=True))
        if fits(case._replace(inputs=moved)):
            compare(case, module, session, moved)


@pytest.mark.campaign
@pytest.mark.parametrize("name", KINDS)
def test_random_arguments(name: str) -> None:
    """In numbers and for any size."""

    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        case = draw_case(data.draw, name)
        assume(fits(case))
        test_an_example_is_what_torch_computes(case)
        if of_sizes(case):
            test_an_example_of_any_size_is_what_torch_computes(case)

    run()
