"""``extends``: a base and a few short files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from cnncli.diagnostics import CnncliError, Diagnostic, UsageError
from cnncli.graph import open_spec, open_text, read_budget, read_recipe
from cnncli.recipe.optimizers import SGD
from tests.language.support import under

BASE = """
name: base
input: [3, 8, 8]
vars: {width: 4, depths: [1, 1], act: relu}
defaults: {conv: {kernel: 1, bias: false}}
blocks:
  unit: {args: {c: }, layers: [conv: {channels: c, activation: $act}]}
layers:
  - {unit: width, repeat: "depths[0]", name: a}
train: {epochs: 3, optimizer: {sgd: {lr: 0.1, momentum: 0.5}}}
budget: {params: 1k, layers: 10}
"""


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def faults(path: Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(CnncliError) as caught:
        open_spec(path)
    return caught.value.diagnostics


def test_maps_merge_and_lists_replace(tmp_path: Path) -> None:
    child = """
    extends: base.yaml
    vars: {depths: [2]}
    defaults: {conv: {bias: true}, maxpool: {kernel: 2}}
    train: {optimizer: {sgd: {lr: 0.2}}}
    budget: {params: 2k}
    """
    write(tmp_path, base=BASE, child=child)
    found = open_spec(tmp_path / "child.yaml")
    assert [node.name for node in found.graph.nodes][::2] == ["a.0.conv1", "a.1.conv1"]
    assert "bias" in found.graph.nodes[0].parameters
    assert (found.train.epochs, found.train.optimizer) == (3, SGD(lr=0.2, momentum=0.5))
    assert (found.budget.params, found.budget.layers) == (2000, 10)


def test_layers_and_input_replace(tmp_path: Path) -> None:
    write(tmp_path, base=BASE, child="extends: base.yaml\ninput: [5]\nlayers: [linear: width]")
    found = open_spec(tmp_path / "child.yaml").graph
    assert [node.output_shape for node in found.nodes] == [(4,)]


def test_another_block(tmp_path: Path) -> None:
    child = "extends: base.yaml\nblocks: {unit: {layers: [conv: {channels: c * 2, activation: tanh}]}}"
    write(tmp_path, base=BASE, child=child)
    assert [node.kind for node in open_spec(tmp_path / "child.yaml").graph.nodes] == ["conv", "tanh"]


def test_a_variable_of_the_base_means_that_of_the_child(tmp_path: Path) -> None:
    base = (
        "input: [3, 8, 8]\nvars: {width: 4, twice: width * 2}\nlayers: [conv: {channels: twice, kernel: 1}]"
    )
    write(tmp_path, base=base, child="extends: base.yaml\nvars: {width: 5}")
    assert open_spec(tmp_path / "child.yaml").graph.nodes[0].output_shape[0] == 10
    assert open_spec(tmp_path / "child.yaml", overrides=["width=6"]).graph.nodes[0].output_shape[0] == 12


def test_names(tmp_path: Path) -> None:
    write(tmp_path, base=BASE, child="extends: base.yaml", named="extends: base.yaml\nname: mine")
    assert open_spec(tmp_path / "child.yaml").graph.name == "child"
    assert open_spec(tmp_path / "named.yaml").graph.name == "mine"


def test_a_chain_through_folders(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, base=BASE, second="extends: sub/first.yaml\nvars: {width: 7}")
    write(tmp_path / "sub", first="extends: ../base.yaml\nvars: {width: 6, act: tanh}")
    found = open_spec(tmp_path / "second.yaml").graph.nodes
    assert (found[0].output_shape[0], found[1].kind) == (7, "tanh")


@pytest.mark.parametrize("base", ["child.yaml", "other.yaml", "./other.yaml"])
def test_a_circle(tmp_path: Path, base: str) -> None:
    write(tmp_path, child=f"extends: {base}", other="extends: child.yaml")
    (found,) = faults(tmp_path / "child.yaml")
    assert found.code == "extends"
    assert "circular" in found.message


def test_a_long_chain(tmp_path: Path) -> None:
    write(tmp_path, **{f"f{i}": f"extends: f{i + 1}.yaml" for i in range(30)}, f30=BASE)
    (found,) = faults(tmp_path / "f0.yaml")
    assert found.code == "limit"


def test_a_missing_file(tmp_path: Path) -> None:
    write(tmp_path, base=BASE, child="extends: bsae.yaml")
    (found,) = faults(tmp_path / "child.yaml")
    assert found.location is not None
    assert (under(found.location), found.hint) == ("bsae.yaml", "did you mean 'base.yaml'?")


@pytest.mark.parametrize(
    "written",
    ["base", "/base.yaml", "base.txt", "'a\0.yaml'", "", "[base.yaml]", "{}", "..", "x" * 5000 + ".yaml"],
)
def test_what_cannot_be_extended(tmp_path: Path, written: str) -> None:
    write(tmp_path, child=f"extends: {written}\nlayers: [relu]\ninput: [3]")
    assert len(faults(tmp_path / "child.yaml")) == 1


def test_circular_links(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    write(tmp_path, child="extends: loop.yaml")
    assert [each.code for each in faults(tmp_path / "child.yaml")] == ["extends"]


def test_faults_of_both_files_come_together(tmp_path: Path) -> None:
    write(
        tmp_path,
        base=BASE.replace("kernel: 1", "kernl: 1"),
        child="extends: base.yaml\nvarz: {}\nlayers: [conv: a]",
    )
    found = [str(each.location).replace(str(tmp_path), "") for each in faults(tmp_path / "child.yaml")]
    assert found == ["/base.yaml:5:19", "/child.yaml:2:1", "/child.yaml:3:10", "/child.yaml:3:16"]


def test_a_text_cannot_extend() -> None:
    with pytest.raises(CnncliError, match="only a spec in a file can extend another"):
        open_text("extends: base.yaml")


class TestReading:
    def test_no_such_file(self, tmp_path: Path) -> None:
        write(tmp_path, base=BASE)
        with pytest.raises(UsageError) as caught:
            open_spec(tmp_path / "bsae.yaml")
        assert caught.value.diagnostics[0].hint == "did you mean 'base.yaml'?"

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is a folder"):
            open_spec(tmp_path)

    @pytest.mark.parametrize("path", ["a\0b", "x" * 5000, ""])
    def test_what_is_not_a_path(self, path: str) -> None:
        with pytest.raises(UsageError):
            open_spec(path)

    def test_an_empty_path_is_not_the_working_directory(self) -> None:
        opened = open_text("input: [1]\nlayers: [identity]")
        for read in (open_spec, read_budget, partial(read_recipe, opened)):
            with pytest.raises(UsageError, match="the path of the file is empty"):
                read("")

    def test_no_utf8(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_bytes(BASE.encode("utf-16"))
        with pytest.raises(UsageError) as caught:
            open_spec(tmp_path / "a.yaml")
        assert caught.value.diagnostics[0].received == "byte 0xff at position 0"

    def test_too_large(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_bytes(b"#" * (2 * 1024 * 1024 + 1))
        with pytest.raises(UsageError, match="is too large"):
            open_spec(tmp_path / "a.yaml")

    def test_an_infinite_file(self) -> None:
        with pytest.raises(UsageError, match=r"not a regular file .*received a device"):
            open_spec("/dev/zero")

    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("start", ["", "\ufeff"])
    def test_line_ends_and_marks_of_other_systems(self, tmp_path: Path, newline: str, start: str) -> None:
        text = start + BASE.replace("kernel: 1", "kernl: 1").replace("\n", newline)
        (tmp_path / "a.yaml").write_bytes(text.encode())
        found = faults(tmp_path / "a.yaml")
        assert found[0].location is not None
        assert (found[0].location.line, under(found[0].location)) == (5, "kernl")
        with pytest.raises(CnncliError) as caught:
            open_text(text)
        assert caught.value.diagnostics[0].location is not None
        assert under(caught.value.diagnostics[0].location) == "kernl"
