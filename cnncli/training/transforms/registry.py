"""The registry of what each transform does to a batch.

Draws are uniform numbers in [0, 1), on the CPU, with a row for each image: angles, factors and offsets are
computed from them there, so that they are the same on every device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from torch import Tensor

from cnncli.recipe.transforms import Transform

F = TypeVar("F", bound=Callable[..., Tensor])


class Change(NamedTuple):
    """What a transform does: ``apply(transform, images, draws) -> images``.

    Images are float32 [n, *shape] with values from 0 to 1, and draws float32 [n, draws]. The images that come
    in are never written to. A transform that moves values ``move``s targets too, in the same way but without
    changing a value: pictures float32 [n, channels, height, width], and masks int64 [n, 1, height, width],
    which have :data:`~cnncli.training.data.targets.NO_CLASS` beyond the edges.
    """

    draws: int
    apply: Callable[[Any, Tensor, Tensor], Tensor]
    move: Callable[[Any, Tensor, Tensor], Tensor] | None = None


CHANGES: Final[dict[type[Transform], Change]] = {}


def changes(kind: type[Transform], *, draws: int) -> Callable[[F], F]:
    """Register what transforms of this kind do to images, with this number of draws for each."""

    def register(apply: F) -> F:
        assert kind not in CHANGES, kind
        CHANGES[kind] = Change(draws, apply)
        return apply

    return register


def moves(kind: type[Transform]) -> Callable[[F], F]:
    """Register where transforms of this kind, which are registered already, move the pixels of targets."""

    def register(move: F) -> F:
        CHANGES[kind] = CHANGES[kind]._replace(move=move)
        return move

    return register


def within(draws: Tensor, low: float, high: float) -> Tensor:
    """Return draws as numbers between ``low`` and ``high``."""
    return low + (high - low) * draws


def for_images(values: Tensor, images: Tensor) -> Tensor:
    """Return one value for each image on the device of the images, in a shape that broadcasts with them."""
    return values.to(images.device).reshape(-1, *(1 for _ in images.shape[1:]))
