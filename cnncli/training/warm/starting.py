"""Filling a new network with the weights that its training starts from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from cnncli.diagnostics import listing, usage_error
from cnncli.graph import Graph
from cnncli.limits import MAX_TENSORS_NAMED
from cnncli.recipe.start import Start
from cnncli.results.transfer import Matching, Started
from cnncli.training.runs.run import Run
from cnncli.training.warm.files import WeightsFile, open_weights
from cnncli.transfer.matching import counters_of, match


def opened_start(start: Start | None) -> tuple[WeightsFile, Start] | None:
    """Return the file of the first weights of a training, and its settings; None if they are random.

    Raises:
        UsageError: it cannot be read.
    """
    return None if start is None else (open_weights(start.from_, start.key), start)


def fill(network: nn.Module, graph: Graph, file: WeightsFile, start: Start) -> Started:
    """Copy the weights of a file into a network that was just built.

    Raises:
        UsageError: file and network do not match, or a weight is not finite; the network is not changed.
    """
    found = match(graph, file.header, start, str(file.path))
    tensors = file.read()
    _check_finite(tensors, found, file)
    state = network.state_dict()
    with torch.no_grad():
        for name, value in _values(tensors, found):
            if name in state:
                state[name].copy_(value)
    return Started(file.origin, found)


def started_again(network: nn.Module, graph: Graph, run: Run) -> Started | None:
    """Return where the first weights of a run came from, and fill a network with them if no step is saved.

    Raises:
        UsageError: it has no checkpoint, and the file is another one than when it was started.
    """
    origin, settings = run.record.start, run.record.settings
    if origin is None or settings.start is None:
        return None
    if run.has_checkpoint:
        return Started(origin)
    file = open_weights(settings.start.from_, settings.start.key)
    if file.sha256 != origin.sha256:
        raise usage_error(
            f"{file.path} is not the file that {run.folder} was started from",
            expected=f"the SHA-256 {origin.sha256}",
            received=file.sha256,
            hint="start a new run, in another folder: nothing was trained in this one",
        )
    return fill(network, graph, file, settings.start)


def adapted(kernels: Tensor, channels: int) -> Tensor:
    """Return kernels [outputs, inputs, ...] for another number of input channels, as timm does.

    For one channel it is their sum. Otherwise they are repeated in their order up to the number of
    channels, and scaled by before / after, so that an input that is the same in all channels has the same
    output (timm, ``adapt_input_conv``).
    """
    if channels == 1:
        return kernels.sum(dim=1, keepdim=True)
    before = kernels.shape[1]
    copies = kernels.repeat(1, math.ceil(channels / before), *(1 for _ in kernels.shape[2:]))
    return copies[:, :channels] * (before / channels)


def _values(tensors: Mapping[str, Tensor], found: Matching) -> Iterator[tuple[str, Tensor]]:
    """Yield names in the network, and values of the file; counters of batches only if the file has them."""
    channels = {each.name: each.after for each in found.adapted}
    for name, old in found.taken.items():
        value = tensors[old]
        yield name, adapted(value.float(), channels[name]) if name in channels else value
    for name, old in counters_of(found.taken).items():
        if old in tensors:
            yield name, tensors[old]


def _check_finite(tensors: Mapping[str, Tensor], found: Matching, file: WeightsFile) -> None:
    """Check that all weights that are taken are finite.

    Raises:
        UsageError: some are not.
    """
    unsound = [old for old in found.taken.values() if not bool(torch.isfinite(tensors[old].float()).all())]
    if unsound:
        raise usage_error(
            f"the weights in {file.path} are not finite: {listing(unsound, MAX_TENSORS_NAMED)}",
            expected="finite numbers",
            hint="train.start.reset leaves tensors out",
        )
