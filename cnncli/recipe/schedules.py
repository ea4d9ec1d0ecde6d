"""How the learning rate changes over a training; ``training/optimization/schedule.py`` has the formulas.

All times are in epochs, of which fractions are allowed, so a schedule suits every batch size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final, Self

from cnncli.diagnostics import Diagnostic, counted, listing
from cnncli.language.fields import Record, arg, same_arg
from cnncli.language.nested import ListOf
from cnncli.language.readers import Number, Whole
from cnncli.limits import MAX_CYCLES, MAX_GROWTH, MAX_MILESTONES, MAX_POWER
from cnncli.recipe.metrics import LOSS, VAL
from cnncli.recipe.stopping import Stop

_LOWEST_MOMENTUM: Final = 0.85
_SHARE: Final = Number(0, 1, above=True)


def _floor() -> float:
    return arg(Number(0, 1), "share of lr that is left at the end", default=0.0)


def _factor() -> float:
    return arg(_SHARE, "factor of each change", default=0.1)


class Schedule(Record):
    """How the learning rate changes after the warmup.

    ``lr`` is that of the end of the warmup, and the highest. Settings that are unset follow from the length
    of the training: :meth:`settled` has them.
    """

    member = "setting"

    warmup: float | None = arg(Number(0), "epochs over which the learning rate rises", default=0.0)
    warmup_from: float = arg(Number(0, 1), "share of lr from which it rises", default=0.0)

    def settled(self, epochs: int, momentum: float) -> Self:
        """Return the schedule of a training, with a value for every setting that has one.

        Args:
            epochs: the length of the training.
            momentum: that of the optimizer, or the beta1 of its mean of gradients; 0 without.
        """
        del epochs, momentum
        return self

    def wrong(self, epochs: int, momentum: float) -> Iterator[tuple[str, Diagnostic]]:
        """Yield settings without an effect, and those that contradict each other, each with its error.

        The arguments are those of :meth:`settled`.
        """
        del momentum
        if self.warmup is not None and self.warmup > epochs:
            message = "the warmup is longer than the training"
            yield "warmup", _fault(message, f"at most {counted(epochs, 'epoch')}", f"{self.warmup:g}")
        if self.warmup == 0 and self.warmup_from:
            yield "warmup_from", _fault("'warmup_from' needs a warmup", "warmup above 0", "warmup: 0")

    @property
    def course(self) -> str:
        """How the learning rate changes after the warmup, if the name of the schedule does not say it."""
        return ""

    def __str__(self) -> str:
        """Return the name, and what happens: ``cosine schedule to 0.01 of lr, warmup of 2 epochs``."""
        course = f" {self.course}" if self.course else ""
        start = f" from {self.warmup_from:g} of lr" if self.warmup_from else ""
        rise = f", warmup of {_count(self.warmup)}{start}" if self.warmup else ""
        return f"{self.keyword} schedule{course}{rise}"


def _count(epochs: float) -> str:
    return "1 epoch" if epochs == 1 else f"{epochs:g} epochs"


def _fault(message: str, expected: str, received: str) -> Diagnostic:
    return Diagnostic("schedule", message, expected=expected, received=received)


def _without_effect(factor: float, expected: str = "a number below 1") -> Iterator[tuple[str, Diagnostic]]:
    """Yield the error for a factor that changes nothing."""
    if factor == 1:
        yield "factor", _fault("a factor of 1 has no effect", expected, "1")


def _to(floor: float) -> str:
    return f"to {floor:g} of lr" if floor else ""


class Cosine(Schedule):
    """Let the learning rate fall along half a cosine, in one or several cycles.

    I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017.
    """

    keyword = "cosine"

    floor: float = arg(Number(0, 1), "share of lr that is left at the end of a cycle", default=0.0)
    cycles: int = arg(Whole(1, MAX_CYCLES), "how often it falls; every time it starts again", default=1)
    growth: float = arg(
        Number(0, MAX_GROWTH, above=True), "length of a cycle, relative to the one before", default=1.0
    )
    factor: float = arg(_SHARE, "start of a cycle, relative to the one before", default=1.0)

    def wrong(self, epochs: int, momentum: float) -> Iterator[tuple[str, Diagnostic]]:
        """Yield cycles that are too many or do not fall, and settings of cycles if there is only one."""
        yield from super().wrong(epochs, momentum)
        if self.cycles == 1:
            for name in ("growth", "factor"):
                if getattr(self, name) != 1:
                    yield name, _fault(f"'{name}' needs several cycles", "cycles: 2 or more", "cycles: 1")
        last = self.factor ** (self.cycles - 1)
        if last <= self.floor:
            message = f"the last cycle starts at {last:g} of lr and cannot fall"
            yield "floor", _fault(message, f"less than {last:g}", f"{self.floor:g}")

    @property
    def course(self) -> str:
        """The floor, and the cycles if there are several."""
        if self.cycles == 1:
            return _to(self.floor)
        longer = f", each {self.growth:g} times as long as the one before" if self.growth != 1 else ""
        lower = f", each from {self.factor:g} of the start of the one before" if self.factor != 1 else ""
        return f"{_to(self.floor)} in {self.cycles} cycles{longer}{lower}".strip()


class Linear(Schedule):
    """Let the learning rate fall in a straight line."""

    keyword = "linear"

    floor: float = _floor()

    def wrong(self, epochs: int, momentum: float) -> Iterator[tuple[str, Diagnostic]]:
        """Yield a floor from which nothing falls."""
        yield from super().wrong(epochs, momentum)
        if self.floor == 1:
            yield "floor", _fault("a floor of 1 leaves nothing to fall", "a number below 1", "1")

    @property
    def course(self) -> str:
        """The floor."""
        return _to(self.floor)


class Polynomial(Linear):
    """Let the learning rate fall as a power of what is left of the training.

    W. Liu, A. Rabinovich and A. Berg, "ParseNet: Looking Wider to See Better", 2015; L.-C. Chen et al.,
    "DeepLab", 2017, section 4.1.2, has the power 0.9.
    """

    keyword = "polynomial"

    power: float = arg(
        Number(0, MAX_POWER, above=True),
        "exponent of the share of steps that is left",
        default=0.9,
        main=True,
    )

    @property
    def course(self) -> str:
        """The power and the floor."""
        return f"of power {self.power:g} {_to(self.floor)}".strip()


class Constant(Schedule):
    """Leave the learning rate as it is."""

    keyword = "constant"


class Step(Schedule):
    """Multiply the learning rate by a factor at regular intervals."""

    keyword = "step"

    every: float | None = arg(
        Number(0, above=True),
        "epochs between two changes, from the beginning of the training; unset: a third of all",
        default=None,
        main=True,
    )
    factor: float = _factor()

    def settled(self, epochs: int, momentum: float) -> Self:
        """Return the schedule with its interval."""
        del momentum
        return self.replaced({"every": epochs / 3}) if self.every is None else self

    def wrong(self, epochs: int, momentum: float) -> Iterator[tuple[str, Diagnostic]]:
        """Yield an interval after which nothing is left, and one that ends in the warmup."""
        yield from super().wrong(epochs, momentum)
        yield from _without_effect(self.factor)
        every = self.settled(epochs, momentum).every or 0.0
        yield from _wrong_times("every", (every,), self.warmup or 0.0, epochs)

    @property
    def course(self) -> str:
        """The factor and the interval."""
        return f"times {self.factor:g} every {_count(self.every or 0)}"


class Multistep(Schedule):
    """Multiply the learning rate by a factor at certain times.

    K. He et al., "Deep Residual Learning for Image Recognition", 2015, section 4.2, does so after a half and
    three quarters of a training.
    """

    keyword = "multistep"

    milestones: tuple[float, ...] | None = arg(
        ListOf(Number(0, above=True), MAX_MILESTONES, "[30, 60, 80]"),
        "epochs after which it changes; unset: a half and three quarters of all",
        default=None,
        main=True,
    )
    factor: float = _factor()

    def settled(self, epochs: int, momentum: float) -> Self:
        """Return the schedule with its milestones."""
        del momentum
        return (
            self.replaced({"milestones": (epochs / 2, epochs * 3 / 4)}) if self.milestones is None else self
        )

    def wrong(self, epochs: int, momentum: float) -> Iterator[tuple[str, Diagnostic]]:
        """Yield milestones that are not reached, that end in the warmup or that do not rise."""
        yield from super().wrong(epochs, momentum)
        yield from _without_effect(self.factor)
        times = self.settled(epochs, momentum).milestones or ()
        if not times:
            yield "milestones", _fault("no milestones", "one or more, or schedule: constant", "an empty list")
        elif any(after <= before for before, after in pairwise(times)):
            yield (
                "milestones",
                _fault("milestones must rise", "each larger than the one before", _epochs(times)),
            )
        else:
            yield from _wrong_times("milestones", times, self.warmup or 0.0, epochs)

    @property
    def course(self) -> str:
        """The factor and the milestones."""
        return f"times {self.factor:g} after epochs {_epochs(self.milestones or ())}"


def _epochs(times: tuple[float, ...]) -> str:
    return listing([f"{each:g}" for each in times])


def _wrong_times(
    name: str, times: tuple[float, ...], warmup: float, epochs: int
) -> Iterator[tuple[str, Diagnostic]]:
    """Yield the error for rising times of which some are in the warmup or not before the end."""
    late = [each for each in times if each >= epochs]
    if late:
        message = f"the training ends before {_epochs((late[0],))} epochs are over"
        yield name, _fault(message, f"less than {counted(epochs, 'epoch')}", _epochs(times))
    elif times[0] < warmup:
        message = f"the learning rate still rises after {times[0]:g} epochs"
        yield name, _fault(message, f"at least {warmup:g}, the end of the warmup", _epochs(times))


class Exponential(Schedule):
    """Multiply the learning rate by a factor in every epoch, a little in each step."""

    keyword = "exponential"

    factor: float = arg(_SHARE, "factor of each epoch", default=0.95, main=True)

    def wrong(self, epochs: int, momentum: float) -> Iterator[tuple[str, Diagnostic]]:
        """Yield a factor without an effect."""
        yield from super().wrong(epochs, momentum)
        yield from _without_effect(self.factor)

    @property
    def course(self) -> str:
        """The factor."""
        return f"times {self.factor:g} in every epoch"


class OneCycle(Schedule):
    """Let the learning rate rise and fall along half a cosine each, and the momentum fall and rise.

    L. Smith and N. Topin, "Super-Convergence", 2018; L. Smith, "A disciplined approach to neural network
    hyper-parameters", 2018, section 4.3, on the momentum. The rise is the warmup.
    """

    keyword = "onecycle"

    warmup: float | None = arg(
        Number(0, above=True), "epochs over which it rises; unset: 0.3 of the training", default=None
    )
    warmup_from: float = same_arg(Schedule, "warmup_from", default=0.04)
    floor: float = same_arg(Linear, "floor", default=4e-6)
    momentum: float | None = arg(
        Number(0, 1, above=True),
        "momentum, or beta1, while the learning rate is highest; unset: "
        f"{_LOWEST_MOMENTUM}, if that of the optimizer is higher",
        default=None,
    )

    def settled(self, epochs: int, momentum: float) -> Self:
        """Return the schedule with the length of its rise, and the lowest momentum if it changes."""
        warmup = 0.3 * epochs if self.warmup is None else self.warmup
        usual = _LOWEST_MOMENTUM if momentum > _LOWEST_MOMENTUM else None
        lowest = usual if self.momentum is None else self.momentum
        return self.replaced({"warmup": warmup, "momentum": lowest})

    def wrong(self, epochs: int, momentum: float) -> Iterator[tuple[str, Diagnostic]]:
        """Yield a momentum that does not fall."""
        yield from super().wrong(epochs, momentum)
        if self.momentum is not None and self.momentum >= momentum:
            expected = f"less than {momentum:g}, that of the optimizer"
            yield (
                "momentum",
                _fault(
                    "the momentum must fall while the learning rate rises"
                    if momentum
                    else "the optimizer has no momentum",
                    expected if momentum else "no 'momentum', or an optimizer that has one",
                    f"{self.momentum:g}",
                ),
            )

    @property
    def course(self) -> str:
        """The floor and the momentum."""
        moved = f", momentum down to {self.momentum:g} and back" if self.momentum is not None else ""
        return f"{_to(self.floor)}{moved}"


class Plateau(Schedule):
    """Multiply the learning rate by a factor when a figure of the validation part does not get better."""

    keyword = "plateau"

    patience: int = arg(
        Whole(1), "epochs without a better value after which it changes", default=5, main=True
    )
    factor: float = _factor()
    metric: str = same_arg(Stop, "metric", default=LOSS)
    floor: float = arg(Number(0, 1), "share of lr that it does not fall below", default=0.0)

    def wrong(self, epochs: int, momentum: float) -> Iterator[tuple[str, Diagnostic]]:
        """Yield a patience that is longer than the training, and a factor or a floor without an effect."""
        yield from super().wrong(epochs, momentum)
        yield from _without_effect(self.factor)
        if self.patience >= epochs:
            message = "the training ends before this patience does"
            yield "patience", _fault(message, f"less than {counted(epochs, 'epoch')}", str(self.patience))
        if self.floor == 1:
            yield "floor", _fault("a floor of 1 leaves nothing to fall", "a number below 1", "1")

    @property
    def course(self) -> str:
        """The factor and when it changes."""
        when = f"after {counted(self.patience, 'epoch')} without a better {VAL}.{self.metric}"
        down = f", down {_to(self.floor)}" if self.floor else ""
        return f"times {self.factor:g} {when}{down}"


SCHEDULES: Final[Mapping[str, type[Schedule]]] = {
    each.keyword: each
    for each in (Cosine, Linear, Polynomial, Constant, Step, Multistep, Exponential, OneCycle, Plateau)
}
