"""Automatic names step aside for written ones, wherever those are written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.diagnostics import CnncliError, Diagnostic, Location
from cnncli.graph import open_text
from cnncli.language import expand
from cnncli.limits import MAX_RENAMINGS
from tests.language.support import fault, names, nodes

CONV = "conv: {channels: 1, kernel: 1, norm: batch, activation: relu}"


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("{relu: , repeat: 2, name: a}, {tanh: , name: a.1}", ["a.0", "a.2", "a.1"]),
        ("{tanh: , name: a.1}, {relu: , repeat: 2, name: a}", ["a.1", "a.0", "a.2"]),
        ("{relu: , repeat: 2, name: a}, {tanh: , name: a.0.b}", ["a.1", "a.2", "a.0.b"]),
        (f"{{{CONV}, name: a}}, {{tanh: , name: a_norm}}", ["a", "a_norm_2", "a_activation", "a_norm"]),
        (
            f"{CONV}, {{tanh: , name: conv1_norm.x}}",
            ["conv1", "conv1_norm_2", "conv1_activation", "conv1_norm.x"],
        ),
        (
            f"{{{CONV}, name: a}}, {{tanh: , name: a_norm}}, {{tanh: , name: a_norm_2}}",
            ["a", "a_norm_3", "a_activation", "a_norm", "a_norm_2"],
        ),
    ],
)
def test_names_of_copies_and_of_shorthand(layers: str, expected: list[str]) -> None:
    assert names(f"layers: [{layers}]") == expected


def test_one_relu6_and_61_relu() -> None:
    found = names(f"layers: [relu6{', relu' * 61}]")
    assert found == ["relu6_1", *(f"relu{number}" for number in range(1, 62))]


def test_blocks_whose_names_differ_by_a_digit() -> None:
    found = names(
        f"blocks: {{a: {{layers: [relu]}}, a1: {{layers: [tanh]}}}}\nlayers: [a1, a{', a' * 12}, a1]"
    )
    assert found[:3] == ["a1_1.tanh1", "a1.relu1", "a2.relu1"]
    assert found[-2:] == ["a13.relu1", "a1_2.tanh1"]


def test_a_block_named_like_the_shorthand_of_a_layer() -> None:
    layers = f"[conv1_norm_, {CONV}, {{relu: , name: conv1_norm}}]"
    text = f"blocks: {{conv1_norm_: {{layers: [tanh]}}}}\nlayers: {layers}"
    assert names(text) == ["conv1_norm_1.tanh1", "conv1", "conv1_norm_2", "conv1_activation", "conv1_norm"]


def test_a_number_that_is_written_in_a_numbered_block() -> None:
    assert names('blocks: {n: {numbered: true, layers: [relu, {tanh: , name: "0"}, relu]}}\nlayers: [n]') == [
        "n1.1",
        "n1.0",
        "n1.2",
    ]


def test_a_number_that_is_written_in_a_block_inside_a_numbered_block() -> None:
    text = """
    blocks:
      inner: {args: {n: }, layers: [{tanh: , name: $n}]}
      outer: {numbered: true, layers: [relu, relu, inner: 1, relu, inner: 0]}
    layers: [outer]
    """
    assert names(text) == ["outer1.2", "outer1.3", "outer1.1", "outer1.4", "outer1.0"]


def test_a_name_that_a_later_block_or_head_writes() -> None:
    text = """
    blocks: {b: {layers: [relu, relu]}, c: {layers: [{tanh: , name: q.relu1}]}}
    layers: [{b: , name: p.q}, {c: , name: p}, {b: , name: h.r}]
    heads: {h: [{tanh: , name: r.relu1}]}
    """
    assert names(text) == ["p.q.relu2", "p.q.relu3", "p.q.relu1", "h.r.relu2", "h.r.relu3", "h.r.relu1"]


def test_hundreds_of_names_that_are_found_late() -> None:
    inner = [f"i{number}: {{layers: [{{tanh: , name: '{2 * number}'}}]}}" for number in range(150)]
    uses = [*["relu"] * 150, *(f"i{number}" for number in range(150))]
    blocks = f"{{{', '.join(inner)}, n: {{numbered: true, layers: [{', '.join(uses)}]}}}}"
    found = names(f"blocks: {blocks}\nlayers: [n]")
    assert len(set(found)) == 300
    assert found[150:] == [f"n1.{2 * number}" for number in range(150)]


def test_many_written_numbers_after_an_automatic_one() -> None:
    numbers = range(3 * MAX_RENAMINGS)
    inner = [f"i{number}: {{layers: [{{tanh: , name: '{number}'}}]}}" for number in numbers]
    uses = ", ".join(["relu", *(f"i{number}" for number in numbers)])
    found = names(f"blocks: {{{', '.join(inner)}, n: {{numbered: true, layers: [{uses}]}}}}\nlayers: [n]")
    assert found == [f"n1.{len(numbers)}", *(f"n1.{number}" for number in numbers)]


def test_names_are_given_anew_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expand, "MAX_RENAMINGS", 1)
    text = "blocks: {i: {layers: [{tanh: , name: '0'}]}, n: {numbered: true, layers: [relu, i]}}\nlayers: [n]"
    found = fault(text)
    assert (found.code, found.message) == (
        "limit",
        "automatic names collide with written ones, also after 1 attempts",
    )


def test_a_reference_means_the_written_name() -> None:
    found = nodes(f"layers: [{{{CONV}, name: a}}, {{tanh: , name: a_norm}}, {{mish: , from: a_norm}}]")
    assert found["mish1"].inputs == ("a_norm",)
    assert found["a_activation"].inputs == ("a_norm_2",)


@pytest.mark.parametrize(
    "text",
    [
        "layers: [{relu: , name: a}, {tanh: , name: a}]",
        "blocks: {b: {layers: [{relu: , name: a}]}, n: {numbered: true, layers: [b, b]}}\nlayers: [n]",
    ],
)
def test_two_written_names_that_are_the_same(text: str) -> None:
    assert fault(text).code == "duplicate-name"


# -- a random search ---------------------------------------------------------------------------------------

WORDS = [
    *("relu1", "relu2", "relu1.0", "relu1.relu1", "linear1_activation", "linear1_activation_2", "p", "p.q"),
    *("0", "1", "2", "p.0", "p.1", "a1", "a1_1", "a11", "a2", "n1", "n1.0", "a1.relu1", "p_activation"),
]
KINDS: list[dict[str, Any]] = [
    {"relu": None},
    {"relu6": None},
    {"linear": {"features": 2, "activation": "relu"}},
    {"a": None},
    {"a1": None},
    {"n": None},
]
written = st.one_of(st.none(), st.none(), st.sampled_from(WORDS))
repeated = st.one_of(st.none(), st.none(), st.integers(0, 3))


@st.composite
def layer(draw: st.DrawFn, kinds: list[dict[str, Any]]) -> dict[str, Any]:
    kind = draw(st.sampled_from(kinds))
    name, copies = draw(written), draw(repeated)
    return {
        **kind,
        **({"name": name} if name is not None else {}),
        **({"repeat": copies} if copies is not None else {}),
    }


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """Return a spec in which block ``n`` uses ``a`` and ``a1``, and the layers use all three."""
    inner = st.lists(layer(KINDS[:3]), min_size=1, max_size=4)
    blocks = {
        "a": {"layers": draw(inner), "numbered": draw(st.booleans())},
        "a1": {"layers": draw(inner), "numbered": draw(st.booleans())},
        "n": {
            "layers": draw(st.lists(layer(KINDS[:5]), min_size=1, max_size=5)),
            "numbered": draw(st.booleans()),
        },
    }
    made: dict[str, Any] = {"input": [2], "blocks": blocks}
    made["layers"] = draw(st.lists(layer(KINDS), min_size=1, max_size=8))
    if draw(st.booleans()):
        heads = draw(
            st.lists(st.sampled_from([word for word in WORDS if "." not in word]), unique=True, min_size=1)
        )
        made["heads"] = {name: draw(st.lists(layer(KINDS), max_size=3)) for name in heads}
    return made


@given(specs())
def test_no_automatic_name_is_ever_in_the_way(made: dict[str, Any]) -> None:
    """Where names collide, both are written: the place of an automatic name is that of its kind."""
    text = json.dumps(made)
    try:
        found = [node.name for node in open_text(text).graph.nodes]
    except CnncliError as error:
        for each in error.diagnostics:
            assert all(map(is_written, in_the_way(each))), (text, each)
    else:
        assert len(set(found)) == len(found)


def in_the_way(found: Diagnostic) -> list[Location]:
    """The places of two names that are the same, or of a layer that would contain others."""
    assert found.code in ("duplicate-name", "name"), found
    assert found.location is not None
    other = found.related[0].location
    if found.code == "duplicate-name":
        return [found.location, other]
    return [other if "would be inside" in found.message else found.location]


def is_written(where: Location) -> bool:
    """Whether a place is that of a name, or of the key of a head."""
    line = where.source.line(where.line)
    before, after = line[: where.column - 1], line[where.column - 1 + where.width :]
    return before.endswith('"name": ') or after.startswith(": [")
