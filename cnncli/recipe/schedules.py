"""How the learning rate changes over a run; ``training/optimization/schedule.py`` has the formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SCHEDULES: Final[Mapping[str, str]] = {
    "constant": "stays as it is",
    "cosine": "falls to 0 along half a cosine",
    "linear": "falls to 0 in a straight line",
}
"""Each schedule, and how the learning rate behaves after the warmup."""
