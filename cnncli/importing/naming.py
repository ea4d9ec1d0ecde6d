"""Names of layers: those of their tensors, so that weights load; otherwise of where they were."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from cnncli.importing.kinds import Layer
from cnncli.importing.operations import Operation
from cnncli.language.description import INPUT
from cnncli.language.reserved import MODULE_NAMES, PYTHON_WORDS, TRACED_NAMES

_RESERVED: Final = MODULE_NAMES | TRACED_NAMES | PYTHON_WORDS | {INPUT, "identity"}


class Names:
    """Names that were given, none of which is the beginning of another one."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._around: set[str] = set()

    def claim(self, wanted: str) -> str:
        """Return a name, with a number if it is taken."""
        name, number = wanted, 2
        while not self._free(name):
            name, number = f"{wanted}_{number}", number + 1
        self._given.add(name)
        self._around |= set(_above(name))
        return name

    def _free(self, name: str) -> bool:
        return name not in self._given | self._around and self._given.isdisjoint(_above(name))


def _above(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def names_for(operations: Sequence[Operation], layers: Sequence[Layer]) -> list[str]:
    """Return the names of layers, in their order."""
    names = Names()
    found: dict[int, str] = {}
    stems = [_stem(layer) for layer in layers]
    for place, stem in enumerate(stems):
        if stem:
            found[place] = names.claim(allowed(stem))
    for place, operation in enumerate(operations):
        if place not in found:
            scope = ".".join(operation.scope)
            found[place] = names.claim(allowed(scope or layers[place].kind))
    return [found[place] for place in range(len(operations))]


def _stem(layer: Layer) -> str:
    """Return what the names of a layer's tensors have in common: ``conv1`` of ``conv1.weight``."""
    stems = {
        tensor.source.removesuffix(f".{own}") if tensor.source.endswith(f".{own}") else ""
        for own, tensor in layer.tensors.items()
    }
    return stems.pop() if len(stems) == 1 else ""


def allowed(name: str) -> str:
    """Return a name with the characters and the words that a spec allows.

    >>> allowed("layer1.0.conv1"), allowed("/body/Conv:0"), allowed("head.type"), allowed("_x")
    ('layer1.0.conv1', 'body_Conv_0', 'head.type_', 'x')
    """
    parts = [re.sub(r"[^A-Za-z0-9_-]+", "_", part).strip("_-") for part in name.split(".")]
    plain = [f"{part}_" if part in _RESERVED else part for part in parts if part]
    return ".".join(plain)[:150] or "layer"
