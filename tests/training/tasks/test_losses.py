"""The losses of a recipe, against torch.nn.functional and by hand."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cnncli.recipe.losses import (
    LOSSES,
    MAE,
    MSE,
    BinaryCrossEntropy,
    CrossEntropy,
    Focal,
    Loss,
    SmoothL1,
)
from cnncli.training.tasks.losses import Given, class_weights, formula

LOGITS = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 0, 2])
FROM_LOGITS = Given("cross_entropy")
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)
MAPS = torch.randn(3, 2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
TARGETS = torch.rand(3, 2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def per_sample(loss: Loss, values: Tensor, target: Tensor, given: Given = FROM_LOGITS) -> Tensor:
    return formula(loss, given)(values, target)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_is_torchs(smoothing: float, weights: Tensor | None) -> None:
    found = per_sample(
        CrossEntropy(smoothing=smoothing), LOGITS, LABELS, Given("cross_entropy", weights=weights)
    )
    wanted = functional.cross_entropy(LOGITS, LABELS, weights, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(found, wanted)


def test_balanced_weights_make_every_class_count_the_same() -> None:
    counts = torch.tensor([270, 3, 3])
    found = class_weights(CrossEntropy(weights="balanced"), counts)
    assert found is not None
    assert found.tolist() == pytest.approx([276 / (3 * 270), 276 / 9, 276 / 9])
    assert (found * counts).sum().item() == pytest.approx(276)
    absent = class_weights(CrossEntropy(weights="balanced"), torch.tensor([2, 0, 2]))
    assert absent is not None
    assert absent.tolist() == pytest.approx([1, 2, 1])


def test_weights_as_they_are_written() -> None:
    found = class_weights(CrossEntropy(weights=(1.0, 0.5)), torch.tensor([3, 4]))
    assert found is not None
    assert found.tolist() == [1.0, 0.5]
    assert class_weights(CrossEntropy(), torch.tensor([3, 4])) is None
    assert class_weights(Focal(), torch.tensor([3, 4])) is None


def test_focal_is_equation_4_of_lin() -> None:
    found = per_sample(Focal(gamma=1.5), LOGITS, LABELS)
    for row, label, loss in zip(LOGITS.tolist(), LABELS.tolist(), found.tolist(), strict=True):
        p = math.exp(row[label]) / sum(map(math.exp, row))
        assert loss == pytest.approx(-((1 - p) ** 1.5) * math.log(p))
    plain = functional.cross_entropy(LOGITS, LABELS, reduction="none")
    torch.testing.assert_close(per_sample(Focal(gamma=0.0), LOGITS, LABELS), plain)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_of_a_certain_answer_has_finite_gradients(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    losses = per_sample(Focal(gamma=gamma), logits, torch.tensor([0, 0]))
    losses.sum().backward()
    assert losses.tolist() == [0.0, 200.0]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        (MSE(), functional.mse_loss),
        (MAE(), functional.l1_loss),
        (SmoothL1(beta=0.5), partial(functional.smooth_l1_loss, beta=0.5)),
        (BinaryCrossEntropy(), functional.binary_cross_entropy_with_logits),
    ],
)
def test_losses_of_values_are_torchs_means_over_each_sample(loss: Loss, wanted: object) -> None:
    assert callable(wanted)
    expected = torch.stack([wanted(MAPS[n], TARGETS[n], reduction="mean") for n in range(3)])
    torch.testing.assert_close(per_sample(loss, MAPS, TARGETS), expected)


def test_binary_cross_entropy_after_a_sigmoid_is_that_of_its_logits() -> None:
    found = per_sample(BinaryCrossEntropy(), MAPS.sigmoid(), TARGETS, Given("cross_entropy", is_sigmoid=True))
    torch.testing.assert_close(found, per_sample(BinaryCrossEntropy(), MAPS, TARGETS))


def test_smooth_l1_by_hand() -> None:
    found = per_sample(SmoothL1(beta=2.0), torch.tensor([[1.0, 5.0]]), torch.zeros(1, 2))
    assert found.tolist() == [(1 / 4 + (5 - 1)) / 2]


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_measured_has_no_settings_that_change_the_targets(name: str) -> None:
    measured = LOSSES[name]().measured
    assert measured == LOSSES[name]()
    assert measured.measured == measured
