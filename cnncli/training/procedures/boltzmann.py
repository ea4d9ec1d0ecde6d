"""Restricted Boltzmann machines, learned by contrastive divergence.

The energy of visible units v and hidden units h is E(v, h) = -h'Wv - b'v - c'h for binary v, and
|v - b|^2 / 2 - h'Wv - c'h for Gaussian v of variance 1. The gradient of log p(v) with respect to W is
<h v'> with h given the data, minus <h v'> under the model. Contrastive divergence (G. Hinton, "Training
products of experts by minimizing contrastive divergence", 2002) replaces the model by the distribution after
k steps of Gibbs sampling that begin at the data: CD-k.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.recipe.pretraining import BINARY, Pretraining

INITIAL_DEVIATION: Final = 0.01
"""Of the weights, as in G. Hinton, "A practical guide to training restricted Boltzmann machines", 2010."""

NAMES: Final = ("weight", "hidden", "visible")
"""The tensors of a machine: W [hidden, visible], c [hidden], b [visible]."""


@dataclass(frozen=True, eq=False, slots=True)
class Boltzmann:
    """A machine: ``weight`` W [hidden, visible], ``hidden`` c, ``visible`` b; ``binary`` or Gaussian v."""

    weight: Tensor
    hidden: Tensor
    visible: Tensor
    binary: bool

    @classmethod
    def initial(cls, visible: int, hidden: int, kind: str, generator: torch.Generator) -> Self:
        """Return a machine with small random weights and no biases, on the device of the generator."""
        device = generator.device
        weight = torch.randn(hidden, visible, generator=generator, device=device) * INITIAL_DEVIATION
        return cls(
            weight,
            torch.zeros(hidden, device=device),
            torch.zeros(visible, device=device),
            kind == BINARY,
        )

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The tensors by their names."""
        return {name: getattr(self, name) for name in NAMES}

    def raised(self, v: Tensor) -> Tensor:
        """Return p(h = 1 | v), [n, hidden]."""
        return torch.sigmoid(functional.linear(v, self.weight, self.hidden))

    def lowered(self, h: Tensor) -> Tensor:
        """Return the mean of v given h, [n, visible]: probabilities if v is binary."""
        mean = functional.linear(h, self.weight.T, self.visible)
        return torch.sigmoid(mean) if self.binary else mean

    def sampled(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """Return visible units drawn around their mean."""
        if self.binary:
            return ones(mean, generator)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        return mean + noise


def ones(probability: Tensor, generator: torch.Generator) -> Tensor:
    """Return units that are 1 with a probability, otherwise 0."""
    draws = torch.rand(probability.shape, generator=generator, device=probability.device)
    return (draws < probability).to(probability.dtype)


def contrastive_divergence(
    machine: Boltzmann, speed: Mapping[str, Tensor], v: Tensor, how: Pretraining, generator: torch.Generator
) -> Tensor:
    """Change a machine by one step of CD-k, in place; return the sum of the squared errors of v.

    The step is momentum * last step + lr * (gradient - decay * W); biases do not decay. The statistics of
    hidden units are probabilities, and the units of the chain are samples. The error is that of the mean of
    the first reconstruction.

    Args:
        machine: W, c and b.
        speed: the last step of each of them, which becomes this one.
        v: float32 [n, visible].
        how: k, lr, momentum and weight decay.
        generator: on the device of the machine.
    """
    before = machine.raised(v)
    hidden, reconstruction, error = before, v, v.new_zeros(())
    for number in range(how.k):
        mean = machine.lowered(ones(hidden, generator))
        error = (v - mean).square().sum() if number == 0 else error
        reconstruction = machine.sampled(mean, generator)
        hidden = machine.raised(reconstruction)
    rate = how.lr / len(v)
    # Products are added where they belong: the matrix is the most that a step reads and writes.
    speed["weight"].addmm_(before.T, v, beta=how.momentum, alpha=rate)
    speed["weight"].addmm_(hidden.T, reconstruction, alpha=-rate)
    speed["weight"].sub_(machine.weight, alpha=how.lr * how.weight_decay)
    speed["hidden"].mul_(how.momentum).add_((before - hidden).sum(0), alpha=rate)
    speed["visible"].mul_(how.momentum).add_((v - reconstruction).sum(0), alpha=rate)
    for name, each in machine.tensors.items():
        each.add_(speed[name])
    return error
