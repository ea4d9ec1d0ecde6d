"""Compare the GPU memory of the shipped networks with what ``cnncli memory`` predicts.

    python benchmarks/gpu_memory.py [BATCH]

For each network: the peak of torch's allocator in an inference pass, and in the second of two training steps,
with a loss whose own memory is negligible. Prints the table for docs/memory.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cnncli.algebra import whole_shape
from cnncli.analysis.memory.peaks import Moment
from cnncli.analysis.memory.usage import bytes_at, memory, peak_moment
from cnncli.diagnostics import readable_bytes
from cnncli.graph import Opened, open_spec
from cnncli.graph.learning import learning_of
from cnncli.language import shipped
from cnncli.network import Network, build_network
from cnncli.training.optimization.optimizers import build_optimizer
from cnncli.training.tasks.objective import by_head

GOAL = 0.05


class Outcome(NamedTuple):
    """Predicted and measured bytes."""

    predicted: int
    measured: int

    @property
    def error(self) -> float:
        """The error of the prediction relative to the measurement."""
        return self.predicted / self.measured - 1

    def __str__(self) -> str:
        figures = readable_bytes(self.predicted), readable_bytes(self.measured)
        return f"{figures[0]} | {figures[1]} | {100 * self.error:+.1f} %"


def main() -> None:
    """Measure all of them and print."""
    if not torch.cuda.is_available():
        print("skipped: no CUDA device; tests/specs/test_memory.py checks the predictions without one")
        return
    # With autotuning, the workspaces of convolutions would differ from run to run.
    torch.backends.cudnn.benchmark = False
    batch = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, batch of {batch}\n")
    print("| network | inference | measured | error | training | measured | error |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    far = [name for name, path in shipped.specs().items() if not _row(name, open_spec(path), batch)]
    if far:
        sys.exit(f"error above {100 * GOAL:.0f} %: {', '.join(far)}")


def _row(name: str, opened: Opened, batch: int) -> bool:
    """Print one network's row; return whether both errors are within the goal."""
    expected = memory(opened.graph, 4, opened.train)
    try:
        inference = Outcome(_peak(expected.inference, batch), measured(lambda: infer(opened, batch)))
        training = Outcome(_peak(expected.training, batch), measured(lambda: learn(opened, batch)))
    except torch.cuda.OutOfMemoryError:
        print(f"| {name} | does not fit here |  |  |  |  |  |")
        return True
    print(f"| {name} | {inference} | {training} |", flush=True)
    return max(abs(inference.error), abs(training.error)) <= GOAL


def _peak(moments: tuple[Moment, ...], batch: int) -> int:
    return bytes_at(peak_moment(moments, batch).live, batch)


def measured(run: Callable[[], None]) -> int:
    """Return the peak of the memory allocated while this runs, beyond what was allocated before."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _prepared(opened: Opened, batch: int) -> tuple[Network, Tensor]:
    network = build_network(opened.graph, "cuda")
    return network, torch.rand(batch, *whole_shape(opened.graph.input), device="cuda")


def infer(opened: Opened, batch: int) -> None:
    """Run one inference pass."""
    network, images = _prepared(opened, batch)
    with torch.no_grad():
        network.eval()(images)


def learn(opened: Opened, batch: int) -> None:
    """Take two training steps, as cnncli/training/loop.py does; the second starts with gradients."""
    network, images = _prepared(opened, batch)
    optimizer = build_optimizer(network.train(), learning_of(opened.graph, opened.train))
    for _ in range(2):
        outputs = network(images)
        loss = torch.stack([(values * 1).sum() for values in by_head(outputs).values()]).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
