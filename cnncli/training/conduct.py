"""How a training is carried out: reports, extent, sizes and processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cnncli.analysis.course import Course
from cnncli.training.plan import WHOLE, Extent
from cnncli.training.world import ALONE, World


@dataclass(frozen=True, slots=True)
class Conduct:
    """The manner of a training, beside what is learned from what.

    ``report`` are the seconds at least between two reports to the observer; ``extent`` is how much of it is
    carried out. ``peak`` is how many images per second the device would train on if it computed as fast as it
    can; None if that is not known. ``course`` follows from the recipe and the graph, if the recipe has a
    resolution or a length in FLOPs. All processes of the ``world`` train, each with its own network and data,
    and with a run that only the first one writes (:mod:`cnncli.training.runs.followed`).
    """

    report: float = 0.1
    extent: Extent = WHOLE
    peak: float | None = None
    course: Course | None = None
    world: World = ALONE


USUAL: Final = Conduct()
