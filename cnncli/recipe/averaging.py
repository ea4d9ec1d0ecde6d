"""Averages of the weights over a training; ``training/optimization/averaging.py`` computes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from cnncli.diagnostics import counted
from cnncli.language.fields import Record, arg
from cnncli.language.readers import Number
from cnncli.limits import MAX_BETA


class Average(Record):
    """An average of the weights, which is measured and kept, while the weights themselves are trained."""

    member = "setting"


class Ema(Average):
    """An exponential moving average: after each step, average = decay average + (1 - decay) weights.

    In the first steps the decay is smaller, (1 + step) / (10 + step) with steps counted from 0: otherwise
    the initial weights would remain in the average of a short training. Averages of the iterates are those of
    B. Polyak and A. Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.
    """

    keyword = "ema"

    decay: float = arg(
        Number(0, MAX_BETA, above=True),
        "share of the average that a step keeps; step n, from 0, keeps (1 + n) / (10 + n) at most",
        default=0.999,
        main=True,
    )

    @property
    def rising(self) -> int:
        """The number of steps before the first one that keeps all of ``decay``."""
        return max(0, math.ceil((10 * self.decay - 1) / (1 - self.decay)))

    def __str__(self) -> str:
        """Return it as ``ema 0.999, smaller in the first 8,990 steps``."""
        return f"{self.keyword} {self.decay:g}, smaller in the first {counted(self.rising, 'step')}"


class Swa(Average):
    """The mean of the weights at the ends of the last epochs (P. Izmailov et al., SWA, 2018).

    Before it is measured, the statistics of batch normalization are computed anew with it, by a pass over the
    training images of the epoch.
    """

    keyword = "swa"

    start: float = arg(
        Number(0, 1), "share of the epochs after which averaging begins", default=0.75, main=True
    )

    def __str__(self) -> str:
        """Return it as ``swa from 0.75 of the epochs on``."""
        return f"{self.keyword} from {self.start:g} of the epochs on"


AVERAGES: Final[Mapping[str, type[Average]]] = {each.keyword: each for each in (Ema, Swa)}
