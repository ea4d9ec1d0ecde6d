"""What happens to a sample depends on seed, epoch, sample and transform; nothing else has a say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from cnncli.recipe.transforms import TRANSFORMS, Crop, Flip, Mix, Transform
from cnncli.training.data.dataset import labeled
from cnncli.training.data.feed import Alters, Feed, Views
from cnncli.training.data.recorded import Normalization
from cnncli.training.transforms import Pipeline, draws_of
from tests.training.support import CPU
from tests.training.transforms.support import photographs, units

ALL = tuple(kind() for kind in TRANSFORMS.values())
ALONE = tuple(each for each in ALL if not isinstance(each, Mix))
EACH = pytest.mark.parametrize("transform", ALL, ids=lambda each: each.keyword)


def applied(transforms: Sequence[Transform], images: Tensor, index: Tensor, epoch: int = 0) -> Tensor:
    """Apply transforms to some of the images, as a batch."""
    pipeline = Pipeline(transforms)
    return pipeline(images[index], pipeline.table(len(images), 7, epoch)[index])


def test_there_is_nothing_to_apply() -> None:
    pipeline = Pipeline(())
    assert len(pipeline) == 0
    images = units(photographs())
    assert torch.equal(pipeline(images, pipeline.table(16, 0, 0)), images)


@pytest.mark.parametrize("transforms", [*((each,) for each in ALONE), ALONE], ids=lambda each: str(len(each)))
def test_batches_and_order_change_nothing(transforms: tuple[Transform, ...]) -> None:
    images = units(photographs())
    before = images.clone()
    whole = applied(transforms, images, torch.arange(16))
    assert whole.shape == images.shape
    assert whole.dtype == torch.float32
    assert torch.equal(images, before)  # what comes in is not written to
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    for size in (1, 5, 16):
        parts = torch.cat([applied(transforms, images, index) for index in order.split(size)])
        torch.testing.assert_close(parts, whole[order], rtol=0, atol=1e-6)


@pytest.mark.parametrize("transform", ALONE, ids=lambda each: each.keyword)
def test_every_image_of_a_batch_and_every_epoch_has_its_own_draw(transform: Transform) -> None:
    images = units(photographs()[:1]).expand(40, -1, -1, -1)
    several = Pipeline((transform,) * 3)  # of a transform with few outcomes several give more
    results = [several(images, several.table(40, 1, epoch)) for epoch in (0, 1)]
    assert len(results[0].unique(dim=0)) > 1
    assert not torch.equal(*results)
    assert not torch.equal(results[0], several(images, several.table(40, 2, 0)))
    assert torch.equal(results[0], several(images, several.table(40, 1, 0)))


@EACH
def test_values_stay_in_range(transform: Transform) -> None:
    images = torch.cat([units(photographs()), torch.zeros(2, 3, 60, 80), torch.ones(2, 3, 60, 80)])
    for epoch in range(3):
        found = applied((transform,), images, torch.arange(20), epoch)
        assert 0 <= found.min() <= found.max() <= 1


def test_torchs_own_randomness_has_no_say() -> None:
    tables = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        tables.append(Pipeline(ALL).table(9, 7, 0))
        assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(*tables)


def test_other_transforms_do_not_change_the_draws_of_one() -> None:
    alone = Pipeline((Flip(),)).table(50, 7, 3)
    beside = Pipeline((Crop(), Flip(), Flip())).table(50, 7, 3)
    assert torch.equal(alone[:, 0], beside[:, 2])
    assert not torch.equal(beside[:, 2], beside[:, 3])


def test_draws_are_uniform() -> None:
    table = Pipeline(ALL).table(5000, 0, 0)
    assert table.shape == (5000, sum(map(draws_of, ALL)))
    assert 0 <= table.min() < table.max() < 1
    counts = (table * 10).long().clamp(max=9).T.contiguous()
    for column in counts:
        assert (column.bincount(minlength=10) - 500).abs().max() < 6 * (5000 * 0.1 * 0.9) ** 0.5


def test_a_feed_alters_images_before_it_normalizes_them() -> None:
    images = photographs()
    normalization = Normalization((0.4, 0.5, 0.1), (0.2, 0.25, 0.3))
    feed = Feed(labeled(images, torch.arange(16)), {}, normalization, CPU, keep=True)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    seen: list[Tensor] = []

    def alter(views: Views, index: Tensor) -> Views:
        seen.append(index)
        assert torch.equal(views.images, units(images)[index])
        return Views(views.images * 0.5)

    bounds = [(0, 6), (6, 16)]
    batches = torch.cat([batch.inputs for batch in feed.shuffled(order, bounds, Alters(alter))])
    assert torch.equal(torch.cat(seen), order)
    mean, std = (torch.tensor(each).reshape(3, 1, 1) for each in (normalization.mean, normalization.std))
    expected = (units(images)[order] * 0.5 - mean) / std
    torch.testing.assert_close(batches, expected, rtol=0, atol=2e-6)
    plain = torch.cat([batch.inputs for batch in feed.shuffled(order, bounds)])
    unchanged = torch.cat([batch.inputs for batch in feed.shuffled(order, bounds, Alters())])
    torch.testing.assert_close(plain, unchanged, rtol=0, atol=2e-6)


@EACH
def test_images_may_be_on_another_device_than_the_draws(transform: Transform) -> None:
    """Torch's device without values refuses to compute with a tensor that was left on the CPU."""
    images = units(photographs())
    for batch in (images, images.repeat(1, 1, 3, 2)):
        pipeline = Pipeline((transform,))
        found = pipeline(batch.to("meta"), pipeline.table(16, 0, 0))
        assert (found.device.type, found.shape, found.dtype) == ("meta", batch.shape, batch.dtype)
