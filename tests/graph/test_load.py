"""From a file to a graph: sizes, shapes, plug-ins, growth."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from cnncli.diagnostics import CnncliError, ShapeError, SpecError, UsageError
from cnncli.graph import open_spec, open_text, read_budget
from cnncli.layers import KINDS, plugins, registry
from tests.language.support import fault, faults, graph, nodes
from tests.steps import at_most

PLUGIN = '''
from cnncli.layers import Example, FromInput, layer

@layer("{name}", activation=True)
class Swash(FromInput):
    """x squared."""

    work = 1
    examples = (Example("", ((3, 4),)),)
'''


@pytest.fixture(autouse=True)
def kinds_as_before() -> Any:
    """Whatever a test registers is gone after it."""
    words = registry.KindVocabulary().shorthand("activation")
    assert isinstance(words, dict)
    before = [(table, dict(table)) for table in (KINDS, words)]
    yield
    for table, entries in before:
        table.clear()
        table.update(entries)


def test_another_input_size() -> None:
    text = "input: [3, 8, 8]\nlayers: [conv: {channels: 2, kernel: 3}]"
    assert open_text(text, size=(5, 20, 10)).graph.nodes[0].output_shape == (2, 18, 8)
    assert open_text(text, size=[5, 20, 10]).graph.input == (5, 20, 10)


@pytest.mark.parametrize("size", [(), (0,), (3, -1), (1, 1, 1, 1, 1), (10**13,)])
def test_what_is_not_an_input_size(size: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="not an input size"):
        open_text("input: [3]\nlayers: [relu]", size=size)


def test_nodes_follow_what_they_read() -> None:
    seen = {"input"}
    for node in graph(
        "layers: [{relu: , name: a}, add: [[tanh, add: [a, identity]], input], {mish: , from: a}]"
    ).nodes:
        assert seen.issuperset(node.inputs)
        seen.add(node.name)


def test_a_node_knows_its_shapes_and_tensors() -> None:
    conv, norm = graph("layers: [conv: {channels: 4, kernel: 3, norm: batch}]").nodes
    assert (conv.input_shapes, conv.output_shape, conv.input_shape) == (((3, 8, 8),), (4, 6, 6), (3, 8, 8))
    assert conv.parameters == {"weight": (4, 3, 3, 3), "bias": (4,)}
    assert norm.buffers == {"running_mean": (4,), "running_var": (4,)}
    assert str(conv.location) == "net.yaml:2:10"


def test_groups_say_what_a_prefix_means() -> None:
    text = "blocks: {b: {layers: [relu]}}\nlayers: [{b: , repeat: 2, name: x}, b]\nheads: {h: [relu]}"
    assert graph(text).groups == {"x": "b x2", "x.0": "b", "x.1": "b", "b2": "b", "h": "head"}


def test_shape_faults_alone_are_shape_errors() -> None:
    with pytest.raises(ShapeError):
        graph("layers: [linear: 3]")
    with pytest.raises(SpecError) as caught:
        graph("layers: [linear: 3, reul]")
    assert not isinstance(caught.value, ShapeError)


def test_what_reads_a_node_of_a_wrong_shape_is_not_reported_as_well() -> None:
    assert (
        fault("layers: [conv: {channels: 1, kernel: 9}, conv: {channels: 1, kernel: 3}, linear: 3]").code
        == "shape"
    )


def test_arguments_are_checked_even_where_shapes_are_not_known() -> None:
    assert [each.code for each in faults("layers: [linear: 3, conv: {channels: 0, kernel: 1}]")] == [
        "shape",
        "value",
    ]


@pytest.mark.slow
def test_sizes_do_not_grow_without_limit() -> None:
    found = fault("layers: [{upsample: 2, repeat: 20000}]")
    assert found.message == "upsample1.36: the output is too large"


def test_a_long_table_is_cut() -> None:
    found = fault("layers: [{relu: , repeat: 100, name: r}, linear: 3]")
    lines = found.detail.splitlines()
    assert len(lines) == 14
    assert lines[0].split() == ["input", "3x8x8"]
    assert lines[1] == "... 89 more"
    assert lines[-1].split() == ["linear1", "does", "not", "fit", "3x8x8"]


def test_the_table_shows_only_what_leads_to_the_fault() -> None:
    found = fault("layers: [{relu: , name: a}, {tanh: , name: b}, {linear: 3, from: a}]")
    assert [line.split()[0] for line in found.detail.splitlines()] == ["input", "a", "linear1"]


def test_training_only_is_what_only_such_heads_need() -> None:
    text = """
    layers: [{relu: , name: a}, {tanh: , name: b}, {mish: , from: a, name: c}]
    heads: {main: {from: b}, aux: {from: c, layers: [elu], training_only: true}}
    """
    assert {node.name: node.training_only for node in graph(text).nodes} == {
        "a": False,
        "b": False,
        "c": True,
        "aux.elu1": True,
    }


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["chain", "joins", "blocks"])
def test_work_grows_linearly(shape: str) -> None:
    def text(count: int) -> str:
        if shape == "chain":
            each = "  - conv: {channels: 8, kernel: 3, padding: same, activation: relu}\n"
        elif shape == "joins":
            each = "  - add: [[conv: {channels: 3, kernel: 3, padding: same}], identity]\n"
        else:
            each = "  - b: 3\n"
        blocks = "blocks: {b: {args: {c: }, layers: [conv: {channels: c, kernel: 1, norm: batch}]}}\n"
        return f"input: [3, 8, 8]\n{blocks}layers:\n{each * count}"

    def steps(count: int) -> int:
        written = text(count)
        with at_most(10_000_000) as work:
            opened = open_text(written)
        assert len(opened.graph.nodes) == 2 * count
        return work.taken

    steps(100)  # what is computed once for all
    assert steps(2000) < 8.1 * steps(250)


class TestBudget:
    def test_a_mapping_or_a_section(self, tmp_path: Path) -> None:
        path = tmp_path / "budget.yaml"
        for text in ("params: 1.2M\nweights_size: 512 KiB", "budget: {params: 1.2M, weights_size: 512 KiB}"):
            path.write_text(text)
            found = read_budget(path)
            assert (found.params, found.weights_size, found.macs) == (1_200_000, 512 * 1024, None)

    @pytest.mark.parametrize(
        "text", ["", "3", "[]", "{}", "parms: 3", "params: 3, 4x", "params: 1\nparams: 2", "budget:"]
    )
    def test_what_is_not_a_budget(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "budget.yaml"
        path.write_text(text)
        with pytest.raises(CnncliError):
            read_budget(path)

    def test_every_fault_of_it(self, tmp_path: Path) -> None:
        path = tmp_path / "budget.yaml"
        path.write_text("params: 1\nparams: 2\nmacs: x\nflop: 3\n")
        with pytest.raises(SpecError) as caught:
            read_budget(path)
        assert [each.location.line for each in caught.value.diagnostics if each.location] == [2, 3, 4]

    @pytest.mark.parametrize(
        ("written", "amount"),
        [
            ("1.2M", 1_200_000),
            ("60k", 60_000),
            ("61706", 61706),
            ("1_000_000", 10**6),
            ("'1,000,000'", 10**6),
            ("1e6", 10**6),
            ("1.5e3", 1500),
            ("2G", 2 * 10**9),
            ("2 B", 2 * 10**9),
            ("0", 0),
            ("60 * 1000", 60_000),
        ],
    )
    def test_readable_numbers(self, written: str, amount: int) -> None:
        assert open_text(f"input: [3]\nlayers: [relu]\nbudget: {{params: {written}}}").budget.params == amount

    @pytest.mark.parametrize(
        "written", ["-1", "1.5", "1 KiB", "1.2345k", "x", "1e999", "9" * 5000, "[1]", "yes", "1 2", "''"]
    )
    def test_what_is_not_a_number(self, written: str) -> None:
        assert fault(f"layers: [relu]\nbudget:\n  params: {written}\n").location is not None

    @pytest.mark.parametrize(
        ("written", "amount"),
        [("512 KiB", 2**19), ("1.5 MB", 1_500_000), ("2GiB", 2**31), ("100", 100), ("3 B", 3)],
    )
    def test_sizes(self, written: str, amount: int) -> None:
        opened = open_text(f"input: [3]\nlayers: [relu]\nbudget: {{weights_size: {written}}}")
        assert opened.budget.weights_size == amount


class TestPlugins:
    def test_a_file_adds_a_kind(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.py"
        path.write_text(PLUGIN.format(name="swash"))
        plugins.load_file(str(path))
        assert nodes("layers: [swash]")["swash1"].output_shape == (3, 8, 8)
        assert fault("layers: [swsh]").hint == "did you mean 'swash'?"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("import nothing_like_this", "ModuleNotFoundError"),
            ("def f(:", "SyntaxError"),
            ("1 / 0", "ZeroDivisionError"),
            ("raise SystemExit(3)", "SystemExit"),
            (PLUGIN.format(name="conv"), "kind 'conv' is already registered"),
            ("from cnncli.layers import Kind, layer\n@layer('x')\nclass X(Kind):\n    'x'", "kind 'x' lacks"),
            ("\0", "cannot be loaded"),
        ],
    )
    def test_a_broken_file(self, tmp_path: Path, text: str, said: str) -> None:
        path = tmp_path / "mine.py"
        path.write_text(text)
        with pytest.raises(UsageError, match="cannot be loaded") as caught:
            plugins.load_file(str(path))
        assert said in caught.value.diagnostics[0].message + caught.value.diagnostics[0].received

    @pytest.mark.parametrize("name", ["none.py", "mine.txt", "", ".", "a\0.py", "x" * 5000 + ".py"])
    def test_no_such_file(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "mine.txt").write_text("")
        with pytest.raises(UsageError, match="no such plug-in"):
            plugins.load_file(f"{tmp_path}/{name}")

    def test_installed_ones_are_looked_for_where_a_kind_is_not_known(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "swash_layers.py").write_text(PLUGIN.format(name="swash"))
        monkeypatch.syspath_prepend(str(tmp_path))
        self.install(monkeypatch, "swash_layers")
        found = nodes("layers: [conv: {channels: 1, kernel: 1, activation: swash}]")
        assert found["conv1_activation"].kind == "swash"

    def test_a_broken_one_is_a_fault_beside_those_of_the_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.install(monkeypatch, "nothing_like_this")
        found = faults("layers: [reul]")
        assert [each.code for each in found] == ["unknown-kind", "usage"]
        assert "nothing_like_this" in found[1].message
        assert nodes("layers: [relu]")

    def test_a_spec_never_names_code(self, tmp_path: Path) -> None:
        (tmp_path / "mine.py").write_text("raise SystemExit")
        for text in ("plugin: mine.py", "plugins: [mine.py]", "extends: mine.py"):
            (tmp_path / "a.yaml").write_text(f"{text}\ninput: [3]\nlayers: [relu]")
            with pytest.raises(SpecError):
                open_spec(tmp_path / "a.yaml")

    @staticmethod
    def install(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
        entry = EntryPoint("mine", module, plugins.GROUP)
        monkeypatch.setattr(
            "importlib.metadata.entry_points", lambda group: [entry] if group == plugins.GROUP else []
        )
