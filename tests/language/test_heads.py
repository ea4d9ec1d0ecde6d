"""Several outputs."""

from __future__ import annotations

import pytest

from cnncli.graph.graph import Output
from tests.language.support import fault, faults, graph, nodes, pointed

TRUNK = "layers: [{conv: {channels: 4, kernel: 1}, name: a}, {globalavgpool: , name: features}]\n"


def test_without_heads_the_last_node_is_the_output() -> None:
    assert graph(TRUNK).outputs == {"output": Output("features", (4,), False)}


def test_heads() -> None:
    found = graph(
        TRUNK
        + """
heads:
  digit: [linear: 10]
  parity: {from: features, layers: [linear: 2]}
  aux1: {from: a, layers: [globalavgpool, linear: 3], training_only: true}
  raw: {from: a}
  last: []
"""
    )
    assert found.outputs == {
        "digit": Output("digit.linear1", (10,), False),
        "parity": Output("parity.linear1", (2,), False),
        "aux1": Output("aux1.linear1", (3,), True),
        "raw": Output("a", (4, 8, 8), False),
        "last": Output("features", (4,), False),
    }
    assert [node.name for node in found.nodes if node.training_only] == [
        "aux1.globalavgpool1",
        "aux1.linear1",
    ]


def test_heads_number_their_nodes_by_themselves() -> None:
    found = nodes(TRUNK + "heads: {p: [linear: 3, linear: 2], q: [linear: 4]}")
    assert list(found)[2:] == ["p.linear1", "p.linear2", "q.linear1"]
    assert found["q.linear1"].inputs == ("features",)


def test_a_head_may_start_from_another() -> None:
    assert nodes(TRUNK + "heads: {p: [linear: 3], q: {from: p.linear1, layers: [linear: 2]}}")[
        "q.linear1"
    ].inputs == ("p.linear1",)


def test_tasks_belong_to_heads() -> None:
    text = TRUNK + "heads: {digit: [linear: 10]}\ntrain: {tasks: {%s: {weight: 0.5}}}"
    assert graph(text % "digit")
    found = fault(text % "digits")
    assert (pointed(found), found.hint) == ("digits", "did you mean 'digit'?")


@pytest.mark.parametrize("form", ["linear", "3", ""])
def test_a_head_of_a_wrong_form(form: str) -> None:
    assert fault(TRUNK + f"heads:\n  p: {form}\n").code == "heads"


@pytest.mark.parametrize("heads", ["{}", "{p: {training_only: true}}"])
def test_something_must_be_left_when_the_network_is_used(heads: str) -> None:
    assert fault(TRUNK + f"heads: {heads}").code == "heads"


def test_every_fault_of_the_heads() -> None:
    text = TRUNK + (
        "heads:\n"
        "  p: {form: a, layers: [linear: 3]}\n"
        "  q: {from: b}\n  r: {layers: relu}\n  s: {training_only: 3}\n  t t: []\n"
    )
    found = faults(text)
    assert [pointed(each) for each in found] == ["form", "b", "relu", "3", "t t"]
    assert found[0].hint == "did you mean 'from'?"


def test_a_fault_in_the_trunk_is_not_one_of_the_heads() -> None:
    assert fault("layers: [cnov: 3]\nheads: {p: [linear: 3]}").code == "unknown-kind"
