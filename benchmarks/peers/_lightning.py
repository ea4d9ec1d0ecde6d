"""Training with Lightning: ``ModelCheckpoint(every_n_train_steps, save_last)`` and ``ckpt_path="last"``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from benchmarks.peers._task import (
    BATCH,
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


class _Module(LightningModule):  # type: ignore[misc]
    """The network, its loss and its optimizer."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.network = task.network()

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        images, labels = batch
        return functional.cross_entropy(self.network(images), labels)

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        images, labels = batch
        self.log("val_loss", functional.cross_entropy(self.network(images), labels))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.network.parameters(), lr=LR, momentum=MOMENTUM)


class _Logged(Callback):  # type: ignore[misc]
    """Logs what is learned from. Lightning calls it before it writes a checkpoint."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def on_train_start(self, trainer: Trainer, _: LightningModule) -> None:
        self.watch.begun(trainer.global_step)

    def on_train_batch_end(self, trainer: Trainer, _: Any, _outputs: Any, batch: Any, number: int) -> None:
        self.watch.learned(trainer.current_epoch, number + 1, trainer.global_step, batch[1])


class _RandomStates(Callback):  # type: ignore[misc]
    """Keeps the state of torch's generator in the checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        return {"torch": torch.get_rng_state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.loaded = state_dict["torch"]

    def on_train_start(self, *_: Any) -> None:
        if hasattr(self, "loaded"):
            torch.set_rng_state(self.loaded)


def train(
    task: Task, folder: Path, watch: Watch, *, stateful: bool = False, random: bool = False
) -> dict[str, Tensor]:
    """Fit, from the last checkpoint if there is one, and return the weights."""
    seed_everything(SEED)
    loader = StatefulDataLoader if stateful else DataLoader
    saving = ModelCheckpoint(dirpath=folder, every_n_train_steps=SAVED_EVERY, save_last=True)
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=EPOCHS,
        callbacks=[saving, _Logged(watch), *([_RandomStates()] if random else [])],
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = _Module(task)
    trainer.fit(
        module,
        loader(Samples(task, "train"), batch_size=BATCH, shuffle=True),
        DataLoader(Samples(task, "test"), batch_size=HELD_OUT_BATCH),
        ckpt_path="last",
    )
    return module.network.state_dict()
