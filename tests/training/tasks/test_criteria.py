"""Losses beside cross-entropy, against their papers' formulas written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cnncli.diagnostics import UsageError
from cnncli.graph import open_text
from cnncli.graph.heads import Head, heads_of
from cnncli.layers import KINDS, layer
from cnncli.layers.shaping import Identity
from cnncli.network import build_network
from cnncli.recipe.criteria import CRITERIA
from cnncli.recipe.losses import CrossEntropy
from cnncli.training.data.dataset import labeled
from cnncli.training.data.recorded import Normalization
from cnncli.training.evaluate import evaluate
from cnncli.training.tasks.losses import Given, distance, formula, margin
from cnncli.training.tasks.readings import READINGS
from tests.training.support import CPU, objective, of_labels, settings

LABELS = torch.tensor([0, 2, 1])
VALUES = torch.tensor([[0.2, 0.95, 0.05], [0.5, 0.1, 0.9], [0.3, 0.0, 0.99]], dtype=torch.float64)
DISTANCES = torch.tensor([[3.0, 90.0, 160.0], [90.0, 120.0, 110.0], [0.5, 0.25, 0.75]], dtype=torch.float64)


def test_a_kind_with_another_criterion_is_refused() -> None:
    with pytest.raises(
        TypeError, match="unknown criterion 'hinge'; known: cross_entropy, probabilities, distance, margin"
    ):

        @layer("never_there")
        class Hinge(Identity):
            """Passes its input on."""

            criterion = "hinge"

    assert "never_there" not in KINDS


@pytest.mark.parametrize(
    ("after", "criterion"),
    [
        ("identity", "distance"),
        ("dropout: 0.1", "distance"),
        ("reshape: [10]", "distance"),
        ("flatten", "distance"),
        ("linear: 10", "cross_entropy"),
        ("tanh", "cross_entropy"),
        ("concat: [identity, [linear: 10]]", "cross_entropy"),
    ],
)
def test_the_last_layer_that_computes_anything_decides(after: str, criterion: str) -> None:
    graph = open_text(f"input: [84]\nlayers:\n  - rbf\n  - {after}\n").graph
    assert heads_of(graph)["output"].criterion == criterion


def test_an_output_that_is_the_input_is_taken_for_logits() -> None:
    graph = open_text("input: [10]\nlayers: [identity]").graph
    assert heads_of(graph) == {"output": Head((10,), "cross_entropy")}


PROBABILITIES = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.0, 1.0, 0.0]], dtype=torch.float64)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_probabilities_is_that_of_their_logits(smoothing: float) -> None:
    logits = torch.randn(3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    loss = CrossEntropy(smoothing=smoothing)
    found = formula(loss, Given("probabilities"))(logits.softmax(1), LABELS)
    wanted = formula(loss, Given("cross_entropy"))(logits, LABELS)
    torch.testing.assert_close(found, wanted)
    assert torch.equal(READINGS["probabilities"].said(PROBABILITIES).argmax(1), LABELS)


def test_a_probability_of_zero_has_a_finite_loss() -> None:
    values = PROBABILITIES.float().requires_grad_()
    losses = formula(CrossEntropy(smoothing=0.1), Given("probabilities"))(values, torch.tensor([0, 2, 0]))
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()


def test_distance_is_equation_9_of_lecun() -> None:
    found = distance(DISTANCES, LABELS)
    for row, label, loss in zip(DISTANCES.tolist(), LABELS.tolist(), found.tolist(), strict=True):
        wanted = row[label] + math.log(math.exp(-100) + sum(math.exp(-y) for y in row))
        assert loss == pytest.approx(wanted, rel=1e-12)


def test_the_smallest_distance_wins() -> None:
    assert READINGS["distance"].said(DISTANCES).argmax(1).tolist() == [0, 0, 1]


def test_a_far_class_is_not_pushed_farther() -> None:
    near = DISTANCES.clone().requires_grad_()
    distance(near, LABELS).sum().backward()
    assert near.grad is not None
    assert near.grad[0, 2].abs() < 1e-20  # at 160, behind the 100 of those that are not classes
    assert near.grad[2, 0] < -0.1  # at 0.5, beside the right one


def test_margin_is_equation_4_of_sabour() -> None:
    found = margin(VALUES, LABELS)
    for row, label, loss in zip(VALUES.tolist(), LABELS.tolist(), found.tolist(), strict=True):
        wanted = 0.0
        for k, v in enumerate(row):
            t = float(k == label)
            wanted += t * max(0, 0.9 - v) ** 2 + 0.5 * (1 - t) * max(0, v - 0.1) ** 2
        assert loss == pytest.approx(wanted, rel=1e-12)
    assert READINGS["margin"].said(VALUES).argmax(1).tolist() == [1, 2, 2]


RBF = open_text("input: [1, 12, 7]\nlayers: [flatten, rbf: 10]").graph


def test_the_last_layer_chooses_the_criterion_of_a_training() -> None:
    network = build_network(RBF)
    of_distances = objective(heads_of(RBF))
    images = torch.randn(3, 1, 12, 7)
    output = network(images)
    expected = distance(output, LABELS)
    minimized, found = of_distances(output, of_labels(LABELS))
    assert minimized.item() == pytest.approx(expected.mean().item())
    assert found["output.loss"].total.item() == pytest.approx(expected.sum().item())
    assert torch.equal(of_distances.heads["output"].reading.said(output), -output)


def test_each_head_has_its_own() -> None:
    text = """
input: [84]
heads:
  digit: [rbf: 10]
  plain: [linear: 10]
  capsule: [{reshape: [84, 1]}, {capsules: {count: 10, reads: 4}}, capsulelength]
layers: [identity]
"""
    heads = heads_of(open_text(text).graph)
    assert {name: head.criterion for name, head in heads.items()} == {
        "digit": "distance",
        "plain": "cross_entropy",
        "capsule": "margin",
    }


def test_evaluation_calls_the_nearest_class() -> None:
    network = build_network(RBF)
    prototypes: Tensor = network.get_buffer("rbf1.prototypes")
    images = ((prototypes.view(10, 1, 12, 7) + 1) / 2 * 255).to(torch.uint8)
    split = labeled(images, torch.arange(10))
    measured = evaluate(network, split, Normalization((0.5,), (0.5,)), CPU, objective(heads_of(RBF)))
    assert measured.figures["accuracy"] == 1.0
    assert measured.figures["loss"] < 1e-6


def test_label_smoothing_is_for_cross_entropy() -> None:
    smoothed = {"cross_entropy": {"smoothing": 0.1}}
    with pytest.raises(UsageError, match="the network is not trained with cross_entropy") as caught:
        objective(heads_of(RBF), chosen=settings(tasks={"output": smoothed}))
    assert CRITERIA["distance"].help in caught.value.diagnostics[0].expected
