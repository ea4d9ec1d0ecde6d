"""What all optimizers have in common: a learning rate, weight decay, and what is known of their memory."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from cnncli.language.fields import Record, arg
from cnncli.language.readers import Choice, Number
from cnncli.limits import MAX_BETA, MAX_RATE, MIN_EPS

AUTO: Final = "auto"
ALWAYS: Final = "true"
NEVER: Final = "false"


class Optimizer(Record):
    """An optimizer, with what is known of it without torch.

    Every optimizer has its own defaults: a good learning rate of one is far too large for another.
    """

    member = "setting"

    lr: float = arg(Number(0, MAX_RATE, above=True), "peak learning rate")
    weight_decay: float = arg(
        Number(0, MAX_RATE), "weight decay of tensors with more than one axis: not of biases and scales"
    )

    one_by_one: ClassVar[bool] = False
    """Whether a step computes one tensor after another, with temporary memory for one at a time."""

    @property
    def others(self) -> Optimizer:
        """The optimizer of the tensors that this one is not made for; this one if there are none."""
        return self

    @property
    def inertia(self) -> float:
        """Its momentum, or the beta1 of its mean of gradients: what ``onecycle`` changes; 0 without."""
        raise NotImplementedError

    @property
    def state(self) -> int:
        """How many numbers it keeps for each parameter between steps."""
        raise NotImplementedError

    @property
    def may_fuse(self) -> bool:
        """Whether torch may take a step in a single kernel."""
        return bool(getattr(self, "fused", NEVER) != NEVER)

    def scratch(self, decay: float) -> int:
        """Return how many numbers it allocates for each parameter during a step.

        None if a single kernel takes the step, otherwise those of :meth:`unfused`.
        """
        return 0 if self.may_fuse else self.unfused(decay)

    def unfused(self, decay: float) -> int:
        """Return how many numbers torch's implementation for all tensors at once allocates.

        ``decay`` is the weight decay of the parameter's tensor.
        """
        raise NotImplementedError


def fused() -> Any:
    """Declare the choice of torch's implementation."""
    help_text = "whether one kernel takes a step, without temporary memory; auto: on CUDA and on CPUs"
    return arg(Choice(AUTO, ALWAYS, NEVER), help_text, default=AUTO)


def beta(text: str, default: float) -> Any:
    """Declare the share of an old mean in a new one."""
    return arg(Number(0, MAX_BETA), text, default=default)


def epsilon(default: float) -> Any:
    """Declare what keeps a denominator above 0."""
    return arg(Number(MIN_EPS, 1), "added to the square root by which steps are divided", default=default)


def is_decayed(axes: int) -> bool:
    """Return whether weight decay acts on a tensor with this number of axes.

    It acts on weights of convolutions and linear layers. Biases and the scales of normalization are excluded,
    since shrinking them does not simplify a network (T. He et al., "Bag of Tricks for Image Classification",
    2019, section 3.1).
    """
    return axes > 1
