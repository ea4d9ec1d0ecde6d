from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)
from torch import Tensor, nn

from cnncli.graph.heads import Head
from cnncli.results.training import Evaluation
from cnncli.training import evaluate as module
from cnncli.training.data.dataset import labeled
from cnncli.training.data.feed import Feed
from cnncli.training.data.normalization import Normalization
from cnncli.training.evaluate import evaluate, evaluate_feed, evaluation_bounds
from tests.training.support import CPU, TWO_HEADS, TwoHeads, few_digits, objective, small_network

PLAIN = Normalization((0.0,), (1 / 255,))  # bytes stay the numbers they are


class Table(nn.Module):
    """Answers with the row of a table that the image's first byte names."""

    def __init__(self, logits: list[list[float]]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, x: Tensor) -> Tensor:
        return self.logits[x[:, 0].round().long()]


def on_rows(logits: list[list[float]], labels: list[int]) -> Evaluation:
    split = labeled(torch.arange(len(labels), dtype=torch.uint8).reshape(-1, 1), torch.tensor(labels))
    classes = len(logits[0])
    return evaluate(Table(logits), split, PLAIN, CPU, objective({"output": Head((classes,))}, classes))


def test_every_figure_is_scikit_learns() -> None:
    generator = np.random.default_rng(5)
    logits = generator.normal(size=(200, 7)).astype(np.float32)
    labels = generator.integers(0, 7, size=200)
    logits[np.arange(200), labels] += 1
    found = on_rows(logits.tolist(), labels.tolist())
    called = logits.argmax(1)
    precision, recall, f1, count = precision_recall_fscore_support(labels, called)
    assert found.count == 200
    loss = log_loss(labels, softmax(logits.astype(np.float64), axis=1))
    assert found.figures["loss"] == pytest.approx(loss, rel=1e-6)
    assert found.figures["accuracy"] == accuracy_score(labels, called)
    assert found.figures["f1"] == pytest.approx(f1_score(labels, called, average="macro"))
    assert found.figures["top5"] == top_k_accuracy_score(labels, logits, k=5)
    assert found.confusion == tuple(map(tuple, confusion_matrix(labels, called)))
    assert [each.count for each in found.classes] == count.tolist()
    assert [each.precision for each in found.classes] == pytest.approx(precision)
    assert [each.recall for each in found.classes] == pytest.approx(recall)
    assert [each.f1 for each in found.classes] == pytest.approx(f1)


def test_ratios_without_a_denominator_are_none() -> None:
    found = on_rows([[3.0, 0.0, 0.0], [3.0, 0.0, 0.0]], [0, 1])
    right, missed, absent = found.classes
    assert (right.precision, right.recall, right.f1) == (0.5, 1.0, 2 / 3)
    assert (missed.precision, missed.recall, missed.f1) == (None, 0.0, 0.0)
    assert (absent.precision, absent.recall, absent.f1) == (None, None, None)
    assert found.figures["f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert "top5" not in found.figures


def test_equal_logits_are_ranked_by_number() -> None:
    found = on_rows([[0.0] * 7] * 7, list(range(7)))
    assert found.figures["accuracy"] == 1 / 7
    assert found.figures["top5"] == 5 / 7


def test_scores_that_are_not_numbers_are_not_correct() -> None:
    nan = float("nan")
    found = on_rows([[nan] * 6, [nan, 0, 0, 0, 0, 9.0]], [3, 5])
    assert found.figures["accuracy"] == 0
    assert found.figures["top5"] == 0.5  # of the second, one score that is not a number leads
    assert np.isnan(found.figures["loss"])


def test_result_does_not_depend_on_the_mode_and_leaves_it() -> None:
    torch.manual_seed(0)
    network, split = small_network(), few_digits().test
    first = evaluate(network.train(), split, PLAIN, CPU, objective())
    assert network.training
    assert evaluate(network.eval(), split, PLAIN, CPU, objective()) == first
    assert not network.training


def test_the_first_head_outside_of_training_is_measured() -> None:
    torch.manual_seed(0)
    network, split = TwoHeads(), few_digits().test
    calls = network.eval()(split.images.float())["main"].argmax(1)
    assert (
        evaluate(network, split, PLAIN, CPU, objective(TWO_HEADS)).figures["accuracy"]
        == (calls == split.labels).double().mean().item()
    )


def test_batches_depend_on_the_image_size_only() -> None:
    assert evaluation_bounds(2500, 1024) == [(0, 1024), (1024, 2048), (2048, 2500)]
    assert evaluation_bounds(60, 3 * 224 * 224)[0] == (0, 27)
    assert evaluation_bounds(2, 10**9) == [(0, 1), (1, 2)]


def test_pieces_make_the_same_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, split = small_network(), few_digits().test
    whole = evaluate(network, split, PLAIN, CPU, objective())
    monkeypatch.setattr(module, "_BATCH_IMAGES", 7)
    pieces = evaluate(network, split, PLAIN, CPU, objective())
    assert pieces.confusion == whole.confusion
    assert pieces.figures["loss"] == pytest.approx(whole.figures["loss"], rel=1e-6)


def test_an_evaluation_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH_IMAGES", 20)
    told: list[tuple[int, int]] = []

    def stop(done: int, batches: int) -> bool:
        told.append((done, batches))
        return done == 1

    feed = Feed(few_digits().test, few_digits().columns, PLAIN, CPU, keep=True)
    network = small_network().train()
    assert evaluate_feed(network, feed, objective(), CPU, stop) is None
    assert told == [(0, 3), (1, 3)]
    assert network.training
