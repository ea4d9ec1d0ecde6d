"""Heads that are compared with masks: their losses, by torch, and the pixels that are left out."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from cnncli.diagnostics import UsageError
from cnncli.graph.heads import Head
from cnncli.recipe.columns import Column
from cnncli.recipe.losses import BinaryCrossEntropy, CrossEntropy, Dice, Focal
from cnncli.training.data.feed import Batch
from cnncli.training.data.targets import NO_CLASS
from cnncli.training.tasks.building import Learned, build_objective
from cnncli.training.tasks.losses import Given, formula
from tests.training.support import settings

VALUES = torch.randn(3, 4, 6, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(0, 4, (3, 6, 5), generator=torch.Generator().manual_seed(1))
PARTLY = LABELS.clone()
PARTLY[0, :2] = NO_CLASS
PARTLY[2] = NO_CLASS
LOGITS = Given("cross_entropy")


def test_cross_entropy_is_the_mean_over_labeled_pixels() -> None:
    losses = formula(CrossEntropy(), LOGITS)(VALUES, PARTLY)
    for sample in (0, 1):
        own = slice(sample, sample + 1)
        expected = functional.cross_entropy(VALUES[own], PARTLY[own], ignore_index=NO_CLASS)
        assert losses[sample].item() == pytest.approx(expected.item(), rel=1e-6)
    assert losses[2] == 0


def test_smoothing_and_weights_are_torchs_of_each_pixel() -> None:
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0])
    found = formula(CrossEntropy(smoothing=0.2), LOGITS._replace(weights=weights))(VALUES, LABELS)
    expected = functional.cross_entropy(VALUES, LABELS, weights, reduction="none", label_smoothing=0.2)
    torch.testing.assert_close(found, expected.flatten(1).mean(1))


def test_focal_loss_of_pixels_is_that_of_as_many_samples() -> None:
    per_sample = formula(Focal(gamma=1.5), LOGITS)
    found = per_sample(VALUES, LABELS)
    of_pixels = per_sample(VALUES.movedim(1, -1).flatten(0, 2), LABELS.flatten())
    torch.testing.assert_close(found, of_pixels.reshape(3, -1).mean(1))


def test_dice_by_hand() -> None:
    """Probabilities 0.8 and 0.2 on four pixels, of which the last is left out."""
    shares = torch.tensor([[[0.8, 0.8, 0.2, 0.2]], [[0.2, 0.2, 0.8, 0.8]]]).reshape(1, 2, 1, 4)
    labels = torch.tensor([[[0, 1, 1, NO_CLASS]]])
    first = (2 * 0.8 + 1) / ((0.8 + 0.8 + 0.2) + 1 + 1)
    second = (2 * (0.2 + 0.8) + 1) / ((0.2 + 0.2 + 0.8) + 2 + 1)
    expected = 1 - (first + second) / 2
    assert formula(Dice(), LOGITS)(shares.log(), labels).item() == pytest.approx(expected)
    assert formula(Dice(), Given("probabilities"))(shares, labels).item() == pytest.approx(expected)


def test_one_channel_for_two_classes() -> None:
    logits, labels = VALUES[:, :1], (PARTLY - 1).clamp(max=1, min=-1)
    for sample in (0, 1):
        known = labels[sample] >= 0
        target = labels[sample][known].float()
        found = formula(BinaryCrossEntropy(), LOGITS)(logits, labels)[sample].item()
        expected = functional.binary_cross_entropy_with_logits(logits[sample, 0][known], target)
        assert found == pytest.approx(expected.item(), rel=1e-6)
        share = logits[sample, 0][known].sigmoid()
        dice = 1 - (2 * (share * target).sum() + 1) / (share.sum() + target.sum() + 1)
        found = formula(Dice(), LOGITS)(logits, labels)[sample].item()
        assert found == pytest.approx(dice.item(), rel=1e-5)
        squashed = formula(Dice(), LOGITS._replace(is_sigmoid=True))(logits.sigmoid(), labels)[sample].item()
        assert squashed == pytest.approx(found, rel=1e-6)


def test_pixels_that_are_left_out_get_no_gradient() -> None:
    for loss in (CrossEntropy(smoothing=0.1), Focal(), Dice()):
        values = VALUES.clone().requires_grad_()
        formula(loss, LOGITS)(values, PARTLY).sum().backward()
        assert values.grad is not None
        left = (PARTLY < 0).unsqueeze(1).expand_as(values)
        assert not values.grad[left].any(), loss
        assert values.grad[~left].all(), loss


COLUMNS = {"mask": Column("mask", ("sky", "sea", "land", "tree"))}


def test_a_smaller_head_is_compared_with_a_grid_of_pixels_or_with_the_middle() -> None:
    mask = torch.arange(64).reshape(1, 8, 8)
    batch = Batch(torch.empty(1, 1, 8, 8), {"mask": mask})
    for size, expected in (
        ((4, 4), mask[:, 1::2, 1::2]),
        ((2, 8), mask[:, 2::4]),
        ((6, 5), mask[:, 1:7, 1:6]),
        ((8, 8), mask),
    ):
        heads = {"output": Head((4, *size))}
        objective = build_objective(heads, settings(), Learned(COLUMNS, (1, 8, 8)))
        assert torch.equal(objective.heads["output"].target.of(batch), expected)


def test_a_mask_without_labeled_pixels_in_the_middle_is_left_out() -> None:
    """Of an 8x8 mask a network without padding sees the middle, and one with a stride every second pixel."""
    mask = torch.full((3, 8, 8), NO_CLASS)
    mask[0, 0], mask[1, 4, 4], mask[2, 5, 5] = 1, 1, 1
    batch = Batch(torch.empty(3, 1, 8, 8), {"mask": mask})
    for size, expected in (((6, 6), [False, True, True]), ((4, 4), [False, False, True])):
        heads = {"output": Head((4, *size))}
        objective = build_objective(heads, settings(), Learned(COLUMNS, (1, 8, 8)))
        present = objective.heads["output"].target.present(batch)
        assert present is not None
        assert present.tolist() == expected
        figures = objective.measure(torch.randn(3, 4, *size), batch, {})
        assert float(figures["output.accuracy"].samples) == sum(expected)


def test_classes_can_be_put_together_and_left_out() -> None:
    tasks = {"output": {"cross_entropy": {}, "target": {"of": "mask", "map": ["air", "water", None, "air"]}}}
    objective = build_objective(
        {"output": Head((2, 6, 5))}, settings(tasks=tasks), Learned(COLUMNS, (1, 6, 5))
    )
    batch = Batch(torch.empty(3, 1, 6, 5), {"mask": PARTLY})
    found = objective.heads["output"].target
    assert found.names == ("air", "water")
    expected = torch.tensor([0, 1, -1, 0, -1])[PARTLY]
    assert torch.equal(found.of(batch), expected)
    present = found.present(batch)
    assert present is not None
    assert present.tolist() == [True, True, False]


def test_balanced_weights_count_pixels() -> None:
    counts = torch.tensor([10, 30, 0, 60])
    learned = Learned(COLUMNS, (1, 6, 5), lambda _: counts)
    balanced = {"cross_entropy": {"weights": "balanced"}}
    objective = build_objective({"output": Head((4, 6, 5))}, settings(tasks={"output": balanced}), learned)
    weights = torch.tensor([100 / 30, 100 / 90, 100 / 3, 100 / 180])
    found = objective.heads["output"].trained(VALUES, LABELS)
    expected = functional.cross_entropy(VALUES, LABELS, weights, reduction="none").flatten(1).mean(1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("shape", "task", "message"),
    [
        ((3, 8, 8), {}, "has 3 channels, but the data has 4 classes"),
        ((4, 9, 8), {}, "outputs 4x9x8, larger than its masks"),
        ((4, 8), {}, "outputs 4x8"),
        ((4,), {"target": "mask"}, "outputs 4"),
        ((1, 8, 8), {"binary_cross_entropy": {}}, "has 1 channel, but the data has 4 classes"),
        ((4, 8, 8), {"mse": {}, "target": "mask"}, "cannot learn a mask by mse"),
        ((4, 8, 8), {"cross_entropy": {}, "target": "depth"}, "learns 'depth'"),
        (
            (2, 8, 8),
            {"target": {"of": "mask", "map": ["a", "b"]}},
            "has a map of 2 classes, but 'mask' has 4",
        ),
        (
            (1, 8, 8),
            {"target": {"of": "mask", "map": ["a", "a", None, "a"]}},
            "learns 'mask', but all that there is to learn is 1 class: a",
        ),
    ],
)
def test_what_does_not_suit_a_mask_is_refused(
    shape: tuple[int, ...], task: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        build_objective(
            {"output": Head(shape)}, settings(tasks={"output": task}), Learned(COLUMNS, (1, 8, 8))
        )
