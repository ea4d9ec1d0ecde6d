"""Training with cnncli: the same command again continues."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

from torch import Tensor

from benchmarks.peers._task import BATCHES, Task, Watch
from cnncli.cli import main
from cnncli.training import loop
from cnncli.training.data.feed import Batch
from cnncli.training.plan import Plan
from cnncli.training.runs.names import RECORD
from cnncli.training.runs.run import open_run
from cnncli.training.runs.weights import read_tensors
from cnncli.training.state import State
from cnncli.training.step import step


def train(task: Task, folder: Path, watch: Watch) -> dict[str, Tensor]:
    """Run ``cnncli train`` and return the weights that it wrote.

    Raises:
        SystemExit: the command has failed.
    """

    def watched(plan: Plan, state: State, samples: Batch, batch: int) -> None:
        step(plan, state, samples, batch)
        epoch, batches = state.position.epochs, batch + 1
        watch.learned(epoch, batches, epoch * BATCHES + batches, samples.targets["label"])

    run = folder / "run"
    watch.begun(_steps(run))
    sys.argv = ["cnncli", "train", str(task.spec), "--run", str(run), "--device", "cpu"]
    with mock.patch.object(loop, "step", watched):
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
    return dict(read_tensors(open_run(run).weights)[0])


def _steps(run: Path) -> int:
    """Return the steps before the checkpoint of a run; 0 if there is none."""
    kept = open_run(run).read_checkpoint() if (run / RECORD).exists() else None
    return 0 if kept is None else kept.position.epochs * BATCHES + kept.position.batches
