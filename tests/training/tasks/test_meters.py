"""What is measured beside the loss, against scikit-learn and numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    jaccard_score,
    mean_absolute_error,
    r2_score,
    top_k_accuracy_score,
)
from torch import Tensor

from cnncli.recipe.columns import CLASS, MASK, NUMBER, PICTURE, TAGS
from cnncli.recipe.losses import MSE, BinaryCrossEntropy, Loss
from cnncli.recipe.metrics import LOSS, METRICS, OBJECTIVE
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.tasks import Target, Task
from cnncli.training.data.feed import Batch
from cnncli.training.data.targets import NO_CLASS
from cnncli.training.tasks.building import build_objective
from cnncli.training.tasks.meters import METERS, meters
from cnncli.training.tasks.tallies import DETAILED, TALLIES, average_precision, f1
from tests.training.support import CPU, HEADS, learned

SCORES = torch.randn(40, 7, generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(0, 7, (40,), generator=torch.Generator().manual_seed(1))
IMAGES = torch.rand(5, 1, 6, 6, generator=torch.Generator().manual_seed(2))
MAPS = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(10))
MASKS = torch.randint(0, 4, (3, 5, 6), generator=torch.Generator().manual_seed(11))
OTHERS = torch.rand(5, 1, 6, 6, generator=torch.Generator().manual_seed(3))


def mean(metric: str, said: Tensor, target: Tensor) -> float:
    return float(METERS[metric].per_sample(said, target).double().mean())


def test_every_metric_is_measured() -> None:
    of_all = {name for form in TALLIES for name in tallied(form)}
    details = {name for name, metric in METRICS.items() if metric.is_detail}
    assert {*METERS} | of_all == METRICS.keys() - {OBJECTIVE, LOSS} - details
    tallies = DETAILED[CLASS](2, CPU, lambda scores: scores.softmax(1))
    assert {name for tally in tallies for name in tally.names} == details | {"f1"}


def tallied(form: str) -> dict[str, float]:
    """The figures of a tally for two samples of two classes, the first of which is right."""
    tally = TALLIES[form](2, CPU)
    said, target = torch.tensor([[0.0, 1.0], [0.2, 0.1]]), torch.tensor([1, 1])
    if form == MASK:
        said, target = said.unsqueeze(2), target.unsqueeze(1)
    tally.add(said, target if form in (CLASS, MASK) else torch.eye(2), None)
    return tally.figures()


def test_accuracy_and_top5_are_scikit_learns() -> None:
    assert mean("accuracy", SCORES, LABELS) == pytest.approx(accuracy_score(LABELS, SCORES.argmax(1)))
    assert mean("top5", SCORES, LABELS) == pytest.approx(top_k_accuracy_score(LABELS, SCORES, k=5))


def test_the_accuracy_of_a_mask_is_that_of_its_labeled_pixels() -> None:
    labels = MASKS.clone()
    labels[0, :3] = NO_CLASS
    labels[1] = NO_CLASS
    found = METERS["accuracy"].per_sample(MAPS, labels)
    called = MAPS.argmax(1)
    for sample in (0, 2):
        known = labels[sample] >= 0
        expected = accuracy_score(labels[sample][known], called[sample][known])
        assert found[sample].item() == pytest.approx(expected)
    assert found[1] == 0


def test_mae_and_psnr_are_means_over_samples() -> None:
    expected = mean_absolute_error(OTHERS.flatten(1), IMAGES.flatten(1))
    assert mean("mae", IMAGES, OTHERS) == pytest.approx(expected, rel=1e-6)
    squares = ((IMAGES - OTHERS) ** 2).double().flatten(1).mean(1).numpy()
    assert mean("psnr", IMAGES, OTHERS) == pytest.approx(np.mean(10 * np.log10(1 / squares)), rel=1e-6)
    assert mean("psnr", IMAGES, IMAGES) == pytest.approx(100)


def test_a_constant_error_of_a_tenth_is_20_db() -> None:
    assert mean("psnr", IMAGES * 0 + 0.6, IMAGES * 0 + 0.5) == pytest.approx(20)


def test_ssim_is_that_of_gaussian_filters() -> None:
    """The formula over SciPy's filters, at the places where the window fits."""
    image, other = (torch.rand(1, 2, 20, 17, generator=torch.Generator().manual_seed(n)) for n in (4, 5))
    other = (image + 0.3 * other).clamp(0, 1)

    def smooth(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        smoothed: np.ndarray[Any, Any] = gaussian_filter(values, 1.5, radius=5)
        return smoothed[5:-5, 5:-5]

    found = []
    for x, y in zip(image[0].double().numpy(), other[0].double().numpy(), strict=True):
        mean_x, mean_y = smooth(x), smooth(y)
        of_x, of_y = smooth(x * x) - mean_x**2, smooth(y * y) - mean_y**2
        both = smooth(x * y) - mean_x * mean_y
        top = (2 * mean_x * mean_y + 1e-4) * (2 * both + 9e-4)
        found.append(top / ((mean_x**2 + mean_y**2 + 1e-4) * (of_x + of_y + 9e-4)))
    assert mean("ssim", image, other) == pytest.approx(np.mean(found), rel=1e-4)
    assert mean("ssim", image, image) == pytest.approx(1)


def test_f1_is_scikit_learns_macro_average() -> None:
    tally = TALLIES[CLASS](7, CPU)
    for part in (slice(0, 25), slice(25, 40)):
        tally.add(SCORES[part], LABELS[part], None)
    expected = f1_score(LABELS, SCORES.argmax(1), average="macro")
    assert tally.figures()["f1"] == pytest.approx(expected)
    # The third class neither occurs nor is predicted, and the second is never right.
    table = torch.tensor([[3, 1, 0], [2, 0, 0], [0, 0, 0]], dtype=torch.float64)
    found = f1(table)
    assert found[:2].tolist() == [pytest.approx(2 * 3 / (4 + 5)), 0.0]
    assert found[2].isnan()


def test_iou_and_dice_are_scikit_learns_over_all_labeled_pixels() -> None:
    labels = MASKS.clone()
    labels[:, 2] = NO_CLASS
    present = torch.tensor([True, False, True])
    tally = TALLIES[MASK](4, CPU)
    tally.add(MAPS, labels, present)
    known = (labels >= 0) & present.reshape(3, 1, 1)
    true, called = labels[known], MAPS.argmax(1)[known]
    found = tally.figures()
    assert found["iou"] == pytest.approx(jaccard_score(true, called, average="macro"))
    assert found["dice"] == pytest.approx(f1_score(true, called, average="macro"))


def test_average_precision_is_scikit_learns() -> None:
    scores = (torch.rand(60, 3, generator=torch.Generator().manual_seed(6)) * 8).round().double()  # with ties
    target = (torch.rand(60, 3, generator=torch.Generator().manual_seed(7)) < 0.3).double()
    target[:, 2] = 0
    found = average_precision(scores, target)
    for tag in (0, 1):
        expected = average_precision_score(target[:, tag], scores[:, tag])
        assert found[tag].item() == pytest.approx(expected)
    assert found[2].isnan()
    tally = TALLIES[TAGS](3, CPU)
    tally.add(scores[:20], target[:20], None)
    known = torch.arange(40) < 30
    tally.add(scores[20:], target[20:], known)
    expected = average_precision_score(target[:50, :2], scores[:50, :2], average="macro")
    assert tally.figures()["map"] == pytest.approx(expected)


def test_r2_is_scikit_learns() -> None:
    said, target = (torch.randn(30, 2, generator=torch.Generator().manual_seed(n)) for n in (8, 9))
    tally = TALLIES[NUMBER](2, CPU)
    tally.add(said, target, None)
    assert tally.figures()["r2"] == pytest.approx(r2_score(target, said))
    constant = TALLIES[NUMBER](1, CPU)
    constant.add(said[:, :1], torch.ones(30, 1), None)
    assert constant.figures() == {}


def test_five_of_four_classes_say_nothing() -> None:
    assert [*meters(CLASS, 4, (4,), training=False)] == ["accuracy"]
    assert [*meters(CLASS, 5, (5,), training=False)] == ["accuracy", "top5"]
    assert [*meters(CLASS, 5, (5,), training=True)] == ["accuracy"]
    assert [*meters(PICTURE, 0, (1, 11, 11), training=False)] == ["mae", "psnr", "ssim"]
    assert [*meters(PICTURE, 0, (1, 11, 10), training=False)] == ["mae", "psnr"]


@pytest.mark.parametrize(("loss", "said"), [(MSE(), 0.0), (BinaryCrossEntropy(), 0.5)])
def test_logits_are_measured_as_the_values_that_they_mean(loss: Loss, said: float) -> None:
    recipe = Recipe(tasks={"output": Task(loss=loss, target=Target(of="input"))})
    heads = {"output": HEADS["output"]._replace(shape=(1, 8, 8))}
    objective = build_objective(heads, recipe, learned())
    black = torch.zeros(2, 1, 8, 8)
    found = objective.measure(black, Batch(black, {"input": black}), {})
    assert found["output.mae"].total.item() / 2 == said
    expected = 0.0 if isinstance(loss, MSE) else math.log(2)
    assert found["output.loss"].total.item() / 2 == pytest.approx(expected)
