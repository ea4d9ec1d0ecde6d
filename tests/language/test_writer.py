"""A document written back: one file that means the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnncli.graph import open_spec, open_text
from cnncli.language.writer import to_yaml
from tests.language.support import opened


def again(text: str, *overrides: str) -> str:
    return to_yaml(opened(text, *overrides).document)


@pytest.mark.parametrize(
    "text",
    [
        "layers: [{relu: , name: a}, {tanh: ~}, mish: {}]",
        "blocks: {b: {args: {c: , d: 3}, layers: [conv: {channels: c, kernel: d}]}}\nlayers: [b: 3]",
        "vars: {'yes': 3, a: 'no', b: \"it's: #1\", c: \"x\\ty\"}\nname: $b\nlayers: [relu]",
        "vars: {'<<': 3, 'a b': 1, '': 2, '~': 4}\nlayers: [relu]",
        "name: 'null'\nlayers: [relu]",
        "name: $$a\nlayers: [relu]",
        "name: größe\nlayers: [relu]",
        "layers: [{relu: , repeat: 'min(1, 2)'}]",
        (
            "vars: {d: &d [1, 2]}\n"
            "train: {optimizer: {sgd: {lr: 1e-3}}, data: 'idx:a'}\n"
            'layers: [{conv: {channels: 3, kernel: *d}, repeat: "d[1]"}]'
        ),
        "name: |\n  a\n  b\nlayers: [relu]",
        f"name: {'long ' * 39}\nlayers: [relu]",
        "heads: {a: [], b: {from: input}}\nlayers: [relu]",
    ],
)
def test_it_means_the_same(text: str) -> None:
    first = opened(text)
    second = open_text(to_yaml(first.document))
    assert [node[:8] for node in second.graph.nodes] == [node[:8] for node in first.graph.nodes]
    assert (second.graph.name, second.graph.outputs) == (first.graph.name, first.graph.outputs)
    assert (second.train, second.budget) == (first.train, first.budget)
    assert to_yaml(second.document) == to_yaml(first.document)


def test_overrides_are_written() -> None:
    text = "vars: {width: 3, act: relu}\nlayers: [conv: {channels: width, kernel: 1, activation: $act}]"
    found = open_text(again(text, "width=7", "act=tanh")).graph.nodes
    assert (found[0].output_shape[0], found[1].kind) == (7, "tanh")


def test_what_is_extended_is_written(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("name: base\ninput: [3]\nvars: {n: 2}\nlayers: [linear: n]")
    (tmp_path / "child.yaml").write_text("extends: base.yaml\nvars: {n: 5}")
    text = to_yaml(open_spec(tmp_path / "child.yaml").document)
    assert "extends" not in text
    found = open_text(text).graph
    assert (found.name, found.nodes[0].output_shape) == ("child", (5,))
