"""The memory of the networks that ship, on a GPU, beside what ``cnncli memory`` predicts.

    python benchmarks/gpu_memory.py [BATCH]

For each: the most that torch's allocator had given out in a pass outside of training, and in the second of
two steps of training, without the loss's own memory worth mentioning. Prints the table for docs/memory.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cnncli.analysis.memory.peaks import Moment
from cnncli.analysis.memory.usage import bytes_at, fullest, memory
from cnncli.diagnostics import readable_bytes
from cnncli.graph import Opened, open_spec
from cnncli.language import shipped
from cnncli.network import Network, compile_graph
from cnncli.training.optimization.optimizers import build_optimizer
from cnncli.training.tasks.objective import by_head

GOAL = 0.05


class Outcome(NamedTuple):
    """Predicted and measured bytes."""

    predicted: int
    measured: int

    @property
    def error(self) -> float:
        """How far the prediction is off, as a share of what was measured."""
        return self.predicted / self.measured - 1

    def __str__(self) -> str:
        figures = readable_bytes(self.predicted), readable_bytes(self.measured)
        return f"{figures[0]} | {figures[1]} | {100 * self.error:+.1f} %"


def main() -> None:
    """Measure all of them and print."""
    if not torch.cuda.is_available():
        print("skipped: no CUDA device; tests/specs/test_memory.py checks the predictions without one")
        return
    # Tuned by trial, convolutions would take workspaces that differ from run to run.
    torch.backends.cudnn.benchmark = False
    batch = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, batch of {batch}\n")
    print("| network | at work | measured | off | in training | measured | off |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    far = [name for name, path in shipped.specs().items() if not _row(name, open_spec(path), batch)]
    if far:
        sys.exit(f"further off than {100 * GOAL:.0f} %: {', '.join(far)}")


def _row(name: str, opened: Opened, batch: int) -> bool:
    """Print one network's row; whether both figures are as near as they should be."""
    expected = memory(opened.graph, 4, opened.train)
    try:
        working = Outcome(_most(expected.inference, batch), measured(lambda: work(opened, batch)))
        training = Outcome(_most(expected.training, batch), measured(lambda: learn(opened, batch)))
    except torch.cuda.OutOfMemoryError:
        print(f"| {name} | does not fit here |  |  |  |  |  |")
        return True
    print(f"| {name} | {working} | {training} |", flush=True)
    return max(abs(working.error), abs(training.error)) <= GOAL


def _most(moments: tuple[Moment, ...], batch: int) -> int:
    return bytes_at(fullest(moments, batch).held, batch)


def measured(run: Callable[[], None]) -> int:
    """The most that was allocated while this ran, beyond what was there before."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _prepared(opened: Opened, batch: int) -> tuple[Network, Tensor]:
    network = compile_graph(opened.graph, "cuda")
    shape = [dim for dim in opened.graph.input if isinstance(dim, int)]
    return network, torch.rand(batch, *shape, device="cuda")


def work(opened: Opened, batch: int) -> None:
    """A pass outside of training."""
    network, images = _prepared(opened, batch)
    with torch.no_grad():
        network.eval()(images)


def learn(opened: Opened, batch: int) -> None:
    """Two steps of training, as cnncli/training/loop.py takes them; the second finds gradients there."""
    network, images = _prepared(opened, batch)
    optimizer = build_optimizer(network.train(), opened.train)
    for _ in range(2):
        outputs = network(images)
        loss = torch.stack([(values * 1).sum() for values in by_head(outputs).values()]).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
