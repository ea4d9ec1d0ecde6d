"""Training with timm, as its ``train.py`` does: ``CheckpointSaver`` and ``resume_checkpoint``.

The package does not contain the script. What it does to resume is repeated here: it seeds torch at the
beginning of every process, and writes a checkpoint after the evaluation of every epoch and, with
``--recovery-interval``, some within epochs. ``--resume`` loads one and begins with the epoch after it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from timm.models import resume_checkpoint
from timm.optim import create_optimizer_v2
from timm.utils import CheckpointSaver, random_seed
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from benchmarks.peers._task import (
    BATCH,
    BATCHES,
    EPOCHS,
    HELD_OUT_BATCH,
    LR,
    MOMENTUM,
    SAVED_EVERY,
    SEED,
    Samples,
    Task,
    Watch,
)


def train(task: Task, folder: Path, watch: Watch, *, recovery: bool = False) -> dict[str, Tensor]:
    """Train, from the newest checkpoint if there is one, and return the weights.

    With ``recovery`` there are checkpoints within epochs, and the newest may be one of them.
    """
    random_seed(SEED)
    network = task.network()
    optimizer = create_optimizer_v2(network, opt="momentum", lr=LR, momentum=MOMENTUM)
    loader = DataLoader(Samples(task, "train"), batch_size=BATCH, shuffle=True, drop_last=True)
    held_out = DataLoader(Samples(task, "test"), batch_size=HELD_OUT_BATCH)
    newest = max(folder.glob("*.pth.tar"), key=lambda path: path.stat().st_mtime_ns, default=None)
    first = 0 if newest is None else resume_checkpoint(network, str(newest), optimizer)
    steps = first * BATCHES if newest is None or not newest.name.startswith("recovery") else _steps(newest)
    watch.begun(steps)
    saver = CheckpointSaver(network, optimizer, checkpoint_dir=str(folder), recovery_dir=str(folder))
    for epoch in range(first, EPOCHS):
        network.train()
        for batch, (images, labels) in enumerate(loader):
            loss = functional.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps += 1
            watch.learned(epoch, batch + 1, steps, labels)
            if recovery and (batch + 1) % SAVED_EVERY == 0:
                saver.save_recovery(epoch, batch_idx=batch)
        network.eval()
        right = 0
        with torch.no_grad():
            for images, labels in held_out:
                right += int((network(images).argmax(1) == labels).sum())
        saver.save_checkpoint(epoch, metric=right)
    return dict(network.state_dict())


def _steps(path: Path) -> int:
    """Return the steps before a recovery checkpoint, which its name says."""
    epoch, batch = path.name.removesuffix(".pth.tar").split("-")[1:]
    return int(epoch) * BATCHES + int(batch) + 1
