"""Which images are used if only a share of them is."""

from __future__ import annotations

from collections import Counter

import pytest

from cnncli.training.data.holdout import share_of

LABELS = [number % 3 if number < 90 else 3 for number in range(91)]


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99, 1.0])
def test_each_class_has_its_share(share: float) -> None:
    chosen = share_of(LABELS, share)
    assert chosen == sorted(set(chosen))
    counts = Counter(LABELS[index] for index in chosen)
    assert counts == {label: max(1, round(LABELS.count(label) * share)) for label in range(4)}


def test_a_smaller_share_is_a_part_of_a_larger_one() -> None:
    assert set(share_of(LABELS, 0.1)) < set(share_of(LABELS, 0.3)) < set(range(91))


def test_the_first_images_are_not_preferred() -> None:
    chosen = share_of([0] * 1000, 0.2)
    tenths = Counter(index // 100 for index in chosen)
    assert min(tenths.values()) > 8
