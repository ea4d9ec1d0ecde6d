from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnncli.diagnostics import UsageError
from cnncli.graph.heads import Head, main_head
from cnncli.graph.learning import Learning
from cnncli.recipe.optimizers import SGD
from cnncli.training.plan import Subject, check_trainable
from cnncli.training.tasks.building import build_objective, check_tasks, measuring_objective
from cnncli.training.tasks.figures import Sum
from cnncli.training.tasks.single_images import check_single_images
from tests.training.support import (
    HEADS,
    TWO_HEADS,
    TwoHeads,
    few_digits,
    learned,
    of_labels,
    same_weights,
    settings,
    small_network,
)

SHAPE = (1, 8, 8)


def sums(figures: Mapping[str, Sum]) -> dict[str, tuple[float, float]]:
    return {name: (float(each.total), float(each.samples)) for name, each in figures.items()}


def test_one_head_is_cross_entropy() -> None:
    logits = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(6)
    objective = build_objective(HEADS, settings(), learned())
    minimized, found = objective(logits, of_labels(labels))
    own = -logits.double().log_softmax(1)[torch.arange(6), labels].mean()
    assert minimized.item() == pytest.approx(own.item(), rel=1e-6)
    correct = int((logits.argmax(1) == labels).sum())
    assert sums(found) == {
        "output.loss": (pytest.approx(6 * own.item(), rel=1e-6), 6),
        "output.accuracy": (correct, 6),
        "objective": (pytest.approx(6 * own.item(), rel=1e-6), 6),
    }
    assert {*found} == {*objective.names(training=True)}
    assert torch.equal(objective.heads["output"].reading.said(logits), logits)


def test_label_smoothing() -> None:
    logits = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(6)
    objective = build_objective(
        HEADS, settings(tasks={"output": {"cross_entropy": {"smoothing": 0.2}}}), learned()
    )
    targets = 0.8 * functional.one_hot(labels, 10) + 0.2 / 10
    expected = -(targets * logits.log_softmax(1)).sum(1).mean()
    minimized, found = objective(logits, of_labels(labels))
    assert minimized.item() == pytest.approx(expected.item(), rel=1e-6)
    plain = functional.cross_entropy(logits, labels, reduction="sum").item()
    assert sums(found)["output.loss"] == pytest.approx((plain, 6), rel=1e-6)


def test_heads_are_weighed_and_the_first_outside_of_training_is_main() -> None:
    network = TwoHeads()
    objective = build_objective(TWO_HEADS, settings(tasks={"aux": {"weight": 0.3}}), learned())
    assert objective.main == "main"
    images, labels = torch.randn(4, *SHAPE), torch.tensor([1, 2, 3, 4])
    output = network.train()(images)
    minimized, found = objective(output, of_labels(labels))
    of_aux, of_main = (functional.cross_entropy(output[head], labels).item() for head in ("aux", "main"))
    assert minimized.item() == pytest.approx(0.3 * of_aux + of_main, rel=1e-6)
    assert sums(found)["aux.loss"] == pytest.approx((4 * of_aux, 4), rel=1e-6)
    assert sums(found)["main.loss"] == pytest.approx((4 * of_main, 4), rel=1e-6)
    assert torch.equal(objective.heads["main"].reading.said(output["main"]), output["main"])


MEANS = {
    "aux.loss": 5.0,
    "aux.accuracy": 0.1,
    "main.loss": 2.0,
    "main.accuracy": 0.5,
    "second.loss": 3.0,
    "second.accuracy": 0.7,
    "objective": 9.0,
}


def test_the_total_is_of_the_heads_that_exist_in_inference() -> None:
    """So that of the training part and that of the held-out part are the same sum."""
    heads = TWO_HEADS | {"second": Head((10,))}
    tasks = {"main": {"weight": 0.5}, "second": {"weight": 0.25}}
    objective = build_objective(heads, settings(tasks=tasks), learned())
    found = objective.summary(MEANS)
    assert found == {"objective": 9.0, "loss": 0.5 * 2.0 + 0.25 * 3.0, "accuracy": 0.5} | MEANS
    held_out = {name: value for name, value in MEANS.items() if name.startswith(("main", "second"))}
    assert objective.summary(held_out) == {"loss": found["loss"], "accuracy": 0.5} | held_out


def test_one_head_has_figures_without_its_name() -> None:
    objective = build_objective(HEADS, settings(tasks={"output": {"weight": 2.0}}), learned())
    means = {"output.loss": 1.5, "output.accuracy": 0.25, "output.top5": 0.75}
    assert objective.summary(means) == {"loss": 3.0, "accuracy": 0.25, "top5": 0.75}


def test_looking_at_a_network_does_not_touch_it() -> None:
    torch.manual_seed(0)
    network = small_network()
    torch.manual_seed(0)
    twin = small_network()
    network.get_submodule("1").eval()  # as of a normalization that is kept as it is
    before = torch.get_rng_state()
    check_single_images(network, SHAPE, Learning(SGD()))
    assert same_weights(network, twin)
    assert [module.training for module in network.modules()] == [True, True, False, True, True, True, True]
    assert torch.equal(torch.get_rng_state(), before)


def test_classes_must_agree() -> None:
    with pytest.raises(UsageError, match="has 7 outputs, but the data has 10 classes") as caught:
        build_objective({"output": Head((7,))}, settings(), learned())
    assert "a variable 'classes' in the spec" in caught.value.diagnostics[0].hint


def test_a_training_head_of_other_classes_is_named() -> None:
    heads = TWO_HEADS | {"aux": Head((3,), training_only=True)}
    assert main_head(heads) == "main"
    measuring_objective(heads, settings(), learned())
    with pytest.raises(UsageError, match="head 'aux' has 3 outputs"):
        build_objective(heads, settings(), learned())


def test_an_output_must_be_a_vector() -> None:
    with pytest.raises(UsageError, match="learns 'mask' by cross_entropy, which the data does not have"):
        build_objective({"output": Head((4, 6, 6))}, settings(), learned())
    of_labels = settings(tasks={"output": {"target": "label"}})
    with pytest.raises(UsageError, match="outputs 4x6x6"):
        check_tasks({"output": Head((4, 6, 6))}, of_labels, SHAPE)


def test_weight_of_an_unknown_head() -> None:
    with pytest.raises(UsageError, match="the network has no head 'auxx'") as caught:
        build_objective(TWO_HEADS, settings(tasks={"auxx": {"weight": 0.3}}), learned())
    assert caught.value.diagnostics[0].hint == "did you mean 'aux'?"


def test_batch_norm_of_one_value_is_refused_before_training() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10))
    data = few_digits()
    with pytest.raises(UsageError, match="one image at a time"):
        check_trainable(Subject(network, HEADS), SHAPE, data, settings(batch=1))
    check_trainable(Subject(network, HEADS), SHAPE, data, settings(batch=2))
    check_trainable(
        Subject(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), HEADS), SHAPE, data, settings(batch=1)
    )
