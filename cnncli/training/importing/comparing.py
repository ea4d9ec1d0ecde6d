"""What an imported network computes, compared with what it was imported from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import nn

from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.exporting.subject import Array, Subject
from cnncli.training.exporting.reference import Reference

CLOSE: Final = 1e-5
"""A difference, in shares of the largest value of an output, that is one of rounding."""


def compared(subject: Subject, given: Array, wanted: Sequence[Array]) -> float:
    """Return how different the outputs of an imported network are from those of its source.

    Args:
        subject: the imported network.
        given: the inputs, batch first.
        wanted: the outputs of the source, in order.

    Raises:
        CnncliError: they differ by more than rounding.
    """
    reference = Reference(subject)
    found = dict(zip(subject.graph.outputs, wanted, strict=True))
    apart = reference.difference(given, found)
    if apart > CLOSE and not reference.is_rounding(given, found):
        raise CnncliError(
            Diagnostic(
                "import",
                f"{subject.name}: the imported network computes something else, so it was not written",
                expected=f"outputs that differ by {CLOSE:.0e} of the largest at most",
                received=f"{apart:.1e}",
                hint="please report this with the network: it is a fault of cnncli",
            )
        )
    return apart


def outputs_of_module(module: nn.Module, given: Array) -> list[Array]:
    """Return the outputs of a module in inference, in order."""
    with torch.inference_mode():
        found = module(torch.from_numpy(given))
    if isinstance(found, torch.Tensor):
        return [found.numpy()]
    values = found.values() if isinstance(found, Mapping) else found
    return [each.numpy() for each in values]
