"""When a training ends before its last epoch; ``training/stopping.py`` decides it."""

from __future__ import annotations

from typing import Final

from cnncli.diagnostics import Diagnostic, SpecError, counted, did_you_mean, listing
from cnncli.language.fields import Record, arg
from cnncli.language.readers import Text, Whole
from cnncli.language.scope import Argument
from cnncli.recipe.metrics import LOSS, METRICS, OBJECTIVE, VAL

CHOOSING: Final = tuple(name for name, each in METRICS.items() if name != OBJECTIVE and not each.is_detail)
"""The metrics that can choose an epoch: those that are measured on held-out data after each."""


class FigureText(Text):
    """The name of a figure without the part of the data: a metric, or a head and a metric."""

    expected = f"{listing(CHOOSING, last=' or ')}, or HEAD.METRIC"

    def read(self, argument: Argument) -> str:
        text = super().read(argument)
        metric = text.rpartition(".")[2]
        if metric not in CHOOSING:
            message, hint = f"unknown metric '{metric}'", did_you_mean(metric, CHOOSING)
            raise SpecError(Diagnostic("unknown-name", message, argument.location, self.expected, text, hint))
        return text


class Stop(Record):
    """End a training when a figure of the validation part does not get better."""

    keyword = "stop"
    member = "setting"

    patience: int = arg(
        Whole(1), "epochs without a better value after which the training ends", default=10, main=True
    )
    metric: str = arg(
        FigureText(), "what is compared, on the validation part: a metric, or HEAD.METRIC", default=LOSS
    )

    def __str__(self) -> str:
        """Return when it ends a training."""
        return f"after {counted(self.patience, 'epoch')} without a better {VAL}.{self.metric}"
