"""How the learning rate changes over a run; ``training/optimization/schedule.py`` has the formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cnncli.language.fields import Record, arg
from cnncli.language.readers import Number


class Schedule(Record):
    """How the learning rate changes after the warmup."""

    member = "setting"

    warmup: float = arg(Number(0), "epochs over which the learning rate rises", default=0.0)


class Cosine(Schedule):
    """Let the learning rate fall to 0 along half a cosine."""

    keyword = "cosine"


class Linear(Schedule):
    """Let the learning rate fall to 0 in a straight line."""

    keyword = "linear"


class Constant(Schedule):
    """Leave the learning rate as it is."""

    keyword = "constant"


SCHEDULES: Final[Mapping[str, type[Schedule]]] = {each.keyword: each for each in (Cosine, Linear, Constant)}
