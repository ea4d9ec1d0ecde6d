"""What outputs are, by their last computing layer, and the loss that each has by default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from cnncli.recipe.losses import CrossEntropy, Distance, Loss, Margin


class Criterion(NamedTuple):
    """What is known of a criterion without torch: the loss of a head whose recipe chooses none."""

    name: str
    help: str
    loss: type[Loss] = CrossEntropy

    @property
    def can_choose(self) -> bool:
        """Whether a recipe can choose another loss; those of papers belong to their layers."""
        return self.loss is CrossEntropy


CRITERIA: Final[Mapping[str, Criterion]] = {
    each.name: each
    for each in (
        Criterion("cross_entropy", "cross-entropy of logits"),
        Criterion("probabilities", "cross-entropy of probabilities"),
        Criterion(
            "distance", "distances, the smallest for the predicted class (LeCun et al., 1998)", Distance
        ),
        Criterion("margin", "lengths of capsules (Sabour, Frosst and Hinton, 2017)", Margin),
    )
}
DEFAULT_CRITERION: Final = "cross_entropy"
"""The criterion of a layer that names no other."""
