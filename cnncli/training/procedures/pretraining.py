"""Layers learned one by one as restricted Boltzmann machines, each from what the ones below say of an image.

What a layer learns from are the probabilities of the hidden units below, as in G. Hinton and
R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", 2006. Order, samples and first
weights are functions of the seed, the layer and the epoch, so a pretraining that was killed continues bit
for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnncli.algebra import whole_shape
from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.graph import Graph
from cnncli.graph.machines import Machine
from cnncli.recipe.pretraining import BINARY, GAUSSIAN, Pretraining
from cnncli.recipe.recipe import Recipe
from cnncli.results.pretraining import LayerEpoch, Pretrained, PretrainedLayer, PretrainingBegun
from cnncli.training.data.batches import batch_bounds, derived_seed, epoch_order
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.recorded import Normalization
from cnncli.training.procedures.boltzmann import NAMES, Boltzmann, contrastive_divergence
from cnncli.training.procedures.filters import draw_filters
from cnncli.training.procedures.folder import FILTERS, Folder, State, opened

_SPEED = "speed"


@dataclass(frozen=True, eq=False, slots=True)
class Prepared:
    """A pretraining that is checked, of which nothing is written yet."""

    graph: Graph
    machines: tuple[Machine, ...]
    settings: Pretraining
    recipe: Recipe
    dataset: Dataset
    device: torch.device

    def run(
        self,
        folder: Path | None,
        begun: Callable[[PretrainingBegun], None],
        ended: Callable[[LayerEpoch], None],
    ) -> Pretrained:
        """Learn all layers, or continue in a folder where that was begun.

        Args:
            folder: its path; None for ``runs/NAME-pretrained-N``.
            begun: called before the first epoch.
            ended: called after each epoch, once it is on the disk.

        Raises:
            CnncliError: the folder cannot be used, or the weights grow out of bounds.
        """
        with opened(folder, self.graph.name, self._about()) as place:
            state = place.read() or State((), {})
            place.save_metrics(state)
            begun(self._begun(place, len(state.history)))
            learning = _Learning(self, state)
            for epoch in learning.epochs():
                place.save(learning.state)
                ended(epoch)
            return self._finished(place, learning.state)

    def _about(self) -> dict[str, Any]:
        data = self.recipe.data.plain()
        del data["source"]  # the same data may be elsewhere by now
        return {
            "input": list(whole_shape(self.graph.input)),
            "layers": [list(machine) for machine in self.machines],
            "settings": self.settings.plain(),
            "seed": self.recipe.seed,
            "data": {**data, "images": self.dataset.train.count, "fingerprint": self.dataset.fingerprint()},
        }

    def _begun(self, place: Folder, finished: int) -> PretrainingBegun:
        return PretrainingBegun(
            self.graph.name,
            self.dataset.name,
            self.dataset.train.count,
            self.settings.visible,
            str(self.device),
            place.path,
            tuple(PretrainedLayer(*each) for each in self.machines),
            self.settings.epochs,
            finished,
            self.dataset.notes,
        )

    def _finished(self, place: Folder, state: State) -> Pretrained:
        names = {machine.name for machine in self.machines}
        others = (node.name for node in self.graph.nodes if node.parameters and node.name not in names)
        first = self.machines[0].name
        picture = place.path / FILTERS
        shape = whole_shape(self.graph.input)
        drawn = picture.exists() or draw_filters(state.tensors[f"{first}/weight"].cpu(), shape, picture)
        return Pretrained(
            place.path,
            state.history,
            place.save_weights(self.weights(state)),
            tuple(others),
            picture if drawn else None,
        )

    def weights(self, state: State) -> dict[str, Tensor]:
        """Return the weights of the layers as the network has them, whose images are normalized.

        Binary units have seen values x from 0 to 1, and the network sees y = (x - mean) / std:
        W x + c = (W std) y + (c + W mean).
        """
        found: dict[str, Tensor] = {}
        for place, machine in enumerate(self.machines):
            # Copies in double precision: the sums of a file that is mapped may be rounded in another way.
            weight, bias = (
                state.tensors[f"{machine.name}/{name}"].cpu().double() for name in ("weight", "hidden")
            )
            if place == 0 and self.settings.visible == BINARY:
                mean, std = self.moments()
                weight, bias = weight * std, bias + weight @ mean
            found |= {f"{machine.name}.weight": weight.float(), f"{machine.name}.bias": bias.float()}
        return found

    def moments(self) -> tuple[Tensor, Tensor]:
        """Return the mean and the deviation of each value of an image, float64 [values], on the CPU."""
        how: Normalization = self.dataset.normalized()
        each = math.prod(self.dataset.input_shape) // len(how.mean)
        exact = (torch.tensor(values, dtype=torch.float64) for values in (how.mean, how.std))
        mean, std = (values.repeat_interleave(each) for values in exact)
        return mean, std


class _Learning:
    """The machines so far, and the epochs that are left."""

    def __init__(self, prepared: Prepared, state: State) -> None:
        self._prepared = prepared
        self._images = prepared.dataset.train.rows.on(prepared.device)
        self._moments = [each.float().to(prepared.device) for each in prepared.moments()]
        self.state = state
        self._done: list[Boltzmann] = []

    def epochs(self) -> Iterator[LayerEpoch]:
        """Carry out the epochs that are left, each of which is in the state once it is yielded.

        Raises:
            CnncliError: the weights have grown out of bounds.
        """
        settings = self._prepared.settings
        for number, machine in enumerate(self._prepared.machines):
            finished = sum(each.layer == machine.name for each in self.state.history)
            learned, speed = self._restored(machine, finished, is_first=number == 0)
            for epoch in range(finished, settings.epochs):
                began = time.perf_counter()
                error = self._epoch(machine, learned, speed, epoch)
                found = LayerEpoch(machine.name, epoch + 1, error, time.perf_counter() - began)
                self.state = State((*self.state.history, found), self._tensors(machine, learned, speed))
                yield found
            self._done.append(learned)

    def _restored(
        self, machine: Machine, finished: int, *, is_first: bool
    ) -> tuple[Boltzmann, dict[str, Tensor]]:
        """Return a machine after some epochs, and the last step of each of its tensors."""
        prepared, device = self._prepared, self._prepared.device
        kind = prepared.settings.visible if is_first else BINARY
        generator = self._generator("weights", machine.name)
        learned = Boltzmann.initial(machine.visible, machine.hidden, kind, generator)
        speed = {name: torch.zeros_like(each) for name, each in learned.tensors.items()}
        if finished:
            stored = self.state.tensors
            for name, each in learned.tensors.items():
                each.copy_(stored[f"{machine.name}/{name}"].to(device))
            if finished < prepared.settings.epochs:
                speed = {name: stored[f"{_SPEED}/{name}"].to(device).clone() for name in NAMES}
        return learned, speed

    def _tensors(self, machine: Machine, learned: Boltzmann, speed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return all machines so far, and the last step of the current one."""
        below = {
            f"{each.name}/{name}": value
            for each, done in zip(self._prepared.machines, self._done, strict=False)
            for name, value in done.tensors.items()
        }
        own = {f"{machine.name}/{name}": value for name, value in learned.tensors.items()}
        return below | own | {f"{_SPEED}/{name}": value for name, value in speed.items()}

    def _epoch(self, machine: Machine, learned: Boltzmann, speed: dict[str, Tensor], epoch: int) -> float:
        """Carry out an epoch; return the mean squared error of a visible unit."""
        prepared, settings, count = self._prepared, self._prepared.settings, self._images.count
        order = epoch_order(count, derived_seed(prepared.recipe.seed, "pretraining", machine.name), epoch)
        order, generator = order.to(prepared.device), self._generator("samples", machine.name, epoch)
        total = torch.zeros((), dtype=torch.float64, device=prepared.device)
        for start, end in batch_bounds(count, settings.batch):
            v = self._seen(order[start:end])
            total += contrastive_divergence(learned, speed, v, settings, generator)
        error = float(total) / (count * machine.visible)
        finite = all(bool(each.isfinite().all()) for each in learned.tensors.values())
        if not finite or not math.isfinite(error):
            raise _diverged(machine, epoch, settings)
        return error

    def _seen(self, numbers: Tensor) -> Tensor:
        """Return what the current machine sees of some images, [n, visible]."""
        values = self._images.take(numbers).flatten(1).float() / 255
        if self._prepared.settings.visible == GAUSSIAN:
            mean, std = self._moments
            values = (values - mean) / std
        for below in self._done:
            values = below.raised(values)
        return values

    def _generator(self, *purpose: object) -> torch.Generator:
        seed = derived_seed(self._prepared.recipe.seed, "pretraining", *purpose)
        return torch.Generator(self._prepared.device).manual_seed(seed)


def _diverged(machine: Machine, epoch: int, settings: Pretraining) -> CnncliError:
    gaussian = "; gaussian units need about 0.001" if settings.visible == GAUSSIAN else ""
    return CnncliError(
        Diagnostic(
            "diverged",
            f"the weights of {machine.name} grew out of bounds in epoch {epoch + 1}",
            expected="finite weights",
            hint=f"a smaller pretrain.lr than {settings.lr:g}, in another folder{gaussian}",
        )
    )
