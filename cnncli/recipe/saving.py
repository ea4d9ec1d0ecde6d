"""How often a training is saved within an epoch; ``training/loop.py`` does it."""

from __future__ import annotations

from cnncli.language.fields import Record, arg
from cnncli.language.readers import Number, Whole
from cnncli.limits import MAX_MINUTES


class Save(Record):
    """Write checkpoints within epochs, too: as often as the first of two intervals passes.

    It does not change the result, so it may change when a run is resumed.
    """

    keyword = "save"
    member = "setting"

    minutes: float = arg(
        Number(0, MAX_MINUTES, above=True),
        "the time from one checkpoint to the next, at most",
        default=10.0,
    )
    steps: int | None = arg(
        Whole(1), "after every step whose number is a multiple of it; unset: by time alone", default=None
    )
