from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnncli.diagnostics import UsageError
from cnncli.graph.heads import Head, main_head
from cnncli.training.session import check_trainable
from cnncli.training.tasks.objective import build_objective, check_classes, check_single_images
from tests.training.support import (
    HEADS,
    TWO_HEADS,
    TwoHeads,
    few_digits,
    same_weights,
    settings,
    small_network,
)

SHAPE = (1, 8, 8)


def test_one_head_is_cross_entropy() -> None:
    logits = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(6)
    objective = build_objective(HEADS, settings(), 10)
    minimized, loss, main = objective(logits, labels)
    assert minimized.item() == loss.item()
    own = -logits.double().log_softmax(1)[torch.arange(6), labels].mean()
    assert loss.item() == pytest.approx(own.item(), rel=1e-6)
    assert torch.equal(main, logits)


def test_label_smoothing() -> None:
    logits = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(6)
    objective = build_objective(HEADS, settings(tasks={"output": {"cross_entropy": {"smoothing": 0.2}}}), 10)
    targets = 0.8 * functional.one_hot(labels, 10) + 0.2 / 10
    expected = -(targets * logits.log_softmax(1)).sum(1).mean()
    minimized, loss, _ = objective(logits, labels)
    assert minimized.item() == pytest.approx(expected.item(), rel=1e-6)
    assert loss.item() == pytest.approx(functional.cross_entropy(logits, labels).item(), rel=1e-6)


def test_heads_are_weighed_and_the_first_outside_of_training_is_main() -> None:
    network = TwoHeads()
    objective = build_objective(TWO_HEADS, settings(tasks={"aux": {"weight": 0.3}}), 10)
    assert objective.main == "main"
    images, labels = torch.randn(4, *SHAPE), torch.tensor([1, 2, 3, 4])
    output = network.train()(images)
    minimized, loss, main = objective(output, labels)
    of_main = functional.cross_entropy(output["main"], labels)
    expected = 0.3 * functional.cross_entropy(output["aux"], labels) + of_main
    assert minimized.item() == pytest.approx(expected.item(), rel=1e-6)
    assert loss.item() == pytest.approx(of_main.item(), rel=1e-6)
    assert torch.equal(main, output["main"])


def test_looking_at_a_network_does_not_touch_it() -> None:
    torch.manual_seed(0)
    network = small_network()
    torch.manual_seed(0)
    twin = small_network()
    network.get_submodule("1").eval()  # as of a normalization that is kept as it is
    before = torch.get_rng_state()
    check_single_images(network, SHAPE)
    assert same_weights(network, twin)
    assert [module.training for module in network.modules()] == [True, True, False, True, True, True, True]
    assert torch.equal(torch.get_rng_state(), before)


def test_classes_must_agree() -> None:
    with pytest.raises(UsageError, match="has 7 outputs, but the data has 10 classes") as caught:
        check_classes({"output": Head((7,))}, 10)
    assert "a variable 'classes' in the spec" in caught.value.diagnostics[0].hint


def test_a_training_head_of_other_classes_is_named() -> None:
    heads = TWO_HEADS | {"aux": Head((3,), training_only=True)}
    assert main_head(heads) == "main"
    check_classes(heads, 10)
    with pytest.raises(UsageError, match="head 'aux' has 3 outputs"):
        build_objective(heads, settings(), 10)


def test_an_output_must_be_a_vector() -> None:
    with pytest.raises(UsageError, match="outputs 4x6x6"):
        check_classes({"output": Head((4, 6, 6))}, 10)


def test_weight_of_an_unknown_head() -> None:
    with pytest.raises(UsageError, match="the network has no head 'auxx'") as caught:
        build_objective(TWO_HEADS, settings(tasks={"auxx": {"weight": 0.3}}), 10)
    assert caught.value.diagnostics[0].hint == "did you mean 'aux'?"


def test_batch_norm_of_one_value_is_refused_before_training() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10))
    data = few_digits()
    with pytest.raises(UsageError, match="one image at a time"):
        check_trainable(network, HEADS, data, settings(batch=1))
    check_trainable(network, HEADS, data, settings(batch=2))
    check_trainable(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), HEADS, data, settings(batch=1))
