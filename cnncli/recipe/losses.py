"""The losses of heads; ``training/tasks/losses.py`` has the formula of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from cnncli.language.fields import Record, arg
from cnncli.language.readers import Number, Reader
from cnncli.language.scope import Argument, interpolate
from cnncli.language.tree import Items, Scalar
from cnncli.recipe.columns import CLASS, FORMS, MASK, NUMBER, PICTURE, TAGS

EQUAL: Final = "equal"
BALANCED: Final = "balanced"


class ClassWeights(Reader["str | tuple[float, ...]"]):
    """A factor for each class: a list, or a word for how it follows from the data."""

    expected = f"{EQUAL}, {BALANCED}, or a list with a number of 0 or more for each class, not all 0"

    def __init__(self) -> None:
        self._number = Number(0)

    def read(self, argument: Argument) -> str | tuple[float, ...]:
        value = argument.value
        if isinstance(value, Items) and len(value):
            numbers = tuple(self._number.read(argument._replace(value=each)) for each in value)
            if any(numbers):
                return numbers
        if isinstance(value, Scalar) and not value.is_null:
            word = interpolate(value, argument.scope)
            if word in (EQUAL, BALANCED):
                return word
        raise self.wrong(argument)

    def plain(self, value: str | tuple[float, ...]) -> object:
        return value if isinstance(value, str) else [*value]


class Loss(Record):
    """What a head is trained with, and the forms of targets that it compares the head with.

    The first form in ``accepts`` that suits the head, a vector or a map, is that of its usual target.
    """

    member = "setting"
    accepts: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def usual_target(cls, axes: int) -> str:
        """Return the name of the column that a head with an output of this number of axes learns."""
        of_maps = (MASK, PICTURE)
        form = next((each for each in cls.accepts if (each in of_maps) == (axes > 1)), cls.accepts[0])
        return FORMS[form].usual

    @property
    def measured(self) -> Loss:
        """The same loss as it is measured: without what changes the targets or weighs the classes."""
        return self


class CrossEntropy(Loss):
    """Cross-entropy of the logits, or of the probabilities, of classes; of a map the mean over its pixels."""

    keyword = "cross_entropy"
    accepts = (CLASS, MASK)

    smoothing: float = arg(Number(0, 1), "share of the target spread over all classes", default=0.0)
    weights: str | tuple[float, ...] = arg(
        ClassWeights(),
        "factor for each class; balanced: all classes count the same",
        default=EQUAL,
    )

    @property
    def measured(self) -> Loss:
        return CrossEntropy()


class Focal(Loss):
    """Cross-entropy with less weight on what is already right: -(1 - p)^gamma log p (Lin et al., 2017)."""

    keyword = "focal"
    accepts = (CLASS, MASK)

    gamma: float = arg(Number(0, 100), "exponent; cross-entropy for 0", default=2.0, main=True)


class Dice(Loss):
    """1 - 2 overlap / (predicted + true), a mean over classes (Milletari, Navab and Ahmadi, 2016)."""

    keyword = "dice"
    accepts = (MASK,)


class BinaryCrossEntropy(Loss):
    """Mean binary cross-entropy of each value with a target from 0 to 1; one value for two classes."""

    keyword = "binary_cross_entropy"
    accepts = (TAGS, CLASS, MASK, PICTURE)


class MSE(Loss):
    """Mean of the squared differences."""

    keyword = "mse"
    accepts = (NUMBER, PICTURE)


class MAE(Loss):
    """Mean of the absolute differences."""

    keyword = "mae"
    accepts = (NUMBER, PICTURE)


class SmoothL1(Loss):
    """Mean of d^2 / (2 beta) where a difference is d < beta, else of d - beta / 2 (Girshick, 2015)."""

    keyword = "smooth_l1"
    accepts = (NUMBER, PICTURE)

    beta: float = arg(Number(0, above=True), "where the loss becomes linear", default=1.0, main=True)


class Distance(Loss):
    """The loss of distances to the prototypes of classes (LeCun et al., 1998)."""

    keyword = "distance"
    accepts = (CLASS,)


class Margin(Loss):
    """The loss of the lengths of capsules (Sabour, Frosst and Hinton, 2017)."""

    keyword = "margin"
    accepts = (CLASS,)


LOSSES: Final[Mapping[str, type[Loss]]] = {
    each.keyword: each
    for each in (
        CrossEntropy,
        Focal,
        Dice,
        BinaryCrossEntropy,
        MSE,
        MAE,
        SmoothL1,
    )
}
"""The losses that a recipe can choose."""

OF_LAYERS: Final = (Distance, Margin)
"""The losses that only the layers of a head choose."""
