"""Settings are read back from modules: every argument of every kind shows if it is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnncli.language.readers import (
    Choice,
    Count,
    EachAxis,
    Factor,
    Flag,
    Number,
    PerAxis,
    PerAxisOrNull,
    Sizes,
    Whole,
)
from cnncli.layers import KINDS, Kind
from cnncli.layers.geometry.padding import Edges, Padding, PaddingReader
from cnncli.layers.table import TableReader
from cnncli.network import BUILDERS, build_network
from cnncli.network.registry import build
from cnncli.network.verify import verify
from tests.cases import Case
from tests.network.support import graph_of
from tests.test_contract import BATCH, EXAMPLES, id_of, node_of

ARGUMENTS = [(name, argument) for name, kind in KINDS.items() for argument in kind.arguments]


def others(reader: Any, value: Any, rank: int) -> Iterator[Any]:
    """Yield other values of an argument."""
    if isinstance(reader, Flag):
        yield not value
    elif isinstance(reader, Choice):
        yield from (word for word in reader.words if word != value)
    elif isinstance(reader, Number):
        yield from (each for each in (0.125, 0.75) if each != value)
    elif isinstance(reader, Edges | PaddingReader):
        yield from (Padding(amounts=((0, 1), (1, 0))[:rank]), Padding("same"), Padding(amounts=((1, 1),)))
    elif isinstance(reader, TableReader):
        yield tuple(tuple(channel ^ 1 for channel in row) for row in value or ((0,), (1,), (0,)))
    elif isinstance(reader, EachAxis) and isinstance(reader.item, Factor):
        yield from (each for each in (2, 3, 1.5, 1.25) if each != value)
    elif isinstance(reader, PerAxisOrNull):
        yield from (1, 2, 3)
    elif isinstance(reader, Sizes):
        yield tuple(reversed(value))
    else:
        assert isinstance(reader, Whole | Count | EachAxis), reader
        pairs = ((1, 2), (2, 1)) if isinstance(reader, PerAxis) else ()
        yield from (each for each in (1, 2, 3, 4, *pairs) if each != value)


def changed(case: Case, argument: str) -> Iterator[Kind[Any]]:
    """Yield the layer of a case with other values of an argument, as far as they fit its input."""
    layer = case.layer
    shape = case.inputs[0]
    for value in others(layer.arguments[argument].reader, getattr(layer, argument), len(shape) - 1):
        other = layer.replaced({argument: value})
        try:
            if all(requirement.holds for requirement in other.check(case.input_shape)):
                yield other
        except (AttributeError, TypeError, ValueError):
            continue


def outcome(case: Case, layer: Kind[Any]) -> dict[str, Tensor] | None:
    """Return what a module computes in training and in inference, and all it stores; None if it fails."""
    torch.manual_seed(0)
    module = build(node_of(case, layer))
    inputs = [torch.randn(BATCH, *shape) for shape in case.inputs]
    given = ([inputs],) if KINDS[case.kind].joins else (inputs,)
    computed = {}
    try:
        for training in (True, False):
            torch.manual_seed(1)
            computed[f"training {training}"] = module.train(training)(*given[0]).detach()
    except RuntimeError:
        return None
    return computed | module.state_dict()


def is_effective(case: Case, other: Kind[Any]) -> bool:
    """Return whether a changed layer computes or stores anything else."""
    before, after = outcome(case, case.layer), outcome(case, other)
    if before is None or after is None or before.keys() != after.keys():
        return True
    return any(
        each.shape != after[name].shape or not torch.equal(each, after[name]) for name, each in before.items()
    )


def _built_as(make: Any, other: Kind[Any], _: Kind[Any], input_shape: Any) -> Any:
    return make(other, input_shape)


@pytest.mark.parametrize(("kind", "argument"), ARGUMENTS)
def test_a_changed_argument_is_seen(kind: str, argument: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make = BUILDERS[KINDS[kind]]
    seen = 0
    for case in (each for each in EXAMPLES if each.kind == kind):
        for other in changed(case, argument):
            if not is_effective(case, other):
                continue
            with monkeypatch.context() as patched:
                patched.setitem(BUILDERS, KINDS[kind], partial(_built_as, make, other))
                found = verify(graph_of(case.spec))
            name = graph_of(case.spec).nodes[-1].name
            assert any(row.name == name for row in found.unexplained), (case, other)
            seen += 1
    assert seen


@pytest.mark.parametrize("case", EXAMPLES, ids=id_of)
def test_an_unchanged_layer_agrees(case: Case) -> None:
    assert [row for row in verify(graph_of(case.spec)).unexplained if row.figure.startswith("setting")] == []


def test_a_row_has_both_values(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of("input: [2, 4, 4]\nlayers: [batchnorm: {eps: 0.001}]")
    monkeypatch.setitem(BUILDERS, KINDS["batchnorm"], lambda *_: nn.BatchNorm2d(2))
    assert [row[:4] for row in verify(graph).unexplained] == [("batchnorm1", "setting eps", "0.001", "1e-05")]


def test_a_module_of_another_kind_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of("input: [2, 4, 4]\nlayers: [maxpool: {kernel: 3, stride: 1, padding: same}]")
    monkeypatch.setitem(BUILDERS, KINDS["maxpool"], lambda *_: nn.Identity())
    assert [row.figure for row in verify(graph).unexplained] == ["settings"]


# -- layers inside of layers -----------------------------------------------------------------------

DEFAULTS = {
    "batchnorm": "{eps: 1e-3, momentum: 0.01}",
    "groupnorm": "{eps: 1e-3}",
    "layernorm": "{eps: 1e-3}",
    "instancenorm": "{eps: 1e-3}",
    "prelu": "{start: 0.5}",
    "leaky_relu": "{slope: 0.5}",
    "elu": "{alpha: 2}",
}


def test_the_normalization_of_a_shortcut_has_the_defaults_of_its_kind() -> None:
    text = """
        input: [4, 8, 8]
        defaults: {batchnorm: {eps: 1e-3, momentum: 0.01}}
        layers: [shortcut: 8, shortcut: {channels: 16, eps: 0.1}, conv: {channels: 2, kernel: 1, norm: batch}]
    """
    network = build_network(graph_of(text))
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]
    assert [(norm.eps, norm.momentum) for norm in norms] == [(1e-3, 0.01), (0.1, 0.01), (1e-3, 0.01)]


def test_without_scale_and_shift_by_default() -> None:
    text = "input: [4, 8, 8]\ndefaults: {batchnorm: {affine: false}}\nlayers: [shortcut: 8]"
    assert graph_of(text).nodes[0].parameters == {"0.weight": (8, 4, 1, 1)}
    assert verify(graph_of(text)).ok


OWN_SETTINGS = {"eps", "momentum", "slope", "start", "alpha"}
WITHOUT_OWN = [
    case
    for case in EXAMPLES
    if not (case.arguments and KINDS[case.kind].arguments.keys() & OWN_SETTINGS)
    or (case.kind == "shortcut" and "eps" not in case.arguments)
]


@pytest.mark.parametrize("case", WITHOUT_OWN, ids=id_of)
def test_a_layer_inside_of_a_layer_heeds_the_defaults_of_its_kind(case: Case) -> None:
    """Every normalization or activation with settings, anywhere in a network, has those of the defaults."""
    lines = "".join(f"  {kind}: {written}\n" for kind, written in DEFAULTS.items())
    spec = re.sub(r"^input", f"defaults:\n{lines}input", case.spec)
    for module in build_network(graph_of(spec), "meta").modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            assert (module.eps, module.momentum) == (1e-3, 0.01), case
        elif isinstance(module, nn.GroupNorm | nn.LayerNorm | nn.modules.instancenorm._InstanceNorm):
            assert module.eps == 1e-3, case
        elif isinstance(module, nn.PReLU):
            assert module.init == 0.5, case
        elif isinstance(module, nn.LeakyReLU):
            assert module.negative_slope == 0.5, case
        elif isinstance(module, nn.ELU):
            assert module.alpha == 2, case
