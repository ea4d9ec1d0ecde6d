"""Specs that would take long are refused, and repeated work is done once."""

from __future__ import annotations

import pytest

from cnncli.limits import MAX_NODES
from tests.language.support import faults, names, nodes
from tests.steps import at_most

LONG = "+".join("a" * 200)
CONV = f"conv: {{channels: {LONG}, kernel: 1}}"
MANY = 40_000
MOST = 20_000_000
"""Steps; reading 40,000 layers takes some 5,000,000."""
CASES = {
    "expressions": "vars: {a: 3}\nlayers:\n" + f"  - conv: {{channels: '{LONG}', kernel: 1}}\n" * 4500,
    "expressions in blocks": (
        "vars: {a: 3}\n"
        f"blocks: {{b: {{args: {{c: }}, layers: [{', '.join([CONV] * 20)}]}}}}\n"
        "layers:\n" + "".join(f"  - b: {i}\n" for i in range(500))
    ),
    "shape faults": (
        f"layers:\n  - {{relu: , repeat: {MANY}}}\n"
        + "  - {conv: {channels: 1, kernel: 99}, from: relu1}\n" * 3000
    ),
    "references": (
        f"layers:\n  - {{relu: , repeat: {MANY}, name: long}}\n"
        + "".join(f"  - {{relu: , from: lnog.{i}}}\n" for i in range(3000))
    ),
    "names": (
        "blocks:\n"
        + "".join(f"  b{i}: {{layers: [{{b{i + 1}: , name: {'x' * 200}}}]}}\n" for i in range(30))
        + f"  b30: {{layers: [{{relu: , repeat: {MANY}}}]}}\nlayers: [b0]"
    ),
    "arguments of blocks": (
        f"blocks: {{b: {{args: {{{', '.join(f'a{i}: 1' for i in range(3000))}}}, layers: [relu]}}}}\n"
        f"layers: [{{b: , repeat: {MANY}}}]"
    ),
    "branches": "layers:\n" + f"  - concat: [{', '.join(['input'] * 256)}]\n" * 1000,
    "doubling sizes": f"layers: [{{concat: [identity, identity], repeat: {MANY}}}]",
    "deep copies": (
        "blocks: {a: {layers: [{b: , repeat: 1000}]}, b: {layers: [{relu: , repeat: 0}]}}\n"
        "layers: [{a: , repeat: 100000}]"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_what_would_take_long_is_refused(case: str) -> None:
    with at_most(MOST):
        found = faults(CASES[case])
    assert found


def test_a_name_may_not_grow_without_limit() -> None:
    assert faults(CASES["names"])[0].expected == "at most 500 characters, blocks included"


@pytest.mark.slow
def test_copies_share_what_is_computed_once() -> None:
    text = f"vars: {{a: 3}}\nlayers: [{{conv: {{channels: {LONG}, kernel: 1}}, repeat: 10000, name: c}}]"
    with at_most(MOST):
        found = nodes(text)
    assert found["c.1"].layer is found["c.9999"].layer


def test_copies_of_a_block_share_their_arguments() -> None:
    block = "blocks: {b: {args: {c: 4}, layers: [conv: {channels: c, kernel: 1}]}}\n"
    found = nodes(block + "layers: [{b: , repeat: 3, name: x}, b: 4]")
    assert [node.output_shape[0] for node in found.values()] == [4, 4, 4, 4]


@pytest.mark.slow
def test_as_many_layers_as_anyone_writes() -> None:
    assert len(names(f"layers: [{{relu: , repeat: {MAX_NODES}}}]")) == MAX_NODES
