"""Measure torch's implementations of a step of each optimizer: one kernel, all tensors at once, one by one.

    OMP_NUM_THREADS=1 python benchmarks/optimizers.py

Medians of interleaved steps on the parameters of a shipped network, with its own optimizers and settings. The
learning rate is so small that the weights stay what they are.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch.optim import Optimizer

from cnncli.graph import open_spec
from cnncli.graph.learning import Learning
from cnncli.language import shipped
from cnncli.network import build_network
from cnncli.recipe.optimizers import ALWAYS, NEVER, OPTIMIZERS
from cnncli.training.optimization.optimizers import build_optimizer

NETWORKS: Final = ("lenet5", "resnet_cifar/resnet20")
WAYS: Final[Mapping[str, bool | None]] = {"fused": None, "at once": True, "one by one": False}
STEPS: Final = 300


def main() -> None:
    """Print a row for each network and optimizer."""
    print("| network | optimizer | fused, ms | at once, ms | one by one, ms |")
    print("| --- | --- | ---: | ---: | ---: |")
    for network in sys.argv[1:] or NETWORKS:
        for name in OPTIMIZERS:
            found = measured({way: prepared(network, name, way) for way in ways(name)})
            cells = [_cell(found, way) for way in WAYS]
            print(f"| {network} | `{name}` | {' | '.join(cells)} |", flush=True)


def _cell(found: Mapping[str, float], way: str) -> str:
    """Return the milliseconds of an implementation, and how many times more that is than the fused one."""
    if way not in found:
        return ""
    ratio = f" ({found[way] / found['fused']:.2f})" if "fused" in found and way != "fused" else ""
    return f"{found[way]:.3f}{ratio}"


def ways(name: str) -> list[str]:
    """Return the implementations that an optimizer has; ours has one."""
    if name in ("lamb", "muon"):
        return ["at once"]
    return [way for way in WAYS if way != "fused" or "fused" in OPTIMIZERS[name].arguments]


def prepared(network: str, name: str, way: str) -> Optimizer:
    """Return an optimizer of a network's parameters, with gradients."""
    torch.manual_seed(0)
    module = build_network(open_spec(shipped.folder() / f"{network}.yaml").graph)
    for each in module.parameters():
        each.grad = torch.randn_like(each)
    settings: dict[str, Any] = {"lr": 1e-12}
    if "fused" in OPTIMIZERS[name].arguments:
        settings["fused"] = ALWAYS if way == "fused" else NEVER
    made = build_optimizer(module, Learning(OPTIMIZERS[name](**settings)))
    for group in made.param_groups:
        group["foreach"] = WAYS[way]
    made.step()
    return made


def measured(optimizers: Mapping[str, Optimizer]) -> dict[str, float]:
    """Return the milliseconds of a step of each, the median of interleaved ones in random order."""
    times: dict[str, list[float]] = {way: [] for way in optimizers}
    for _ in range(STEPS):
        for way in random.sample([*optimizers], len(optimizers)):
            begun = time.perf_counter()
            optimizers[way].step()
            times[way].append(1000 * (time.perf_counter() - begun))
    return {way: statistics.median(each) for way, each in times.items()}


if __name__ == "__main__":
    main()
