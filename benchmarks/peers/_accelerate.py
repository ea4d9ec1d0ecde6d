"""Training with accelerate: ``save_state`` every few steps, ``load_state`` and ``skip_first_batches``."""

from __future__ import annotations

from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, set_seed
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


def train(
    task: Task, folder: Path, watch: Watch, *, seedable: bool = False, stateful: bool = False
) -> dict[str, Tensor]:
    """Train, from the last checkpoint if there is one, and return the weights."""
    loading = DataLoaderConfiguration(use_seedable_sampler=seedable, use_stateful_dataloader=stateful)
    accelerator = Accelerator(cpu=True, dataloader_config=loading)
    set_seed(SEED)
    network = task.network()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)
    loader = DataLoader(Samples(task, "train"), batch_size=BATCH, shuffle=True)
    held_out = DataLoader(Samples(task, "test"), batch_size=HELD_OUT_BATCH)
    network, optimizer, loader, held_out = accelerator.prepare(network, optimizer, loader, held_out)
    steps = max((int(path.name.removeprefix("step_")) for path in folder.glob("step_*")), default=0)
    if steps:
        accelerator.load_state(folder / f"step_{steps}")
    watch.begun(steps)
    first, skipped = divmod(steps, BATCHES)
    for epoch in range(first, EPOCHS):
        network.train()
        if seedable:
            loader.set_epoch(epoch)
        resumed = epoch == first and skipped > 0
        rest = accelerator.skip_first_batches(loader, skipped) if resumed and not stateful else loader
        for batch, (images, labels) in enumerate(rest, skipped if resumed else 0):
            optimizer.zero_grad()
            accelerator.backward(functional.cross_entropy(network(images), labels))
            optimizer.step()
            steps += 1
            watch.learned(epoch, batch + 1, steps, labels)
            if steps % SAVED_EVERY == 0:
                accelerator.save_state(folder / f"step_{steps}")
        network.eval()
        with torch.no_grad():
            for images, _ in held_out:
                network(images)
    return dict(accelerator.unwrap_model(network).state_dict())
