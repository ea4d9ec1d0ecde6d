"""Blending and pasting: loops over images and pixels, and SciPy's Beta distribution, are the oracles."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch import Tensor

from cnncli.recipe.transforms import CutMix, Flip, Mix, Mixup
from cnncli.training.data.feed import Views
from cnncli.training.transforms import Pipeline, draws_of, moves_anything
from cnncli.training.transforms.mixes import beta, choice
from tests.training.transforms.support import digits, draws, photographs, units

IMAGES = [pytest.param(digits(), id="digits"), pytest.param(photographs(), id="photographs")]


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0, 2.5, 40.0])
def test_shares_have_scipys_beta_distribution(alpha: float) -> None:
    found = beta(alpha, draws(20_000, 2)).numpy()
    assert 0 < found.min() < found.max() <= 1
    exact = stats.beta(alpha, alpha)
    lower = found[found < 0.5]
    assert stats.kstest(lower, lambda share: 2 * exact.cdf(share)).pvalue > 1e-3
    assert abs(len(lower) - 10_000) < 6 * 5000**0.5
    assert found.var() == pytest.approx(exact.var(), rel=0.1)
    if alpha >= 0.2:  # below, many shares are rounded to 1
        assert stats.kstest(found, exact.cdf).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [1e-6, 0.01, 0.2, 1.0, 1e6])
def test_the_outermost_draws_have_a_share(alpha: float) -> None:
    last = 1 - 2**-24
    corners = torch.tensor([[a, b] for a in (0, 0.5, last) for b in (0, 0.25, 0.5, 0.75, last)])
    found = beta(alpha, corners)
    assert found.isfinite().all()
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("images", IMAGES)
def test_each_image_is_blended_with_the_next(images: Tensor) -> None:
    before, drawn = units(images), draws(len(images), 3)
    found = Pipeline([Mixup(alpha=0.4)]).views(Views(before), drawn)
    assert found.share is not None
    for number, result in enumerate(found.images):
        share = float(beta(0.4, drawn[number : number + 1, 1:]))
        assert found.share[number].item() == pytest.approx(share, abs=1e-6)
        expected = share * before[number] + (1 - share) * before[(number + 1) % len(before)]
        torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("images", IMAGES)
def test_a_rectangle_of_the_next_image_is_pasted(images: Tensor) -> None:
    """Equation 2: the middle of the box is uniform, its sides are those of the image * sqrt(1 - share)."""
    before, drawn = units(images), draws(len(images), 5)
    found = Pipeline([CutMix()]).views(Views(before), drawn)
    height, width = images.shape[2:]
    assert found.share is not None
    for number, result in enumerate(found.images):
        down, right = drawn[number, 1:3].tolist()
        side = (1 - float(beta(1.0, drawn[number : number + 1, 3:]))) ** 0.5
        rows = torch.tensor([abs((row + 0.5) / height - down) <= side / 2 for row in range(height)])
        columns = torch.tensor([abs((column + 0.5) / width - right) <= side / 2 for column in range(width)])
        inside = rows[:, None] & columns[None, :]
        partner = before[(number + 1) % len(before)]
        assert torch.equal(result[:, inside], partner[:, inside])
        assert torch.equal(result[:, ~inside], before[number][:, ~inside])
        assert found.share[number].item() == pytest.approx(1 - inside.float().mean().item(), abs=1e-6)


def test_areas_are_those_of_the_clipped_box() -> None:
    drawn = draws(3000, 5)
    found = Pipeline([CutMix(alpha=0.7)]).views(Views(torch.zeros(3000, 1, 64, 96)), drawn)
    side = (1 - beta(0.7, drawn[:, 3:])).sqrt().numpy()
    area = 1.0
    for axis in (1, 2):
        middle = drawn[:, axis].double().numpy()
        area = area * ((middle + side / 2).clip(max=1) - (middle - side / 2).clip(min=0))
    assert found.share is not None
    # Pixels are whole: along each axis at most one more or less.
    assert abs(found.share.numpy() - (1 - area)).max() < 1 / 64 + 1 / 96 + 1e-3
    assert abs(found.share.numpy() - (1 - area)).mean() < 0.005


def test_at_most_one_of_several_with_their_probabilities() -> None:
    images = torch.arange(4000.0).reshape(-1, 1, 1, 1).expand(-1, 1, 8, 8) / 4000
    for first, second, expected in ((0.3, 0.5, (0.3, 0.5)), (1.0, 1.0, (0.5, 0.5)), (1.0, 0.25, (0.8, 0.2))):
        pipeline = Pipeline([Mixup(alpha=40, p=first), CutMix(p=second)])
        found = pipeline.views(Views(images), pipeline.table(4000, 0, 0))
        same = (found.images == images).flatten(1).all(1)
        one_value = (found.images == found.images[:, :, :1, :1]).flatten(1).all(1)
        blended = (one_value & ~same).float().mean().item()
        pasted = (~one_value).float().mean().item()
        assert blended == pytest.approx(expected[0], abs=0.1)
        assert pasted == pytest.approx(expected[1], abs=0.12)  # few boxes cover nothing, or everything
        assert found.share is not None
        assert ((found.share == 1) | ~same).all()


def test_a_draw_chooses() -> None:
    drawn = torch.tensor([0.0, 0.19, 0.2, 0.49, 0.5, 0.99])
    assert choice([0.2, 0.3], drawn).tolist() == [0, 0, 1, 1, 2, 2]
    assert choice([1.0], drawn).tolist() == [0] * 6
    assert choice([1.0, 1.0], drawn).tolist() == [0, 0, 0, 0, 1, 1]
    last = torch.tensor([1 - 2**-24])
    assert choice([0.1] * 10, last).tolist() == [9]
    assert choice([1 / 3] * 3, last).tolist() == [2]
    assert choice([0.7, 0.1, 0.7], last).tolist() == [2]


CLASSES = torch.tensor([0, 7, 200, -1])


def test_masks_are_pasted_where_images_are_and_kept_apart_where_they_are_blended() -> None:
    masks = CLASSES[torch.randint(0, 4, (400, 8, 8), generator=torch.Generator().manual_seed(0))]
    images = torch.stack([masks, -masks], 1) / 400 + 0.5  # from 0 to 1, and never the same for two classes
    pipeline = Pipeline([Mixup(p=0.5), CutMix(p=0.5)])
    found = pipeline.views(Views(images, {"mask": masks}, {"target": images}), pipeline.table(400, 0, 0))
    mask, partner = found.masks["mask"], found.partner_masks["mask"]
    assert torch.equal(found.pictures["target"], found.images)
    blended = (partner == masks.roll(-1, 0)).flatten(1).all(1) & (mask == masks).flatten(1).all(1)
    pasted = (partner == mask).flatten(1).all(1) & ~blended
    assert (blended | pasted).all()
    assert 150 < pasted.sum() < 250
    torch.testing.assert_close(found.images[pasted], (torch.stack([mask, -mask], 1) / 400 + 0.5)[pasted])
    assert found.share is not None
    shares = found.share[blended].reshape(-1, 1, 1, 1)
    expected = shares * images[blended] + (1 - shares) * images.roll(-1, 0)[blended]
    torch.testing.assert_close(found.images[blended], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("transform", [Mixup(), CutMix()], ids=["mixup", "cutmix"])
def test_a_single_image_is_mixed_with_itself(transform: Mix) -> None:
    image, mask = units(photographs()[:1]), torch.arange(4800).reshape(1, 60, 80)
    found = Pipeline([transform]).views(Views(image, {"mask": mask}), draws(1, draws_of(transform)))
    assert torch.equal(found.images, image)
    assert torch.equal(found.masks["mask"], mask)


def test_a_vector_is_blended() -> None:
    found = Pipeline([Mixup()]).views(Views(torch.eye(6)), draws(6, 3))
    assert found.share is not None
    torch.testing.assert_close(found.images.diagonal(), found.share)
    torch.testing.assert_close(found.images.sum(1), torch.ones(6))


def test_what_the_partner_went_through_is_mixed_too() -> None:
    images = units(digits())
    table = Pipeline([Flip(), Mixup()]).table(64, 3, 0)
    found = Pipeline([Flip(), Mixup()])(images, table)
    expected = Pipeline([Mixup()])(Pipeline([Flip()])(images, table[:, :1]), table[:, 1:])
    assert torch.equal(found, expected)


def test_pictures_of_another_size_can_be_blended_but_not_pasted() -> None:
    assert not moves_anything([Mixup()])
    assert moves_anything([CutMix()])
    small = torch.rand(4, 3, 2, 2)
    found = Pipeline([Mixup()]).views(Views(torch.rand(4, 1, 8, 8), {}, {"target": small}), draws(4, 3))
    assert found.share is not None
    shares = found.share.reshape(-1, 1, 1, 1)
    torch.testing.assert_close(found.pictures["target"], shares * small + (1 - shares) * small.roll(-1, 0))


@pytest.mark.parametrize("transform", [Mixup(), CutMix()], ids=["mixup", "cutmix"])
def test_shares_are_those_of_a_seed_an_epoch_and_a_sample(transform: Mix) -> None:
    images, pipeline = units(digits()), Pipeline([transform])
    found = [
        pipeline(images, pipeline.table(64, seed, epoch)) for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))
    ]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[3])
    views = pipeline.views(Views(images), pipeline.table(64, 1, 0))
    assert views.share is not None
    assert len(views.share.unique()) > 10
    # What is drawn does not depend on the batch, only what it is mixed with does.
    half = pipeline.views(Views(images[:20]), pipeline.table(64, 1, 0)[:20])
    assert half.share is not None
    assert torch.equal(half.share, views.share[:20])
    assert torch.equal(half.images[:19], views.images[:19])
