"""What a head says of a class, a tag or a number: a score to take gradients of, and what is shown of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cnncli.diagnostics import did_you_mean, usage_error
from cnncli.recipe.columns import FORMS, MASK, NUMBER, PICTURE, TAGS
from cnncli.training.looking.opened import Opened
from cnncli.training.tasks.objective import HeadTask


class Goal(NamedTuple):
    """One of the classes, tags or numbers that a head says something of."""

    head: str
    name: str
    number: int
    task: HeadTask

    @property
    def shows(self) -> str:
        """What :meth:`shown` returns, in words."""
        return "value" if self.task.target.form == NUMBER else "probability"

    def score(self, values: Tensor) -> Tensor:
        """Return a number for each image, [n], of what the head outputs, [n, ...].

        Of a class that is its logit, or what takes the place of one in heads of other criteria; of a tag its
        output, of a number its value; of a mask the sum of the logits of the class over all pixels
        (K. Vinogradova, A. Dibrov and G. Myers, "Towards interpretable semantic segmentation via
        gradient-weighted class activation mapping", 2020).
        """
        if self.task.target.form == TAGS:
            return values[:, self.number]
        said = self.task.reading.said(values)[:, self.number]
        return said.flatten(1).sum(1) if said.ndim > 1 else said

    def shown(self, values: Tensor) -> Tensor:
        """Return the probability, [n], of a mask its mean over all pixels; of a number its value."""
        said = self.task.reading.said(values)
        if self.task.target.form == NUMBER:
            return said[:, self.number]
        share = self.task.reading.probabilities(said)[:, self.number]
        return share.flatten(1).mean(1) if share.ndim > 1 else share


def goal_of(opened: Opened, head: str | None, name: str | None, inputs: Tensor) -> Goal:
    """Return a class, tag or number of a head by its name.

    For None it is the most probable class or tag of an image, [1, *input], the class that most pixels have,
    or the first number.

    Raises:
        UsageError: there is no such head or class, or the head outputs pictures.
    """
    chosen = opened.head(head)
    task = opened.objective.heads[chosen]
    target = task.target
    if target.form == PICTURE:
        raise usage_error(
            f"head '{chosen}' outputs pictures, which have no class",
            expected="a head that learns classes, tags, numbers or masks",
            received=FORMS[PICTURE].what,
        )
    if name is not None and name not in target.names:
        hint = did_you_mean(name, target.names, "names")
        raise usage_error(f"head '{chosen}' has no '{name}'", expected=FORMS[target.form].what, hint=hint)
    number = _predicted(opened, chosen, task, inputs) if name is None else target.names.index(name)
    return Goal(chosen, target.names[number], number, task)


def _predicted(opened: Opened, head: str, task: HeadTask, inputs: Tensor) -> int:
    node = opened.trained.outputs[head].node
    with torch.inference_mode():
        said = task.reading.said(opened.values_with_logits([node])(inputs)[node])[0]
    if task.target.form == NUMBER:
        return 0
    if task.target.form == MASK:
        return int(said.argmax(0).flatten().bincount().argmax())
    return int(said.argmax())
