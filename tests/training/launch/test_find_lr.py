"""The range test: a loop written by hand tries the same rates, and scipy smooths as it does."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from torch import nn

import cnncli
from cnncli.results.find_lr import Suggestion
from cnncli.training.data.batches import epoch_order
from cnncli.training.launch import find_lr as module
from cnncli.training.launch.find_lr import RATES, find_lr, smoothed, suggestion

SPEC = """
input: [1, 8, 8]
layers: [flatten, linear: {features: 16, activation: tanh}, linear: 10]
train:
  data: {source: digits, limit: 0.1}
  batch: 64
  optimizer: {sgd: {momentum: 0, weight_decay: 0}}
  schedule: {cosine: {warmup: 3}}
"""


def test_the_rates() -> None:
    assert [RATES[0], RATES[-1]] == pytest.approx([1e-6, 100.0])
    factors = np.diff(np.log10(RATES))
    assert factors == pytest.approx(factors[0])


def test_losses_are_those_of_a_loop_written_by_hand() -> None:
    prepared = cnncli.loads(SPEC)._prepared(None, "cpu", None, None, {})
    reference, split = copy.deepcopy(prepared.network), prepared.dataset.train
    normalization = prepared.dataset.normalized()
    images = (split.images.double() / 255 - normalization.mean[0]) / normalization.std[0]
    optimizer = torch.optim.SGD(reference.parameters(), lr=1.0)
    batches = [index for epoch in range(50) for index in epoch_order(split.count, 0, epoch).split(64)]
    expected = []
    for index, rate in zip(batches, RATES, strict=False):
        loss = nn.functional.cross_entropy(reference(images[index].float()), split.labels[index])
        expected.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    begun: list[tuple[int, int]] = []
    found = find_lr(prepared, lambda *each: begun.append(each))
    assert [each.lr for each in found.rates] == [*RATES[: len(found.rates)]]
    losses = [each.loss for each in found.rates]
    assert losses[:80] == pytest.approx(expected[:80], rel=1e-3)
    # An explosion amplifies the last digits.
    assert losses[80:] == pytest.approx(expected[80 : len(losses)], rel=0.1)
    assert begun[:2] == [(1, len(RATES)), (2, len(RATES))]


def test_a_curve_is_smoothed_by_a_gaussian() -> None:
    losses = np.random.default_rng(0).normal(size=60)
    weights = gaussian_filter1d(np.ones(60), module._WIDTH, mode="constant", truncate=3)
    expected = gaussian_filter1d(losses, module._WIDTH, mode="constant", truncate=3) / weights
    assert smoothed([*losses]) == pytest.approx([*expected])
    assert smoothed([2.0]) == [2.0]


def test_what_a_curve_suggests() -> None:
    rates = [10.0**place for place in range(-6, 1)]
    assert suggestion(rates, [3.0, 3.0, 2.9, 2.0, 1.5, 1.4, 9.0]) == Suggestion(0.01, 0.1, 1e-3)
    assert suggestion(rates, [3.0, 3.0, 2.9, 2.9, 3.0, 9.0, 9.0]) is None
    assert suggestion(rates[:1], [3.0]) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_from_the_beginning(value: float) -> None:
    prepared = cnncli.loads(SPEC)._prepared(None, "cpu", None, None, {})
    with torch.no_grad():
        next(prepared.network.parameters()).fill_(value)
    with pytest.raises(cnncli.CnncliError, match="the loss of the first batch is not finite"):
        find_lr(prepared)
