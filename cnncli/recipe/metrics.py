"""The figures of a training and of an evaluation: their names, and what is known of each without torch.

The name of a figure has dots: a part of the data, a head if the network has several, and a metric, as in
``test.loss`` and ``train.aux.accuracy``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

OBJECTIVE: Final = "objective"
LOSS: Final = "loss"
ACCURACY: Final = "accuracy"
TOP5: Final = "top5"
F1: Final = "f1"
MAE: Final = "mae"
PSNR: Final = "psnr"


Better: TypeAlias = Literal["larger", "smaller"]
"""Which of two values of a metric is the better one."""


class Metric(NamedTuple):
    """What is known of a metric: which values are better, and its range, both ends included.

    A share is shown as a percentage.
    """

    name: str
    title: str
    help: str
    better: Better
    least: float = -math.inf
    most: float = math.inf
    unit: str = ""

    @property
    def is_share(self) -> bool:
        """Whether values are from 0 to 1."""
        return (self.least, self.most) == (0.0, 1.0)


METRICS: Final[Mapping[str, Metric]] = {
    each.name: each
    for each in (
        Metric(
            OBJECTIVE,
            "objective",
            "what is minimized, with smoothing, penalties and all heads; in training only",
            "smaller",
        ),
        Metric(
            ACCURACY,
            "accuracy",
            "share of the samples whose likeliest class is the right one",
            "larger",
            0.0,
            1.0,
        ),
        Metric(LOSS, "loss", "the loss, without smoothing; in total the sum of weight times loss", "smaller"),
        Metric(
            TOP5,
            "top-5",
            "share whose class is among the five likeliest; not in training",
            "larger",
            0.0,
            1.0,
        ),
        Metric(F1, "F1", "mean over classes of F1 (macro average); not in training", "larger", 0.0, 1.0),
        Metric(
            PSNR,
            "PSNR",
            "mean of 10 log10(1 / mean squared difference) of a sample, at most 100 dB",
            "larger",
            unit="dB",
        ),
        Metric(MAE, "MAE", "mean absolute difference of values from 0 to 1", "smaller", 0.0),
    )
}
"""In the order in which they are shown."""


def metric_of(figure: str) -> Metric:
    """Return the metric of a figure; one of another version can have any value."""
    name = figure.rpartition(".")[2]
    return METRICS.get(name, Metric(name, name, "", "smaller"))
