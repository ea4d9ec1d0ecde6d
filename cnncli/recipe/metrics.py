"""The figures of a training and of an evaluation: their names, and what is known of each without torch.

The name of a figure has dots: a part of the data, a head if the network has several, and a metric, as in
``test.loss`` and ``train.aux.accuracy``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

TRAIN: Final = "train"
VAL: Final = "val"
TEST: Final = "test"
PARTS: Final = (TRAIN, VAL, TEST)
"""The parts of the data."""
HELD_OUT: Final = (TEST, VAL)
"""The parts that a network can be measured on."""

BEST: Final = "best"
LAST: Final = "last"
KEPT: Final = (BEST, LAST)
"""The weights that a run keeps: of the epoch that its validation part chose, and after its last batch."""

FLIP: Final = "flip"
TTA: Final = (FLIP,)
"""What a network is measured on beside each image: its mirror image, left to right."""

OBJECTIVE: Final = "objective"
LOSS: Final = "loss"
ACCURACY: Final = "accuracy"
TOP5: Final = "top5"
PRECISION: Final = "precision"
RECALL: Final = "recall"
F1: Final = "f1"
ECE: Final = "ece"
IOU: Final = "iou"
DICE: Final = "dice"
MAP: Final = "map"
R2: Final = "r2"
MAE: Final = "mae"
PSNR: Final = "psnr"
SSIM: Final = "ssim"

Better: TypeAlias = Literal["larger", "smaller"]
"""Which of two values of a metric is the better one."""


class Metric(NamedTuple):
    """What is known of a metric: which values are better, and its range, both ends included.

    A share is shown as a percentage. ``is_detail`` is whether it is measured where a person asks for a
    network's figures, and not after every epoch.
    """

    name: str
    title: str
    help: str
    better: Better
    least: float = -math.inf
    most: float = math.inf
    unit: str = ""
    is_detail: bool = False

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
            "share of the samples (of a mask: of its pixels) whose likeliest class is right",
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
        Metric(
            PRECISION,
            "precision",
            "mean over classes of correct / predicted as this class; in 'cnncli evaluate' only",
            "larger",
            0.0,
            1.0,
            is_detail=True,
        ),
        Metric(
            RECALL,
            "recall",
            "mean over classes of correct / samples of this class; in 'cnncli evaluate' only",
            "larger",
            0.0,
            1.0,
            is_detail=True,
        ),
        Metric(F1, "F1", "mean over classes of F1 (macro average); not in training", "larger", 0.0, 1.0),
        Metric(
            ECE,
            "calibration error",
            "distance of predicted probabilities from what is right, in 15 bins; in 'cnncli evaluate' only",
            "smaller",
            0.0,
            1.0,
            is_detail=True,
        ),
        Metric(
            IOU,
            "IoU",
            "mean over classes of overlap / union, over all pixels of masks; not in training",
            "larger",
            0.0,
            1.0,
        ),
        Metric(
            DICE,
            "Dice",
            "mean over classes of 2 overlap / (predicted + true), over all pixels; not in training",
            "larger",
            0.0,
            1.0,
        ),
        Metric(MAP, "mAP", "mean over tags of the average precision; not in training", "larger", 0.0, 1.0),
        Metric(
            R2,
            "R2",
            "1 - squared errors / variance, a mean over numbers; not in training",
            "larger",
            most=1.0,
        ),
        Metric(
            PSNR,
            "PSNR",
            "mean of 10 log10(1 / mean squared difference) of a sample, at most 100 dB",
            "larger",
            unit="dB",
        ),
        Metric(
            SSIM,
            "SSIM",
            "structural similarity of images (Wang et al., 2004); not in training",
            "larger",
            -1.0,
            1.0,
        ),
        Metric(MAE, "MAE", "mean absolute difference from the target", "smaller", 0.0),
    )
}
"""In the order in which they are shown."""


TELLING: Final = (PSNR, IOU, MAP, R2, ACCURACY, MAE)
"""The metrics that say what a head can do better than its loss; a head has one of them."""


def telling(names: Iterable[str]) -> str:
    """Return the metric that tells most of those without a head among ``names``, which have no part."""
    found = {*names}
    return next((name for name in TELLING if name in found), LOSS)


def held_out(figures: Iterable[str]) -> str:
    """Return the part that was measured after an epoch with figures of these names."""
    return VAL if any(name.startswith(f"{VAL}.") for name in figures) else TEST


def metric_of(figure: str) -> Metric:
    """Return the metric of a figure; one of another version can have any value."""
    name = figure.rpartition(".")[2]
    return METRICS.get(name, Metric(name, name, "", "smaller"))


def head_of(figure: str) -> str:
    """Return the head of a figure without the part of the data; empty for the network as a whole."""
    return figure.rpartition(".")[0]
