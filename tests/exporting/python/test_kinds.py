"""Every kind of layer computes in an exported module what it does in the network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnncli.diagnostics import CnncliError
from cnncli.exporting.python import CALLS, JOINS
from cnncli.graph import Graph, open_text
from cnncli.layers import KINDS
from cnncli.network import build_network
from tests.cases import Case
from tests.exporting.python.support import network_of


def test_every_kind_has_one_form() -> None:
    assert sorted(each.keyword for each in (*CALLS, *JOINS)) == sorted(KINDS)


def declared(kind: str) -> list[Case]:
    return [Case(kind, *example) for example in KINDS[kind].examples]


def sizes_of(graph: Graph) -> list[tuple[int, ...]]:
    """Return the input size, and those that are a few positions larger along every axis."""
    channels, *sizes = (int(str(dim)) for dim in graph.input)
    return [(channels, *(n + more for n in sizes)) for more in (range(4) if sizes else (0,))]


def accepts(network: torch.nn.Module, x: torch.Tensor) -> bool:
    try:
        network(x)
    except (RuntimeError, ValueError, IndexError):
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_the_network_at_every_size(kind: str, tmp_path: Path) -> None:
    for case in declared(kind):
        graph = open_text(case.spec).graph
        network, exported = build_network(graph).eval(), network_of(graph, tmp_path).eval()
        exported.load_state_dict(network.state_dict())
        for size in sizes_of(graph):
            x = torch.randn(2, *size)
            if size == graph.input or accepts(network, x):
                torch.testing.assert_close(exported(x), network(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["dropout", "dropout2d", "droppath", "noise", "batchnorm"])
def test_training_is_that_of_the_network(kind: str, tmp_path: Path) -> None:
    graph = open_text(declared(kind)[0].spec).graph
    network, exported = build_network(graph), network_of(graph, tmp_path)
    x = torch.randn(4, *map(int, map(str, graph.input)))
    torch.manual_seed(7)
    expected = network(x)
    torch.manual_seed(7)
    torch.testing.assert_close(exported(x), expected, rtol=0, atol=0)
    assert not torch.equal(expected, network.eval()(x))


def test_a_kind_of_a_plug_in_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(CALLS, KINDS["gelu"])
    with pytest.raises(CnncliError, match="kind 'gelu' has no form in Python") as caught:
        network_of(open_text("input: [4]\nlayers: [linear: 3, gelu]\n").graph, tmp_path)
    assert caught.value.diagnostics[0].location is not None
