"""Whether a network can be trained on one image at a time."""

from __future__ import annotations

import torch
from torch import nn

from cnncli.diagnostics import usage_error
from cnncli.graph.learning import Learning
from cnncli.training.optimization.optimizers import prepare_training


def check_single_images(network: nn.Module, input_shape: tuple[int, ...], learning: Learning) -> None:
    """Check that a network can be trained on one image at a time; some normalizations cannot.

    Nothing is computed and nothing changes: the network runs with tensors on the meta device in place of its
    own.

    Raises:
        UsageError: it cannot.
    """
    tensors = (*network.named_parameters(), *network.named_buffers())
    state = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}
    image = torch.empty((1, *input_shape), device="meta")
    modes = {module: module.training for module in network.modules()}
    prepare_training(network, learning)
    try:
        with torch.no_grad():
            torch.func.functional_call(network, state, (image,))
    except ValueError as error:
        raise usage_error(
            f"the network cannot be trained on one image at a time: {error}",
            expected="batches of 2 or more images",
            received="a batch of 1",
            hint="set a larger train.batch",
        ) from error
    finally:
        for module, mode in modes.items():
            module.training = mode
