from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

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
    recall_score,
    top_k_accuracy_score,
)
from torch import Tensor, nn

from cnncli.graph.heads import Head
from cnncli.recipe.columns import Column
from cnncli.results.training import Evaluation
from cnncli.training import evaluate as module
from cnncli.training.data.dataset import Split, labeled
from cnncli.training.data.feed import Feed
from cnncli.training.data.recorded import Normalization
from cnncli.training.evaluate import Manner, evaluate, evaluate_feed, evaluation_bounds
from cnncli.training.tasks.building import Learned, build_objective
from cnncli.training.tasks.losses import distance
from cnncli.training.tasks.readings import READINGS
from tests.training.support import CPU, TWO_HEADS, TwoHeads, few_digits, objective, settings, small_network

Array: TypeAlias = "np.ndarray[Any, Any]"
DETAILED = Manner(detailed=True)
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
    measured = objective({"output": Head((classes,))}, classes)
    return evaluate(Table(logits), split, PLAIN, CPU, measured, manner=DETAILED)


def calibration_error(probabilities: Array, labels: Array) -> float:
    """Guo et al. (2017), equation 5, sample by sample and bin by bin."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(15)]
    for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True):
        confidence = max(row)
        place = next(m for m in range(15) if confidence <= (m + 1) / 15)
        bins[place].append((confidence, row.index(confidence) == label))
    error = 0.0
    for each in filter(None, bins):
        accuracy = sum(right for _, right in each) / len(each)
        mean = sum(confidence for confidence, _ in each) / len(each)
        error += len(each) / len(labels) * abs(accuracy - mean)
    return error


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
    averages = precision_recall_fscore_support(labels, called, average="macro")
    assert [found.figures[name] for name in ("precision", "recall", "f1")] == pytest.approx(averages[:3])
    wanted = calibration_error(softmax(logits.astype(np.float64), axis=1), labels)
    assert found.figures["ece"] == pytest.approx(wanted, rel=1e-5)
    assert found.heads["output"].confusion == tuple(map(tuple, confusion_matrix(labels, called)))
    assert [each.count for each in found.heads["output"].classes] == count.tolist()
    assert [each.precision for each in found.heads["output"].classes] == pytest.approx(precision)
    assert [each.recall for each in found.heads["output"].classes] == pytest.approx(recall)
    assert [each.f1 for each in found.heads["output"].classes] == pytest.approx(f1)


def test_ratios_without_a_denominator_are_none() -> None:
    found = on_rows([[3.0, 0.0, 0.0], [3.0, 0.0, 0.0]], [0, 1])
    right, missed, absent = found.heads["output"].classes
    assert (right.precision, right.recall, right.f1) == (0.5, 1.0, 2 / 3)
    assert (missed.precision, missed.recall, missed.f1) == (None, 0.0, 0.0)
    assert (absent.precision, absent.recall, absent.f1) == (None, None, None)
    assert found.figures["f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert "top5" not in found.figures
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a class is never predicted
        precision, recall, *_ = precision_recall_fscore_support([0, 1], [0, 0], average="macro")
    assert found.figures["precision"] == pytest.approx(precision)
    assert found.figures["recall"] == pytest.approx(recall)


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


def test_batches_depend_on_the_image_size_and_the_device_only() -> None:
    gpu = torch.device("cuda")
    assert evaluation_bounds(300, 1024, CPU) == [(0, 128), (128, 256), (256, 300)]
    assert evaluation_bounds(2500, 1024, gpu) == [(0, 1024), (1024, 2048), (2048, 2500)]
    for device in (CPU, gpu):
        assert evaluation_bounds(60, 3 * 224 * 224, device)[0] == (0, 27)
        assert evaluation_bounds(2, 10**9, device) == [(0, 1), (1, 2)]


def test_pieces_make_the_same_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, split = small_network(), few_digits().test
    whole = evaluate(network, split, PLAIN, CPU, objective(), manner=DETAILED)
    monkeypatch.setattr(module, "_BATCH_IMAGES", {"cpu": 7})
    pieces = evaluate(network, split, PLAIN, CPU, objective(), manner=DETAILED)
    assert pieces.heads == whole.heads
    assert pieces.figures == pytest.approx(whole.figures, rel=1e-6)


def test_an_evaluation_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH_IMAGES", {"cpu": 20})
    told: list[tuple[int, int]] = []

    def stop(done: int, batches: int) -> bool:
        told.append((done, batches))
        return done == 1

    feed = Feed(few_digits().test, few_digits().columns, PLAIN, CPU, keep=True)
    network = small_network().train()
    assert evaluate_feed(network, feed, objective(), CPU, stop) is None
    assert told == [(0, 3), (1, 3)]
    assert network.training


class Outputs(nn.Module):
    """Answers with what a function makes of the images, values from 0 to 255."""

    def __init__(self, of_images: Callable[[Tensor], Tensor | dict[str, Tensor]]) -> None:
        super().__init__()
        self.of_images = of_images

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        return self.of_images(x)


def test_every_head_has_its_confusions() -> None:
    columns = {"label": Column("class", ("0", "1", "2")), "kind": Column("class", ("a", "b"))}
    heads = {"label": Head((3,)), "kind": Head((2,))}
    chosen = settings(tasks={"kind": {"cross_entropy": {}, "target": "kind"}})
    measured = build_objective(heads, chosen, Learned(columns, (1, 4)))
    images = torch.randint(0, 255, (20, 4), generator=torch.Generator().manual_seed(3)).byte()
    targets = {"label": torch.arange(20) % 3, "kind": torch.arange(20) % 2}
    network = Outputs(lambda x: {"label": x[:, :3], "kind": x[:, 2:]})
    found = evaluate(network, Split(images, targets), PLAIN, CPU, measured, manner=DETAILED)
    for head, scores in network(images.float()).items():
        called, names = scores.argmax(1), columns[head].names
        assert found.heads[head].names == names
        wanted = confusion_matrix(targets[head], called, labels=range(len(names)))
        assert found.heads[head].confusion == tuple(map(tuple, wanted))
        assert found.figures[f"{head}.recall"] == pytest.approx(
            recall_score(targets[head], called, average="macro")
        )


def test_two_classes_of_one_output_have_the_probabilities_of_a_sigmoid() -> None:
    columns = {"label": Column("class", ("no", "yes"))}
    chosen = settings(tasks={"output": {"binary_cross_entropy": {}, "target": "label"}})
    measured = build_objective({"output": Head((1,))}, chosen, Learned(columns, (1, 4)))
    generator = np.random.default_rng(1)
    values, labels = generator.normal(size=(90, 1)).astype(np.float32), generator.integers(0, 2, 90)
    split = labeled(torch.arange(90, dtype=torch.uint8).reshape(-1, 1), torch.tensor(labels))
    found = evaluate(Table(values.tolist()), split, PLAIN, CPU, measured, manner=DETAILED)
    yes = 1 / (1 + np.exp(-values.astype(np.float64)))
    wanted = calibration_error(np.concatenate([1 - yes, yes], 1), labels)
    assert found.figures["ece"] == pytest.approx(wanted, rel=1e-5)


FLIP = Manner(flip=True)


def test_with_mirror_images_probabilities_are_means() -> None:
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 255, (30, 1, 2, 4), generator=generator).byte()
    labels = torch.randint(0, 4, (30,), generator=generator)
    network = Outputs(lambda x: x[:, 0, 0] * torch.tensor([1, 3, 2, 1]) / 80)
    measured = objective({"output": Head((4,))}, 4)
    found = evaluate(network, labeled(images, labels), PLAIN, CPU, measured, manner=FLIP)
    ours, mirrored = (network(each.double()).softmax(1) for each in (images, images.flip(-1)))
    mean = (ours + mirrored) / 2
    assert found.figures["loss"] == pytest.approx(log_loss(labels, mean.numpy()), rel=1e-5)
    assert found.figures["accuracy"] == accuracy_score(labels, mean.argmax(1))
    assert not torch.equal(mean.argmax(1), ours.argmax(1))


def test_masks_and_pictures_are_mirrored_back() -> None:
    """A network that computes each pixel from itself says the same of the mirror image, mirrored."""
    generator = torch.Generator().manual_seed(6)
    images = torch.randint(0, 255, (9, 1, 3, 4), generator=generator).byte()
    masks = torch.randint(0, 2, (9, 3, 4), generator=generator).byte()
    columns = {"mask": Column("mask", ("a", "b"))}
    heads = {"mask": Head((2, 3, 4)), "image": Head((1, 3, 4)), "vector": Head((12,))}
    task = {"mse": {}, "target": "input"}
    chosen = settings(tasks={"image": task, "vector": task})
    measured = build_objective(heads, chosen, Learned(columns, (1, 3, 4)))

    def of_pixels(x: Tensor) -> dict[str, Tensor]:
        return {"mask": torch.cat([x - 99, 99 - x], 1) / 50, "image": x / 300, "vector": x.flatten(1) / 300}

    split = Split(images, {"mask": masks})
    plain, both = (
        evaluate(Outputs(of_pixels), split, PLAIN, CPU, measured, manner=manner)
        for manner in (Manner(), FLIP)
    )
    assert both.figures == pytest.approx(plain.figures, rel=1e-5)
    assert both.heads == plain.heads


@pytest.mark.parametrize("criterion", ["cross_entropy", "probabilities", "distance", "margin"])
def test_what_is_said_together_has_the_mean_probabilities(criterion: str) -> None:
    values, others = torch.rand(2, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    if criterion == "distance":
        values, others = 60 + 80 * values, 60 + 80 * others
    reading = READINGS[criterion]

    def probabilities(each: Tensor) -> Tensor:
        return reading.probabilities(reading.said(each))

    wanted = (probabilities(values) + probabilities(others)) / 2
    torch.testing.assert_close(probabilities(reading.together(values, others)), wanted)


def test_probabilities_of_distances_are_those_of_their_loss() -> None:
    """Equation 9 of LeCun et al. (1998) is the negative logarithm of the probability of the label."""
    values = 100 * torch.rand(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    reading, labels = READINGS["distance"], torch.arange(6) % 5
    found = reading.probabilities(reading.said(values)).gather(1, labels.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(-found.log(), distance(values, labels))
