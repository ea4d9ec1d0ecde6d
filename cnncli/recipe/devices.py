"""The devices that networks are trained on; ``training/device.py`` asks torch for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cnncli.diagnostics import did_you_mean, listing, usage_error

AUTO: Final = "auto"
DEVICES: Final[Mapping[str, tuple[str, ...]]] = {
    "cuda": ("cuda", "cuda:N"),
    "mps": ("mps",),
    "cpu": ("cpu",),
}
"""Kinds of devices, in the order in which ``auto`` tries them, and the forms in which they are written."""
DEVICE_FORMS: Final = listing([AUTO, *sum(DEVICES.values(), ())], last=" or ")


def parse_device(word: str) -> tuple[str, int]:
    """Return the kind of a device and its number.

    Raises:
        UsageError: there is no such kind of device, or the number is not one.
    """
    kind, colon, number = word.partition(":")
    if kind not in DEVICES or (colon and not number.isdecimal()):
        hint = did_you_mean(kind, (AUTO, *DEVICES))
        raise usage_error(f"unknown device '{word}'", expected=DEVICE_FORMS, received=word, hint=hint)
    return kind, int(number or 0)
