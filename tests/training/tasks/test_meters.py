"""What is measured beside the loss, against scikit-learn and numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    mean_absolute_error,
    top_k_accuracy_score,
)

from cnncli.recipe.losses import MSE, BinaryCrossEntropy, Loss
from cnncli.recipe.metrics import LOSS, METRICS, OBJECTIVE
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.tasks import Task
from cnncli.training.tasks.meters import METERS, f1, meters
from cnncli.training.tasks.objective import Targets, build_objective
from tests.training.support import HEADS, learned

SCORES = torch.randn(40, 7, generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(0, 7, (40,), generator=torch.Generator().manual_seed(1))
IMAGES = torch.rand(5, 1, 6, 6, generator=torch.Generator().manual_seed(2))
OTHERS = torch.rand(5, 1, 6, 6, generator=torch.Generator().manual_seed(3))


def test_every_metric_is_measured() -> None:
    assert {*METERS} == METRICS.keys() - {OBJECTIVE, LOSS, "f1"}


def test_accuracy_and_top5_are_scikit_learns() -> None:
    assert METERS["accuracy"].total(SCORES, LABELS) / 40 == accuracy_score(LABELS, SCORES.argmax(1))
    top5 = top_k_accuracy_score(LABELS, SCORES, k=5)
    assert METERS["top5"].total(SCORES, LABELS) / 40 == pytest.approx(top5)


def test_mae_and_psnr_are_means_over_samples() -> None:
    mae = METERS["mae"].total(IMAGES, OTHERS) / 5
    assert mae.item() == pytest.approx(mean_absolute_error(OTHERS.flatten(1), IMAGES.flatten(1)), rel=1e-6)
    squares = ((IMAGES - OTHERS) ** 2).double().flatten(1).mean(1).numpy()
    psnr = METERS["psnr"].total(IMAGES, OTHERS) / 5
    assert psnr.item() == pytest.approx(np.mean(10 * np.log10(1 / squares)), rel=1e-6)
    assert METERS["psnr"].total(IMAGES, IMAGES).item() / 5 == pytest.approx(100)


def test_a_constant_error_of_a_tenth_is_20_db() -> None:
    assert METERS["psnr"].total(IMAGES * 0 + 0.6, IMAGES * 0 + 0.5).item() / 5 == pytest.approx(20)


def test_f1_is_scikit_learns_macro_average() -> None:
    called = SCORES.argmax(1)
    assert f1(torch.tensor(confusion_matrix(LABELS, called))) == pytest.approx(
        f1_score(LABELS, called, average="macro")
    )
    # The third class neither occurs nor is predicted, and the second is never right.
    table = torch.tensor([[3, 1, 0], [2, 0, 0], [0, 0, 0]])
    assert f1(table) == pytest.approx((2 * 3 / (4 + 5) + 0) / 2)


def test_five_of_four_classes_say_nothing() -> None:
    assert [*meters(4, of_classes=True, training=False)] == ["accuracy"]
    assert [*meters(5, of_classes=True, training=False)] == ["accuracy", "top5"]
    assert [*meters(5, of_classes=True, training=True)] == ["accuracy"]


@pytest.mark.parametrize(("loss", "said"), [(MSE(), 0.0), (BinaryCrossEntropy(), 0.5)])
def test_logits_are_measured_as_the_values_that_they_mean(loss: Loss, said: float) -> None:
    recipe = Recipe(tasks={"output": Task(loss=loss, target="input")})
    heads = {"output": HEADS["output"]._replace(shape=(1, 8, 8))}
    objective = build_objective(heads, recipe, learned())
    black = torch.zeros(2, 1, 8, 8)
    found = objective.measure(torch.zeros(2, 1, 8, 8), Targets(torch.zeros(2, dtype=torch.int64), black))
    assert found["output.mae"].total.item() / 2 == said
    expected = 0.0 if isinstance(loss, MSE) else math.log(2)
    assert found["output.loss"].total.item() / 2 == pytest.approx(expected)
