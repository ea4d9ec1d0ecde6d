"""Every shipped network as a Python file: its text, and what it computes without cnncli."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from cnncli.exporting.python import python_source
from cnncli.graph import Graph, open_spec, open_text
from cnncli.language.description import OUTPUT
from cnncli.network import build_network
from cnncli.transfer.matching import named_tensors
from tests.copies import ROOT
from tests.exporting.python.support import module_of, network_of

SPECS = sorted((ROOT / "specs").rglob("*.yaml"))

# Networks that compute in a moment, each with what the others lack: heads, capsules, tables, alignment.
COMPUTED: Mapping[str, tuple[str, ...]] = {
    "lenet5_1998": (),
    "small_resnet": (),
    "digit_and_parity": (),
    "capsnet_reconstruction": (),
    "unet": ("size=188", "width=4"),
    "googlenet": ("classes=7",),
    "resnet50": ("classes=5", "depths=[1, 2, 1, 2]"),
}

RUN = """
import importlib.util, json, sys
from pathlib import Path

folder, packages = Path(sys.argv[1]), sys.argv[2]
sys.path.append(packages)
import torch
from torch import nn

shapes = {}
for file in sorted(folder.glob("*.py")):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (made,) = (each for each in vars(module).values() if str(each.__doc__).startswith("The network "))
    with torch.device("meta"):
        shapes[file.stem] = {name: list(each.shape) for name, each in made().state_dict().items()}
    if file.with_suffix(".safetensors").exists():
        given = torch.load(file.with_suffix(".pt"), weights_only=True)
        with torch.no_grad():
            torch.save(module.load()(given), file.with_suffix(".out"))
foreign = sorted(name for name in sys.modules if name.partition(".")[0] in ("cnncli", "safetensors", "yaml"))
print(json.dumps({"shapes": shapes, "foreign": foreign}))
"""


class Exported:
    """All specs, exported to a folder, and what a process without cnncli found there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.graphs: dict[str, Graph] = {}
        self.expected: dict[str, Any] = {}
        torch.manual_seed(0)
        for file in SPECS:
            overrides = COMPUTED.get(file.stem, ())
            graph = open_spec(str(file), overrides=overrides).graph
            self.graphs[file.stem] = graph
            (folder / f"{file.stem}.py").write_text(python_source(graph))
            if file.stem in COMPUTED:
                self.expected[file.stem] = self._computed(file.stem, graph)
        self.found = self._run()

    def _computed(self, name: str, graph: Graph) -> Any:
        network = build_network(graph).eval()
        given = torch.rand(1, *map(int, map(str, graph.input)))
        save_file(network.state_dict(), self.folder / f"{name}.safetensors")
        torch.save(given, self.folder / f"{name}.pt")
        with torch.no_grad():
            return network(given)

    def _run(self) -> dict[str, Any]:
        packages = str(Path(torch.__file__).parent.parent)
        command = [sys.executable, "-I", "-S", "-c", RUN, str(self.folder), packages]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("exported"))


@pytest.mark.slow
def test_only_torch_is_needed(exported: Exported) -> None:
    assert exported.found["foreign"] == []


@pytest.mark.slow
def test_tensors_have_the_names_and_shapes_of_the_spec(exported: Exported) -> None:
    for name, graph in exported.graphs.items():
        shapes = {key: tuple(shape) for key, shape in exported.found["shapes"][name].items()}
        counted = {key: shape for key, shape in shapes.items() if not key.endswith("num_batches_tracked")}
        assert counted == named_tensors(graph), name


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPUTED)
def test_outputs_are_those_of_the_network(exported: Exported, name: str) -> None:
    found = torch.load(exported.folder / f"{name}.out", weights_only=True)
    torch.testing.assert_close(found, exported.expected[name], rtol=1e-5, atol=1e-5)
    assert isinstance(found, dict) == (list(exported.graphs[name].outputs) != [OUTPUT])


@pytest.mark.slow
def test_the_text_is_clean_and_formatted(exported: Exported) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    for check in (["check", "--isolated", "--no-cache"], ["format", "--isolated", "--no-cache", "--check"]):
        done = subprocess.run([*ruff, *check, exported.folder], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_repeat_is_a_loop_and_a_block_a_class() -> None:
    source = python_source(open_spec("resnet50").graph)
    assert source.count("class Unit") == 1
    assert "Unit(64, 64), *(Unit(256, 64) for _ in range(2))" in source
    assert "*(Unit(1024, 256) for _ in range(5))" in source


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    graph = open_text("input: [4]\nlayers: [linear: 3, batchnorm]\n").graph._replace(name="it")
    weights = {name: torch.rand(shape) for name, shape in named_tensors(graph).items()}
    save_file(weights, tmp_path / "whole.safetensors")
    loaded = module_of(graph, tmp_path).load(tmp_path / "whole.safetensors")
    assert torch.equal(loaded.linear1.weight, weights["linear1.weight"])
    del weights["linear1.bias"]
    save_file(weights, tmp_path / "part.safetensors")
    with pytest.raises(ValueError, match=r"linear1\.bias"):
        module_of(graph, tmp_path).load(tmp_path / "part.safetensors")


NAMES = """
name: it
input: [2, 8, 8]
layers:
  - {conv: {channels: 4, kernel: 3, padding: same}, name: enc.a}
  - {relu: , name: lone}
  - {conv: {channels: 4, kernel: 3, padding: same}, name: enc.b}
  - {add: [lone, identity], name: enc.0}
  - {conv: {channels: 2, kernel: 1}, name: a-b}
  - {conv: {channels: 2, kernel: 1}, name: unused, from: lone}
  - {conv: {channels: 2, kernel: 1}, name: torch, from: a-b}
heads:
  one: []
  two: {from: lone, training_only: true, layers: [globalavgpool, linear: 3]}
"""


def test_any_names_and_any_order_of_nodes(tmp_path: Path) -> None:
    """A group whose nodes do not follow one another, names that are not Python's, a head for training."""
    graph = open_text(NAMES).graph
    network, exported = build_network(graph), network_of(graph, tmp_path)
    exported.load_state_dict(network.state_dict())
    x = torch.rand(2, 2, 8, 8)
    assert [*network(x)] == ["one", "two"]
    torch.testing.assert_close(exported(x), network(x), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(exported.eval()(x), network.eval()(x), rtol=1e-6, atol=1e-6)
