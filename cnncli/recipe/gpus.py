"""The peak rates of graphics processors, from NVIDIA's data sheets: dense matrices, at the boost clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

TERA: Final = 10**12


class Peak(NamedTuple):
    """Floating-point operations per second, in units of 10**12; None for what a processor does not have.

    ``float32`` is without tensor cores, ``tf32`` with them, of numbers stored as float32; ``half`` is of bf16
    and fp16, accumulated in float32, and of fp16 alone before Ampere.
    """

    float32: float
    tf32: float | None
    half: float


PEAKS: Final[Mapping[str, Peak]] = {
    "H200": Peak(66.9, 494.7, 989.4),
    "H100 NVL": Peak(60.0, 417.5, 835.5),
    "H100 PCIe": Peak(51.2, 378.0, 756.0),
    "H100": Peak(66.9, 494.7, 989.4),
    "A100": Peak(19.5, 156.0, 311.9),
    "A40": Peak(37.4, 74.8, 149.7),
    "A10": Peak(31.2, 62.5, 125.0),
    "L40S": Peak(91.6, 183.0, 362.1),
    "L40": Peak(90.5, 90.5, 181.0),
    "L4": Peak(30.3, 60.0, 121.0),
    "V100-SXM2": Peak(15.7, None, 125.0),
    "V100-PCIE": Peak(14.0, None, 112.0),
    "T4": Peak(8.1, None, 65.0),
    "RTX 4090": Peak(82.6, 82.6, 165.2),
    "RTX 4080": Peak(48.7, 48.7, 97.5),
    "RTX 3090": Peak(35.6, 35.6, 71.0),
    "RTX 3080": Peak(29.8, 29.8, 59.5),
}
"""By a part of the name that the driver gives; the first that is part of a name counts."""


def peak_rate(name: str, *, half: bool, tf32: bool) -> float | None:
    """Return the floating-point operations per second of a processor; None if it is not known.

    Args:
        name: as the driver gives it, ``NVIDIA H100 80GB HBM3``.
        half: whether sums are computed from bf16 or fp16.
        tf32: whether tensor cores may round float32 for them.
    """
    words = re.sub(r"[^A-Za-z0-9]+", " ", name)
    for part, peak in PEAKS.items():
        # Whole words: an A100 is not an A10, and an RTX 4080 SUPER or a laptop's chip is another processor.
        if re.search(rf"\b{re.sub('-', ' ', part)}\b(?! (SUPER|Ti|Laptop|D)\b)", words):
            rate = peak.half if half else peak.tf32 if tf32 and peak.tf32 is not None else peak.float32
            return rate * TERA
    return None
