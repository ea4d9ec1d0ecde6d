"""The sections ``budget:`` and ``paper:`` of a spec; :mod:`cnncli.recipe.recipe` has ``train:``."""

from __future__ import annotations

import re
from typing import Final

from cnncli.language.fields import Record, arg
from cnncli.language.readers import Reader, Text, Whole
from cnncli.language.scope import Argument, compute
from cnncli.language.tree import Scalar
from cnncli.limits import MAX_EXPRESSION, MAX_QUANTITY

_QUANTITY: Final = re.compile(
    r"([+-]?(?:[0-9][0-9_,]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]*)\Z"
)
_COUNTS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12, "p": 10**15}
_BYTES: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}


class Quantity(Reader[int]):
    """A readable whole number: ``1.2M``, ``60k``, ``1_000_000``; of bytes also ``512 KiB``, ``1.5 MB``.

    A size such as ``7.3 GiB`` is rounded down to whole bytes.
    """

    def __init__(self, *, of_bytes: bool = False) -> None:
        self.of_bytes = of_bytes
        self._units = _BYTES if of_bytes else _COUNTS
        self.expected = (
            "a size such as 512 KiB or 1.5 MB" if of_bytes else "a number such as 1.2M, 60k or 61706"
        )

    def read(self, argument: Argument) -> int:
        value = argument.value
        if not isinstance(value, Scalar) or value.is_null:
            raise self.wrong(argument)
        amount = self.amount(value.text)
        if amount is None and not _is_quantity(value.text):
            result = compute(argument)
            amount = self.amount(str(result)) if not isinstance(result, bool) else None
        if amount is None:
            raise self.wrong(argument)
        return amount

    def amount(self, text: str) -> int | None:
        """Return the whole number that a text means, or None if it is not one.

        >>> Quantity(of_bytes=True).amount("7.3 GiB"), Quantity(of_bytes=True).amount("7.3 B")
        (7838315315, None)
        """
        match = _QUANTITY.match(text.strip()) if len(text) <= MAX_QUANTITY else None
        factor = self._units.get(match[2].casefold()) if match else None
        if match is None or factor is None:
            return None
        digits = match[1].replace(",", "").replace("_", "")
        if "e" in digits.casefold():
            exact = float(digits) * factor
            return int(exact) if exact >= 0 and exact.is_integer() else None
        whole, _, fraction = digits.partition(".")
        numerator = int(f"{whole or '0'}{fraction}") * factor
        amount, rest = divmod(numerator, 10 ** len(fraction))
        is_accepted = rest == 0 or (self.of_bytes and factor > 1)
        return amount if is_accepted and amount >= 0 else None


def _is_quantity(text: str) -> bool:
    """Return whether the text has the form of a quantity, and so is not an expression."""
    return len(text) <= MAX_EXPRESSION and _QUANTITY.match(text.strip()) is not None


class Budget(Record):
    """Upper limits that ``cnncli check`` enforces. A limit that is not given is not checked."""

    keyword = "budget"
    member = "limit"

    params: int | None = arg(Quantity(), "learnable numbers", default=None)
    macs: int | None = arg(Quantity(), "multiply-accumulates of one sample", default=None)
    flops: int | None = arg(Quantity(), "floating-point operations of one sample", default=None)
    neurons: int | None = arg(Quantity(), "outputs of layers that sum weighted inputs", default=None)
    values: int | None = arg(Quantity(), "outputs of all layers", default=None)
    buffers: int | None = arg(Quantity(), "stored numbers that are not learned", default=None)
    layers: int | None = arg(
        Quantity(), "layers of every kind, also activations and reshapes: rows of the table", default=None
    )
    depth: int | None = arg(
        Quantity(), "most layers with MACs on a path: 18 for ResNet-18, 16 for VGG-16", default=None
    )
    weights_size: int | None = arg(
        Quantity(of_bytes=True), "bytes of parameters and buffers as 32-bit numbers", default=None
    )
    memory: int | None = arg(
        Quantity(of_bytes=True), "bytes at the peak of inference, for a batch of 1", default=None
    )
    training_memory: int | None = arg(
        Quantity(of_bytes=True), "bytes at the peak of a training step, for the batch of train:", default=None
    )


class Paper(Record):
    """Where a network was published."""

    keyword = "paper"
    member = "key"

    authors: str = arg(Text(), "their last names: Krizhevsky, Sutskever and Hinton")
    year: int = arg(Whole(1000, 9999), "the year it appeared")
    title: str = arg(Text(), "its title")
    figures: str = arg(
        Text(), "what it states about the network, in its own words: 60 million parameters", default=""
    )
