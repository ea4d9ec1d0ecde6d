"""Averages of the weights during a training.

The share that the present weights get in the average is a function of the step alone, so that the average
itself is all that a checkpoint needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from cnncli.recipe.averaging import Average, Ema, Swa

_FIRST: Final = 1
_LATER: Final = 10
"""The decay of a step is at most (first + step) / (later + step)."""


class Place(NamedTuple):
    """A step of a training, counted from 0, in an ``epoch``, counted from 0, of a number of ``epochs``.

    ``is_last`` says whether it is the last one of its epoch, which may be shorter than those before.
    """

    step: int
    epoch: int
    epochs: int
    is_last: bool


def share(chosen: Average | None, at: Place) -> float:
    """Return the share of the weights in the average after a step; 0 if it stays as it is, 1 if it begins."""
    if isinstance(chosen, Ema):
        return 1 - min(chosen.decay, (_FIRST + at.step) / (_LATER + at.step))
    if isinstance(chosen, Swa) and at.is_last and averages_after(chosen, at.epoch, at.epochs):
        return 1 / (at.epoch - _first_epoch(chosen, at.epochs) + 1)
    return 0.0


def averages_after(chosen: Average | None, epoch: int, epochs: int) -> bool:
    """Return whether there is an average after an epoch, counted from 0, of a number of ``epochs``."""
    return isinstance(chosen, Ema) or (isinstance(chosen, Swa) and epoch >= _first_epoch(chosen, epochs))


def _first_epoch(chosen: Swa, epochs: int) -> int:
    """Return the first epoch that is averaged, from 0; the last one always is."""
    return min(int(chosen.start * epochs), epochs - 1)


def initial_average(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the state of a network."""
    return {name: each.detach().clone() for name, each in network.state_dict().items()}


@torch.no_grad()
def add_to_average(average: Mapping[str, Tensor], network: nn.Module, part: float) -> None:
    """Replace an average with (1 - part) average + part network; whole numbers with those of the network."""
    state = network.state_dict()
    means = [name for name, each in average.items() if each.is_floating_point()]
    if means:
        average_of = get_ema_multi_avg_fn(1 - part)
        average_of([average[name] for name in means], [state[name] for name in means], None)
    for name in average.keys() - set(means):
        average[name].copy_(state[name])


@contextmanager
def exchanged(network: nn.Module, average: Mapping[str, Tensor] | None) -> Iterator[None]:
    """Exchange the state of a network for an average while the context lasts; for None nothing happens."""
    if average is None:
        yield
        return
    _exchange(network, average)
    try:
        yield
    finally:
        _exchange(network, average)


@torch.no_grad()
def _exchange(network: nn.Module, average: Mapping[str, Tensor]) -> None:
    for name, each in network.state_dict().items():
        kept = each.clone()
        each.copy_(average[name])
        average[name].copy_(kept)
