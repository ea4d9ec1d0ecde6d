"""A network as a flat list of operations: what both importers make of what they read.

The words for operations are few, and mean the same whether they come from PyTorch or ONNX. Values have names;
their shapes include the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from cnncli.diagnostics import CnncliError, Diagnostic

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

BATCH: Final = 2
"""The batch size with which shapes are computed."""


class Tensor(NamedTuple):
    """A constant of an operation, with its name in the network that is read; "" if it has none."""

    source: str
    values: Array


@dataclass(frozen=True, eq=False)
class Operation:
    """What computes one value.

    ``scope`` are the parts of the name that it has in the network that is read; ``place`` says where it is,
    for messages.
    """

    word: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    scope: tuple[str, ...] = ()
    place: str = ""


@dataclass(frozen=True, eq=False)
class Flat:
    """A network: its operations in order, its outputs by name, and the shapes of all values.

    ``words`` are names for groups of layers, by the beginning of the layers' names. ``notes`` say what is
    known to be left out.
    """

    name: str
    input: str
    operations: Sequence[Operation]
    outputs: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    words: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def sample(self, value: str) -> tuple[int, ...]:
        """Return the shape of a value without the batch."""
        return self.shapes[value][1:]


class ImportingError(CnncliError):
    """A network has operations that no kind expresses."""


def refused(operation: Operation, why: str, hint: str = "") -> Diagnostic:
    """Return the message about an operation that cannot be expressed."""
    where = f"{operation.place}: " if operation.place else ""
    return Diagnostic("import", f"{where}{why}", hint=hint)
