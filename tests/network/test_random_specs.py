"""Random specs: what the analysis says about every node is what torch does."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor

from cnncli.graph import Graph
from cnncli.network import build_network
from cnncli.network.registry import arguments
from tests.generate import random_graphs, random_spec
from tests.network.support import count, example

BATCH = 2
SUITE = 150
CAMPAIGN = 10_000


def compare(seed: int, graph: Graph) -> None:
    """Compare shapes, parameter names and counts, node by node, on the meta device."""
    network = build_network(graph, "meta").eval()
    values = {"input": example(graph, BATCH, "meta")}
    with torch.no_grad():
        for node in graph.nodes:
            where = f"seed {seed}, node {node.name}\n{random_spec(seed)}"
            try:
                read = [values[name] for name in node.inputs]
                values[node.name] = network.get_submodule(node.name)(*arguments(node.layer, read))
            except RuntimeError as error:
                raise AssertionError(where) from error
            assert tuple(values[node.name].shape) == (BATCH, *node.output_shape), where
            found = network.get_submodule(node.name).state_dict()
            ours = {**node.parameters, **node.buffers}
            assert {name: tuple(found[name].shape) for name in ours} == ours, where
        outputs = heads_of(network.train(graph.has_training_only)(values["input"]))
    assert {name: tuple(value.shape[1:]) for name, value in outputs.items()} == {
        name: output.shape for name, output in graph.outputs.items()
    }, random_spec(seed)
    total = sum(count(shape) for node in graph.nodes for shape in node.parameters.values())
    assert sum(parameter.numel() for parameter in network.parameters()) == total, random_spec(seed)


def heads_of(output: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    return {"output": output} if isinstance(output, Tensor) else output


def compare_all(seeds: range) -> int:
    """Return how many of the specs were valid; all of them agreed."""
    valid = 0
    for seed, graph in random_graphs(seeds):
        compare(seed, graph)
        valid += 1
    return valid


@pytest.mark.slow
def test_random_specs_agree_with_torch() -> None:
    assert SUITE // 2 < compare_all(range(SUITE)) < SUITE


def test_a_spec_follows_from_its_seed() -> None:
    assert random_spec(3) == random_spec(3) != random_spec(4)


@pytest.mark.campaign
def test_ten_thousand_random_specs_agree_with_torch(capsys: pytest.CaptureFixture[str]) -> None:
    valid = seed = 0
    while valid < CAMPAIGN:
        valid += compare_all(range(seed, seed + 100))
        seed += 100
    with capsys.disabled():
        message = (
            f"{valid:,} valid specs of {seed:,} agree with torch; the others were refused for their shapes"
        )
        sys.stdout.write(f"\n{message}\n")
