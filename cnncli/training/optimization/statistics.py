"""Computing the statistics of batch normalization anew, for weights that no batch was trained with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnncli.training.computing import Forward
from cnncli.training.data.feed import Batch
from cnncli.training.world import ALONE, World


def has_statistics(network: nn.Module, still: Collection[str] = ()) -> bool:
    """Return whether a network has layers with running statistics, beside those of these names."""
    return bool(_layers(network, still))


def running_statistics(network: nn.Module, still: Collection[str] = ()) -> list[Tensor]:
    """Return the running means and variances of a network's layers, beside those of these names."""
    found = ((each.running_mean, each.running_var) for each in _layers(network, still))
    return [each for pair in found for each in pair if each is not None]


@torch.no_grad()
def renew_statistics(
    network: nn.Module,
    forward: Forward,
    batches: Iterable[Batch],
    stop: Callable[[], bool] = lambda: False,
    still: Collection[str] = (),
    world: World = ALONE,
) -> bool:
    """Set running means and variances to the mean of those of batches; False if ``stop()`` became true.

    Those of the layers ``still`` do not change. Each process has its share of the batches; the mean is over
    all of them.

    Dropout and the like are off meanwhile: the random numbers of the training are not used up.
    """
    was_training, layers = network.training, _layers(network, still)
    momenta = [each.momentum for each in layers]
    network.eval()
    for each in layers:
        each.reset_running_stats()
        each.momentum = None  # the mean of all batches
        each.train()
    try:
        for batch in batches:
            if stop():
                return False
            forward(batch.inputs)
        measured = running_statistics(network, still)
        for statistic in measured:
            statistic.div_(world.size)
        world.add(measured)
        return True
    finally:
        for each, momentum in zip(layers, momenta, strict=True):
            each.momentum = momentum
        network.train(was_training)


def _layers(network: nn.Module, still: Collection[str]) -> list[_BatchNorm]:
    frozen = {each for name in still for each in network.get_submodule(name).modules()}
    return [
        each
        for each in network.modules()
        if isinstance(each, _BatchNorm) and each.track_running_stats and each not in frozen
    ]
