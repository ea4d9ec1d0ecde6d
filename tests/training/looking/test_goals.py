"""What is asked of heads of every form: a score for gradients, and what is shown."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cnncli.graph.heads import Head
from cnncli.recipe.columns import CLASS, MASK, NUMBER, TAGS, Column
from cnncli.recipe.recipe import Recipe, with_overrides
from cnncli.training.looking.goals import Goal
from cnncli.training.tasks.building import Learned, build_objective

NAMES = ("a", "b", "c")


def goal(form: str, shape: tuple[int, ...], loss: str, column: str) -> Goal:
    settings = with_overrides(Recipe(), [f"train.tasks.output={{{loss}: {{}}, target: {column}}}"])
    learned = Learned({column: Column(form, NAMES, shape[1:])}, (1, 4, 4))
    objective = build_objective({"output": Head(shape)}, settings, learned)
    return Goal("output", "b", 1, objective.heads["output"])


@pytest.mark.parametrize(
    ("form", "shape", "loss", "column", "shows"),
    [
        (CLASS, (3,), "cross_entropy", "label", "probability"),
        (TAGS, (3,), "binary_cross_entropy", "labels", "probability"),
        (NUMBER, (3,), "mse", "value", "value"),
        (MASK, (3, 4, 4), "cross_entropy", "mask", "probability"),
    ],
)
def test_scores(form: str, shape: tuple[int, ...], loss: str, column: str, shows: str) -> None:
    values = torch.randn(2, *shape)
    found = goal(form, shape, loss, column)
    scores: dict[str, Tensor] = {
        CLASS: values[:, 1],
        TAGS: values[:, 1],
        NUMBER: values[:, 1],
        MASK: values[:, 1].flatten(1).sum(1) if form == MASK else values,
    }
    shown: dict[str, Tensor] = {
        CLASS: values.exp()[:, 1] / values.exp().sum(1),
        TAGS: 1 / (1 + (-values[:, 1]).exp()),
        NUMBER: values[:, 1],
        MASK: (values.exp() / values.exp().sum(1, keepdim=True))[:, 1].reshape(2, -1).mean(1),
    }
    torch.testing.assert_close(found.score(values), scores[form])
    torch.testing.assert_close(found.shown(values), shown[form])
    assert found.shows == shows
