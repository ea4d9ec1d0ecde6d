"""The memory of every shipped network, compared with torch: what autograd keeps, and all storages alive."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from cnncli.algebra import whole_shape
from cnncli.analysis.memory.liveness import Bytes
from cnncli.analysis.memory.peaks import BACKWARD, FORWARD, STEP
from cnncli.analysis.memory.usage import Memory, bytes_at, memory
from cnncli.graph import Graph, open_spec
from cnncli.graph.learning import learning_of
from cnncli.network import Network, build_network
from cnncli.recipe.optimizers import NEVER
from cnncli.training.optimization.optimizers import build_optimizer
from cnncli.training.tasks.objective import by_head
from tests.live_memory import Living, kept_by, near, tolerance_of
from tests.specs.support import COMPUTED, NAMES, SPECS, opened
from tests.specs.test_shipped import SMALL

BATCH = 2
LARGE_BATCH = 64
WITHIN = 0.01
ADDED = {"lecture/segmentation_and_denoising": 4 * LARGE_BATCH * 32 * 32 * (16 - 11)}
"""Bytes at the peak that only measuring takes: under a dispatch mode, autograd does not add the gradients of
two heads in place. That is 16 channels more, when the 11 of an output are gone.
"""


def image_of(graph: Graph, batch: int, device: str) -> Tensor:
    """A batch that is there; values do not matter."""
    return torch.zeros(batch, *whole_shape(graph.input), device=device)


def beside(network: Network, image: Tensor) -> list[Tensor]:
    """What is there anyway."""
    return [image, *network.parameters(), *network.buffers()]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_autograd_keeps_what_is_predicted(name: str) -> None:
    """At full size on the meta device: every byte, or within the tolerance of an approximate layer."""
    graph, train = opened(name).graph, opened(name).train
    network = build_network(graph, "meta").train()
    image = image_of(graph, BATCH, "meta")
    kept = kept_by(lambda: network(image), beside(network, image))
    assert near(bytes_at(memory(graph, 4, train).saved, BATCH), kept.total, tolerance_of(graph))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    COMPUTED,
)
def test_on_the_cpu(name: str) -> None:
    _compare_on_the_cpu(name, torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet5_1998", "capsnet"])
def test_on_the_cpu_with_twice_the_bytes(name: str) -> None:
    _compare_on_the_cpu(name, torch.float64)


def _compare_on_the_cpu(name: str, dtype: torch.dtype) -> None:
    """At small sizes, with values: what autograd keeps, and the peak outside of training."""
    spec = open_spec(SPECS / f"{name}.yaml", size=SMALL.get(name))
    network = build_network(spec.graph).to(dtype)
    image = image_of(spec.graph, BATCH, "cpu").to(dtype)
    expected = memory(spec.graph, dtype.itemsize, spec.train)
    kept = kept_by(lambda: network.train()(image), beside(network, image))
    tolerance = tolerance_of(spec.graph)
    assert near(bytes_at(expected.saved, BATCH), kept.total, tolerance)
    with torch.no_grad(), Living(beside(network, image)) as living:
        network.eval()(image)
    peak = max(bytes_at(moment.live, BATCH) for moment in expected.inference)
    assert near(peak, living.peak + standing(expected, image), tolerance)


def standing(expected: Memory, image: Tensor) -> int:
    """Weights, buffers and the input, which live all the time."""
    return bytes_at(Bytes(expected.weights + expected.buffers), 0) + image.nbytes


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_peak_of_a_step(name: str) -> None:
    """A whole step on the meta device, in each of its phases, with an optimizer for all tensors at once."""
    graph, given = opened(name).graph, opened(name).train
    train = given.replaced({"optimizer": given.optimizer.replaced({"fused": NEVER})})
    network = build_network(graph, "meta").train()
    image = image_of(graph, LARGE_BATCH, "meta")
    optimizer = build_optimizer(network, learning_of(graph, train))
    for group in optimizer.param_groups:
        group["foreach"] = True
    expected = memory(graph, 4, train)
    peaks = step_peaks(network, optimizer, image)
    fixed = standing(expected, image) + bytes_at(Bytes(expected.state), 0)
    found = {phase: peak + fixed for phase, peak in peaks.items()}
    predicted = {
        phase: max(bytes_at(each.live, LARGE_BATCH) for each in expected.training if each.phase == phase)
        for phase in (FORWARD, BACKWARD, STEP)
    }
    measured = max(found.values()) - ADDED.get(name, 0)
    assert max(predicted.values()) == pytest.approx(measured, rel=WITHIN), (predicted, found)


def step_peaks(network: Network, optimizer: Any, image: Tensor) -> dict[str, int]:
    """The most that lives in each phase of the second step, as cnncli/training/loop.py takes it.

    The first step leaves gradients and the optimizer's state behind; the state is not in these figures.
    """

    loss_of(network(image)).backward()
    optimizer.step()
    state = [each for kept in optimizer.state.values() for each in kept.values() if isinstance(each, Tensor)]
    peaks = {}
    with Living([*beside(network, image), *state]) as living:
        for parameter in network.parameters():
            assert parameter.grad is not None
            living.notice(parameter.grad)
        optimizer.zero_grad(set_to_none=True)
        outputs = network(image)
        peaks[FORWARD] = living.restart()
        loss = loss_of(outputs)
        living.restart()
        loss.backward()
        peaks[BACKWARD] = living.restart()
        optimizer.step()
        peaks[STEP] = living.restart()
    return peaks


def loss_of(outputs: Tensor | dict[str, Tensor]) -> Tensor:
    """Something to minimize that keeps nothing; times one, so that the outputs' gradients take room."""
    return torch.stack([(values * 1).sum() for values in by_head(outputs).values()]).sum()
