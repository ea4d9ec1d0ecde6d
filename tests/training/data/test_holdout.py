"""Which images are used if only a share of them is, and which are split off for validation."""

from __future__ import annotations

from collections import Counter

import pytest

from cnncli.training.data.holdout import for_validation, held_out, share_of

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


KEYS = [f"class/{number}.png" for number in range(91)]


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_a_validation_part_has_a_share_of_each_class(share: float) -> None:
    """The last class has one image, which stays in training."""
    chosen = for_validation(LABELS, KEYS, share)
    assert chosen == sorted(set(chosen))
    counts = Counter(LABELS[index] for index in chosen)
    assert counts == {label: max(1, round(30 * share)) for label in range(3)}


def test_never_a_whole_class() -> None:
    assert len(for_validation([0, 0, 1], ["a", "b", "c"], 0.9)) == 1
    assert for_validation([0, 1, 2], ["a", "b", "c"], 0.5) == []


def test_it_depends_on_the_keys_alone() -> None:
    chosen = {KEYS[index] for index in for_validation(LABELS, KEYS, 0.3)}
    order = [*range(90, -1, -1)]
    labels, keys = [LABELS[index] for index in order], [KEYS[index] for index in order]
    assert {keys[index] for index in for_validation(labels, keys, 0.3)} == chosen
    assert {KEYS[index] for index in for_validation(LABELS, KEYS, 0.1)} < chosen


def test_the_choices_are_not_related() -> None:
    """A validation part of half the images has about half of any other share."""
    labels, keys = [0] * 2000, [str(number) for number in range(2000)]
    chosen = set(for_validation(labels, keys, 0.5))
    for other in (share_of(labels, 0.2), held_out(labels, keys)):
        assert 160 < len(chosen.intersection(other)) < 240
