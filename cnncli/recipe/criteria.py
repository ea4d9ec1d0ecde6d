"""The criteria that outputs are trained with; ``training/tasks/criteria.py`` has the formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Criterion(NamedTuple):
    """What is known of a criterion without torch.

    ``of_classes`` says whether it is a cross-entropy of classes, whose targets can be smoothed.
    """

    name: str
    help: str
    of_classes: bool = False


CRITERIA: Final[Mapping[str, Criterion]] = {
    each.name: each
    for each in (
        Criterion("cross_entropy", "cross-entropy of logits", of_classes=True),
        Criterion("probabilities", "cross-entropy of probabilities", of_classes=True),
        Criterion("distance", "distances, the smallest for the predicted class (LeCun et al., 1998)"),
        Criterion("margin", "lengths of capsules (Sabour, Frosst and Hinton, 2017)"),
    )
}
DEFAULT_CRITERION: Final = "cross_entropy"
"""The criterion of a layer that names no other."""
