"""Seconds of compiling, and milliseconds a training step: in blocks, as a whole, and not compiled.

    python benchmarks/compiling.py [--networks resnet20 resnet56] [--steps 60] [--batch 32]

Each way compiles in a process and a folder of its own, so nothing is cached: CPU seconds from the call to the
end of the first step, those of the C++ compiler included, after a small function has been compiled. Then all
ways take steps in one process, one after another: the CPU time of the median, relative to no compilation.
One thread, channels last.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from cnncli.algebra import whole_shape
from cnncli.graph import open_spec
from cnncli.network import build_network
from cnncli.network.compiled import compile_network

FOLDER: Final = "TORCHINDUCTOR_CACHE_DIR"
WAYS: Final = ("not compiled", "as a whole", "in blocks")
Forward = Callable[[Tensor], Any]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=["resnet20", "resnet56"])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        print(json.dumps(compiling(options.networks[0], options.child, options.batch)))
        return 0
    for name in options.networks:
        measure(name, options.steps, options.batch)
    return 0


def measure(name: str, steps: int, batch: int) -> None:
    """Print one line for each way."""
    with tempfile.TemporaryDirectory() as folder:
        compiled = {way: in_a_process(name, way, folder_of(folder, way), batch) for way in WAYS[1:]}
        taken = stepping(name, folder, steps, batch)
    for way in WAYS:
        ratio = statistics.median(each / base for each, base in zip(taken[way], taken[WAYS[0]], strict=True))
        print(
            f"{name:10} {way:13} {1000 * statistics.median(taken[way]):8.1f} ms a step, "
            f"{ratio:.2f} of not compiled; {compiled.get(way, 'nothing')} CPU seconds to compile",
            flush=True,
        )


def in_a_process(name: str, way: str, folder: str, batch: int) -> float:
    """Return the CPU seconds that compiling takes in a fresh process and an empty folder."""
    # With one thread the C++ compiler is a child that is waited for, so its time is counted.
    environment = {**os.environ, FOLDER: folder, "TORCHINDUCTOR_COMPILE_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--networks", name, "--child", way, "--batch", str(batch)]
    found: float = json.loads(
        subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    )
    return found


def compiling(name: str, way: str, batch: int) -> float:
    """Return the CPU seconds from the call of a network to the end of its first step."""
    torch.compile(lambda x: x.sin().sum())(torch.randn(8, requires_grad=True)).backward()
    network, images = built(name), inputs(name, batch)
    call = forward(network, way)
    begun = cpu_seconds()
    step(network, call, images)
    return round(cpu_seconds() - begun, 1)


def stepping(name: str, folder: str, steps: int, batch: int) -> dict[str, list[float]]:
    """Return the CPU seconds of steps, all ways in turn; what was compiled is read from the folders."""
    torch.set_num_threads(1)
    images = inputs(name, batch)
    calls = {way: (network := built(name), forward(network, way)) for way in WAYS}
    for way, each in calls.items():
        os.environ[FOLDER] = folder_of(folder, way)
        step(*each, images)
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(steps):
        for way, each in calls.items():
            begun = time.process_time()
            step(*each, images)
            taken[way].append(time.process_time() - begun)
    return taken


def folder_of(folder: str, way: str) -> str:
    """Return the folder of what is compiled in one of the ways: without spaces, for the C++ compiler."""
    return f"{folder}/{WAYS.index(way)}"


def built(name: str) -> nn.Module:
    """Return a network with the channels last."""
    torch.manual_seed(0)
    network = build_network(open_spec(name).graph, in_blocks=True)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def inputs(name: str, batch: int) -> Tensor:
    """Return random images."""
    images = torch.randn(batch, *whole_shape(open_spec(name).graph.input))
    return images.contiguous(memory_format=torch.channels_last)


def forward(network: nn.Module, way: str) -> Forward:
    """Return the forward pass of a network in one of the ways."""
    ways: dict[str, Callable[[nn.Module], Forward]] = {
        "not compiled": lambda each: each,
        "as a whole": torch.compile,
        "in blocks": compile_network,
    }
    return ways[way](network)


def step(network: nn.Module, call: Forward, images: Tensor) -> None:
    """Compute outputs and gradients."""
    network.zero_grad()
    call(images).square().mean().backward()


def cpu_seconds() -> float:
    """Return what this process has used, and those that it waited for."""
    used = (resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    sys.exit(main())
