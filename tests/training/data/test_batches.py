from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from cnncli.training.data.batches import batch_bounds, derived_seed, epoch_order
from cnncli.training.data.dataset import labeled, of_classes
from cnncli.training.data.feed import Feed, fits
from cnncli.training.data.recorded import Normalization
from tests.training.support import CPU


@given(count=st.integers(1, 400), batch=st.integers(1, 130))
def test_bounds_use_every_image_once_and_leave_no_single_one(count: int, batch: int) -> None:
    bounds = batch_bounds(count, batch)
    assert [index for start, end in bounds for index in range(start, end)] == list(range(count))
    sizes = [end - start for start, end in bounds]
    if count > batch > 1:
        assert min(sizes) >= 2
        assert set(sizes[:-1]) <= {batch}
        assert sizes[-1] <= batch + 1
    else:
        assert sizes == ([count] if count <= batch else [1] * count)


def test_a_single_image_left_over_joins_the_batch_before() -> None:
    assert batch_bounds(9, 4) == [(0, 4), (4, 9)]
    assert batch_bounds(10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert batch_bounds(3, 128) == [(0, 3)]


def test_order_is_a_permutation_settled_by_seed_and_epoch() -> None:
    order = epoch_order(1000, 3, 5)
    assert sorted(order.tolist()) == list(range(1000))
    torch.manual_seed(99)  # torch's own randomness has no say
    assert torch.equal(order, epoch_order(1000, 3, 5))
    assert not torch.equal(order, epoch_order(1000, 3, 6))
    assert not torch.equal(order, epoch_order(1000, 4, 5))


def test_seeds_for_purposes_differ() -> None:
    seeds = {derived_seed(seed, purpose) for seed in range(-5, 5) for purpose in ("weights", "training")}
    assert len(seeds) == 20
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_batches_are_the_images_of_the_order_normalized() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (11, 3, 4, 5), dtype=torch.uint8, generator=generator)
    labels = torch.arange(11)
    normalization = Normalization((0.4, 0.5, 0.1), (0.2, 0.25, 0.3))
    mean = torch.tensor(normalization.mean, dtype=torch.float64).reshape(3, 1, 1)
    std = torch.tensor(normalization.std, dtype=torch.float64).reshape(3, 1, 1)
    expected = (images.double() / 255 - mean) / std

    feed = Feed(labeled(images, labels), of_classes("abc"), normalization, CPU, keep=True)
    assert (len(feed), feed.image_values) == (11, 60)
    order = torch.randperm(11, generator=generator)
    for batches, index in (
        (feed.shuffled(order, [(2, 6), (6, 11)]), order[2:]),
        (feed.in_order([(0, 4), (4, 11)]), torch.arange(11)),
    ):
        taken = list(batches)
        assert torch.equal(torch.cat([batch.targets["label"] for batch in taken]), index)
        torch.testing.assert_close(
            torch.cat([batch.inputs for batch in taken]).double(), expected[index], rtol=0, atol=2e-6
        )
    assert images.dtype == torch.uint8  # and the bytes stay what they were
    assert torch.equal(feed._images.stored, images)


def test_data_that_does_not_fit_stays_in_main_memory() -> None:
    images = torch.zeros((4, 1, 2, 2), dtype=torch.uint8)
    far = torch.device("meta")
    split = labeled(images, torch.zeros(4, dtype=torch.int64))
    feed = Feed(split, of_classes("a"), Normalization((0.5,), (1.0,)), far, keep=False)
    assert feed._images.stored.device == CPU
    batch = next(feed.shuffled(torch.arange(4), [(0, 3)]))
    assert (batch.inputs.device, batch.targets["label"].device) == (far, far)
    assert batch.inputs.shape == (3, 1, 2, 2)


def test_main_memory_always_fits() -> None:
    assert fits(10**15, CPU)
