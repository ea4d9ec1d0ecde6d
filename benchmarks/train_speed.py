"""Images per second of training: cnncli against hand-written loops, a DataLoader and Lightning.

    python benchmarks/train_speed.py [--rounds N] [--only lenet5]

LeNet-5 and ResNet-20, batches of 128 in-memory images, without augmentation and with crops and mirror images.
All train the same network with the same optimizer and the same kind of augmentation. Each has a process of
its own, since what one changes in its process, such as how memory is freed, would change the others too. They
take turns, an epoch each, in an order that changes every round:

- cnncli: ``cnncli.training.loop.train`` with figures, schedule and checks for interrupts; the time is that of
  the epoch's batches, which excludes the evaluation and the checkpoint that follow
- plain: bytes in memory, an index a batch, forward, backward, step; crops and flips image by image
- tuned: the same with the channels last, a fused optimizer, nothing that waits, and crops and flips by index
- DataLoader: the same data set and augmentation in ``__getitem__``
- Lightning: its trainer over this DataLoader, with nothing else switched on; only where it is installed:

      python -m venv ../lightning && ../lightning/bin/pip install -e '.[train]' lightning
      ../lightning/bin/python benchmarks/train_speed.py
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from cnncli.graph import open_spec
from cnncli.graph.heads import heads_of
from cnncli.network import build_network
from cnncli.recipe.recipe import recipe_from_json
from cnncli.training.data.dataset import Dataset, labeled, of_classes
from cnncli.training.loop import seed_weights, train
from cnncli.training.plan import Subject
from cnncli.training.runs.run import create_run

BATCH: Final = 128
LR: Final = 0.05
MOMENTUM: Final = 0.9
PADDING: Final = 4
LAST: Final = torch.channels_last
GOALS: Final[Mapping[str, float]] = {"plain": 1.10, "tuned": 0.97, "DataLoader": 2.0, "Lightning": 2.0}
CPU: Final = torch.device("cpu")


class Setup(NamedTuple):
    """What is trained: a network of this name, with the images and labels of an epoch."""

    network: str
    images: Tensor
    labels: Tensor
    augmented: bool

    def build(self) -> nn.Module:
        """Return the network as usually written by hand."""
        seed_weights(0)
        return NETWORKS[self.network]().train()


class Block(nn.Module):
    """Two convolutions and a shortcut without parameters (K. He et al., 2016, option A)."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride, self.more = stride, channels - before

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps after the block."""
        found = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.more:
            step = self.stride
            x = functional.pad(x[:, :, ::step, ::step], (0, 0, 0, 0, 0, self.more))
        return functional.relu(found + x)


def resnet20() -> nn.Module:
    """Return ResNet-20 for 3x32x32."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    before = 16
    for channels in (16, 32, 64):
        for _ in range(3):
            layers.append(Block(before, channels, 1 if channels == before else 2))
            before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def lenet5() -> nn.Module:
    """Return LeNet-5 for 1x32x32."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


NETWORKS: Final[Mapping[str, Callable[[], nn.Module]]] = {"lenet5": lenet5, "resnet20": resnet20}
BATCHES: Final = {"lenet5": 78, "resnet20": 8}
"""Steps of an epoch."""


def with_cnncli(setup: Setup) -> float:
    """Return the seconds of one epoch in cnncli's loop, with everything as it is by default."""
    columns = of_classes([str(number) for number in range(10)])
    held_out = labeled(setup.images[:1], setup.labels[:1])  # the evaluation is not measured
    dataset = Dataset("random", columns, labeled(setup.images, setup.labels), held_out)
    changes = {"transforms": [{"crop": {"padding": PADDING}}, "flip"]} if setup.augmented else {}
    recipe = recipe_from_json(
        {
            "epochs": 1,
            "batch": BATCH,
            "optimizer": {"sgd": {"lr": LR, "momentum": MOMENTUM, "weight_decay": 0}},
            "schedule": "constant",
            **changes,
        }
    )
    seed_weights(0)
    graph = open_spec(setup.network).graph
    network = build_network(graph)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        run = create_run(path, name="x", spec="", settings=recipe, dataset=dataset, device=CPU)
        outcome = train(Subject(network, heads_of(graph)), dataset, recipe, run, device=CPU)
    if outcome.signal is not None:
        sys.exit(128 + outcome.signal)
    return outcome.history[0].seconds


def plain(setup: Setup) -> float:
    """Return the seconds of one epoch in a minimal loop."""
    network = setup.build()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)
    begun = time.perf_counter()
    for index in torch.randperm(len(setup.labels)).split(BATCH):
        images = setup.images[index].float() / 255
        if setup.augmented:
            images = torch.stack([augmented(each) for each in images])
        loss = functional.cross_entropy(network((images - 0.5) / 0.25), setup.labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begun


def augmented(image: Tensor) -> Tensor:
    """Return an image [channels, height, width], cropped at a random place and perhaps mirrored."""
    padded = functional.pad(image, (PADDING,) * 4)
    top, left = torch.randint(0, 2 * PADDING + 1, (2,)).tolist()
    found = padded[:, top : top + image.shape[1], left : left + image.shape[2]]
    return found.flip(-1) if torch.rand(()) < 0.5 else found


def tuned(setup: Setup) -> float:
    """Return the seconds of one epoch in a loop that was tuned by hand."""
    network = setup.build().to(memory_format=LAST)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM, fused=True)
    begun = time.perf_counter()
    order = torch.randperm(len(setup.labels))
    for index, images in zip(order.split(BATCH), batches(setup, order), strict=True):
        inputs = images.mul_(1 / (255 * 0.25)).sub_(0.5 / 0.25).contiguous(memory_format=LAST)
        loss = functional.cross_entropy(network(inputs), setup.labels[index])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begun


def batches(setup: Setup, order: Tensor) -> Iterator[Tensor]:
    """Yield batches in this order as float32, cropped and mirrored by one index each."""
    if not setup.augmented:
        for index in order.split(BATCH):
            yield setup.images[index].float()
        return
    size = setup.images.shape[-1]
    places = torch.randint(0, 2 * PADDING + 1, (len(order), 2))
    mirrored = torch.rand(len(order)) < 0.5
    for start in range(0, len(order), BATCH):
        part = slice(start, start + BATCH)
        padded = functional.pad(setup.images[order[part]].float(), (PADDING,) * 4)
        windows = padded.unfold(2, size, 1).unfold(3, size, 1)
        top, left = places[part].unbind(1)
        found = windows[torch.arange(len(padded)), :, top, left]
        yield torch.where(mirrored[part].view(-1, 1, 1, 1), found.flip(-1), found)


class Images(TorchDataset[tuple[Tensor, Tensor]]):
    """The least that a data set does with an image: convert, perhaps crop and mirror, normalize."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def __len__(self) -> int:
        return len(self.setup.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self.setup.images[index].float() / 255
        if self.setup.augmented:
            image = augmented(image)
        return (image - 0.5) / 0.25, self.setup.labels[index]


def over_loader(setup: Setup) -> float:
    """Return the seconds of one epoch in a minimal loop over a DataLoader."""
    loader = DataLoader(Images(setup), batch_size=BATCH, shuffle=True)
    network = setup.build()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)
    begun = time.perf_counter()
    for images, labels in loader:
        loss = functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begun


def with_lightning(setup: Setup) -> float:
    """Return the seconds of one epoch in Lightning's trainer."""
    import lightning

    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network, self.begun, self.seconds = setup.build(), 0.0, 0.0

        def training_step(self, batch: Any, _: int) -> Tensor:
            return functional.cross_entropy(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=LR, momentum=MOMENTUM)

        def on_train_epoch_start(self) -> None:
            self.begun = time.perf_counter()

        def on_train_epoch_end(self) -> None:
            self.seconds = time.perf_counter() - self.begun

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    options = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    module = Module()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", **dict.fromkeys(options, False))
        trainer.fit(module, DataLoader(Images(setup), batch_size=BATCH, shuffle=True))
    return module.seconds


Contender: TypeAlias = Callable[[Setup], float]
CONTENDERS: Final[Mapping[str, Contender]] = {
    "cnncli": with_cnncli,
    "plain": plain,
    "tuned": tuned,
    "DataLoader": over_loader,
    **({} if find_spec("lightning") is None else {"Lightning": with_lightning}),
}


def main() -> int:
    """Measure, print, and fail if a goal is missed."""
    parser = argparse.ArgumentParser(description="Images per second of training, beside other loops.")
    parser.add_argument("--rounds", type=int, default=10, help="rounds that are counted")
    parser.add_argument("--only", choices=NETWORKS, help="one of the networks")
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {arguments.rounds} rounds")
    print("| network | augmentation | loop | images/s | cnncli relative to it | goal |")
    print("| --- | --- | --- | ---: | ---: | ---: |")
    missed = False
    for name in [arguments.only] if arguments.only else NETWORKS:
        for with_augmentation in (False, True):
            speeds = measured(name, arguments.rounds, augmented=with_augmentation)
            missed |= show(name, speeds, augmented=with_augmentation)
    return int(missed)


@cache
def random_setup(name: str, *, augmented: bool) -> Setup:
    """Return random images: their values do not matter for the time."""
    generator = torch.Generator().manual_seed(0)
    count = BATCH * BATCHES[name]
    channels = 1 if name == "lenet5" else 3
    images = torch.randint(0, 256, (count, channels, 32, 32), dtype=torch.uint8, generator=generator)
    return Setup(name, images, torch.randint(0, 10, (count,), generator=generator), augmented)


def measured(network: str, rounds: int, *, augmented: bool) -> dict[str, list[float]]:
    """Return the images per second of each contender in each round, after one round that is not counted."""
    speeds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    names = list(CONTENDERS)
    with ExitStack() as stack:
        spawn = get_context("spawn")
        apart = {name: stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn)) for name in names}
        for number in range(-1, rounds):
            # Each contender has every position in the order equally often.
            first = number % len(names)
            for name in (*names[first:], *names[:first]):
                found = apart[name].submit(speed, name, network, augmented=augmented).result()
                if number >= 0:
                    speeds[name].append(found)
    return speeds


def speed(name: str, network: str, *, augmented: bool) -> float:
    """Return the images per second of a contender in one epoch, in its process."""
    setup = random_setup(network, augmented=augmented)
    return len(setup.labels) / CONTENDERS[name](setup)


def show(network: str, speeds: Mapping[str, list[float]], *, augmented: bool) -> bool:
    """Print a row for each loop; return whether a goal is missed."""
    missed = False
    for name, values in speeds.items():
        # Ratios are taken within a round, so that a machine that slows down meanwhile affects both alike.
        ratio = statistics.median(a / b for a, b in zip(speeds["cnncli"], values, strict=True))
        goal = GOALS.get(name)
        verdict = "" if goal is None else f"{goal:.2f}{'' if ratio >= goal else ', missed'}"
        missed |= goal is not None and ratio < goal
        relative = "" if goal is None else f"{ratio:.2f}"
        extra = "crop, flip" if augmented else "none"
        row = (network, extra, name, f"{statistics.median(values):,.0f}", relative, verdict)
        print(f"| {' | '.join(row)} |", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
