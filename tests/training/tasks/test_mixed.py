"""The loss of mixed samples: torch's losses of soft targets, and sums by hand, are the oracles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cnncli.graph.heads import Head
from cnncli.recipe.columns import Column
from cnncli.training.data.dataset import IGNORED, Split
from cnncli.training.data.feed import Alters, Batch, Feed
from cnncli.training.data.recorded import Normalization
from cnncli.training.tasks.building import Learned, build_objective
from cnncli.training.tasks.objective import Minimized
from cnncli.training.transforms import Pipeline
from tests.training.support import CPU, settings

COUNT = 12
COLUMNS = {
    "label": Column("class", ("cat", "dog", "fox")),
    "labels": Column("tags", ("wet", "old")),
    "value": Column("number", ("age", "mass")),
    "mask": Column("mask", ("ground", "animal")),
    "target": Column("picture", (), (1, 4, 4)),
    "input": Column("picture", (), (1, 4, 4)),
}
HEADS = {
    "label": Head((3,)),
    "labels": Head((2,)),
    "value": Head((2,)),
    "mask": Head((2, 4, 4)),
    "target": Head((1, 4, 4)),
    "input": Head((1, 4, 4)),
}
TASKS: Mapping[str, Any] = {
    "label": {"cross_entropy": {}},
    "labels": {"binary_cross_entropy": {}},
    "value": {"mse": {}},
    "mask": {"cross_entropy": {}},
    "target": {"mse": {}},
    "input": {"mse": {}, "target": "input"},
}


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def part() -> Split:
    targets = {
        "label": torch.randint(0, 3, (COUNT,), generator=random(0)),
        "labels": torch.randint(0, 2, (COUNT, 2), generator=random(1), dtype=torch.uint8),
        "value": torch.rand(COUNT, 2, generator=random(2)),
        "mask": torch.randint(0, 2, (COUNT, 4, 4), generator=random(3), dtype=torch.uint8),
        "target": torch.randint(0, 256, (COUNT, 1, 4, 4), generator=random(4), dtype=torch.uint8),
    }
    return Split(torch.randint(0, 256, (COUNT, 1, 4, 4), generator=random(5), dtype=torch.uint8), targets)


def batch_of(split: Split, mix: str) -> Batch:
    """The whole part as one mixed batch, in another order."""
    alters = Alters(Pipeline(settings(transforms=[mix]).transforms).alter(COUNT, 3, 0))
    feed = Feed(split, COLUMNS, Normalization((0.5,), (1.0,)), CPU, keep=True)
    (batch,) = feed.shuffled(torch.randperm(COUNT, generator=random(6)), [(0, COUNT)], alters)
    return batch


def outputs() -> dict[str, Tensor]:
    return {
        name: torch.randn(COUNT, *head.shape, generator=random(7)).requires_grad_()
        for name, head in HEADS.items()
    }


def trained_on(name: str, task: object, batch: Batch, output: dict[str, Tensor]) -> Minimized:
    """What one head is trained on."""
    learned = Learned(COLUMNS, (1, 4, 4), lambda _: torch.tensor([5, 4, 3]))
    objective = build_objective({name: HEADS[name]}, settings(tasks={name: task}), learned)
    return objective({name: output[name]}, batch)


def shares(batch: Batch) -> Tensor:
    assert batch.mixed is not None
    assert 0 < batch.mixed.share.min() < batch.mixed.share.max() <= 1
    return batch.mixed.share.unsqueeze(1)


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
@pytest.mark.parametrize(
    "loss", [{}, {"smoothing": 0.2}, {"weights": [1, 2, 0.5]}, {"weights": [1, 2, 0.5], "smoothing": 0.1}]
)
def test_cross_entropy_is_that_of_soft_targets(mix: str, loss: dict[str, Any]) -> None:
    batch, output = batch_of(part(), mix), outputs()
    hot = functional.one_hot(batch.targets["label"], 3)
    soft = shares(batch) * hot + (1 - shares(batch)) * hot.roll(-1, 0)
    weights = torch.tensor(loss["weights"]) if "weights" in loss else None
    smoothing = loss.get("smoothing", 0.0)
    logits = output["label"].detach().requires_grad_()
    losses = functional.cross_entropy(logits, soft, weights, reduction="none", label_smoothing=smoothing)
    expected = losses.mean()
    minimized, figures = trained_on("label", {"cross_entropy": loss}, batch, output)
    assert minimized.item() == pytest.approx(expected.item(), rel=1e-5)
    minimized.backward()
    expected.backward()
    torch.testing.assert_close(output["label"].grad, logits.grad)
    plain = functional.cross_entropy(logits, soft)
    assert (figures["label.loss"].total / COUNT).item() == pytest.approx(plain.item(), rel=1e-5)
    right = logits.argmax(1)
    accuracy = soft[torch.arange(COUNT), right].mean()
    assert (figures["label.accuracy"].total / COUNT).item() == pytest.approx(accuracy.item(), rel=1e-5)


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_tags_are_soft_and_numbers_have_both_losses(mix: str) -> None:
    batch, output = batch_of(part(), mix), outputs()
    tags, values = batch.targets["labels"], batch.targets["value"]
    soft = shares(batch) * tags + (1 - shares(batch)) * tags.roll(-1, 0)
    expected = functional.binary_cross_entropy_with_logits(output["labels"], soft)
    found = trained_on("labels", TASKS["labels"], batch, output).objective
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    errors = (output["value"] - values).square(), (output["value"] - values.roll(-1, 0)).square()
    both = shares(batch) * errors[0] + (1 - shares(batch)) * errors[1]
    minimized, figures = trained_on("value", TASKS["value"], batch, output)
    assert minimized.item() == pytest.approx(both.mean().item(), rel=1e-5)
    assert figures["value.loss"].total.item() == pytest.approx(both.mean(1).sum().item(), rel=1e-5)


def test_masks_of_blended_images_have_both_losses() -> None:
    batch, output = batch_of(part(), "mixup"), outputs()
    mask = batch.targets["mask"]
    both = [
        functional.cross_entropy(output["mask"], each, reduction="none") for each in (mask, mask.roll(-1, 0))
    ]
    of_samples = [each.flatten(1).mean(1, keepdim=True) for each in both]
    expected = (shares(batch) * of_samples[0] + (1 - shares(batch)) * of_samples[1]).mean()
    found = trained_on("mask", TASKS["mask"], batch, output).objective
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_masks_of_pasted_images_have_one_loss() -> None:
    batch, output = batch_of(part(), "cutmix"), outputs()
    expected = functional.cross_entropy(output["mask"], batch.targets["mask"])
    found = trained_on("mask", TASKS["mask"], batch, output).objective
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
@pytest.mark.parametrize("name", ["target", "input"])
def test_pictures_are_mixed_themselves(mix: str, name: str) -> None:
    batch, output = batch_of(part(), mix), outputs()
    expected = functional.mse_loss(output[name], batch.targets[name])
    found = trained_on(name, TASKS[name], batch, output).objective
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(batch.targets["input"] - 0.5, batch.inputs, rtol=0, atol=1e-6)
    stored = part().targets["target"] / 255
    assert not torch.isin(batch.targets["target"][:, 0, 0, 0], stored[:, 0, 0, 0]).all() or mix == "cutmix"


def test_only_the_share_that_has_a_target_counts() -> None:
    """Of twelve samples three have no class, so that of some both targets are missing and of some one."""
    split = part()
    split.targets["label"][torch.tensor([1, 2, 7])] = -1
    split.targets["value"][4] = torch.nan
    split.targets["mask"][5] = IGNORED
    split.targets["labels"][6] = IGNORED
    batch, output = batch_of(split, "mixup"), outputs()
    order = torch.randperm(COUNT, generator=random(6))
    share = shares(batch).flatten()
    for name in ("label", "value", "mask", "labels"):
        total, count = 0.0, 0.0
        for place in range(COUNT):
            for sample, weight in (
                (order[place], share[place]),
                (order[(place + 1) % COUNT], 1 - share[place]),
            ):
                one = split.chosen(sample.reshape(1))
                feed = Feed(one, COLUMNS, Normalization((0.5,), (1.0,)), CPU, keep=True)
                (alone,) = feed.in_order([(0, 1)])
                value = {name: output[name].detach()[place : place + 1]}
                figure = trained_on(name, TASKS[name], alone, value).figures[f"{name}.loss"]
                total += float(weight * figure.total)
                count += float(weight * figure.samples)
        assert 8 < count < COUNT
        minimized, figures = trained_on(name, TASKS[name], batch, output)
        assert float(figures[f"{name}.loss"].samples) == pytest.approx(count, rel=1e-5)
        assert figures[f"{name}.loss"].total.item() == pytest.approx(total, rel=1e-5)
        assert minimized.item() == pytest.approx(total / count, rel=1e-5)


def test_a_batch_without_any_target_adds_nothing() -> None:
    split = part()
    split.targets["label"][:] = -1
    batch, output = batch_of(split, "mixup"), outputs()
    minimized, figures = trained_on("label", TASKS["label"], batch, output)
    assert minimized.item() == 0
    assert figures["label.loss"].samples == 0
    minimized.backward()
    assert output["label"].grad is not None
    assert not output["label"].grad.any()


def test_new_classes_of_a_map_are_mixed() -> None:
    batch, output = batch_of(part(), "cutmix"), outputs()
    task = {"cross_entropy": {}, "target": {"of": "label", "map": ["cat", "dog", None]}}
    learned = Learned(COLUMNS, (1, 4, 4))
    objective = build_objective({"label": Head((2,))}, settings(tasks={"label": task}), learned)
    found = objective({"label": output["label"][:, :2]}, batch).figures["label.loss"]
    known = (batch.targets["label"] < 2).float()
    expected = shares(batch).flatten() * known + (1 - shares(batch).flatten()) * known.roll(-1, 0)
    assert float(found.samples) == pytest.approx(expected.sum().item(), rel=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_no_rounding_makes_a_share_larger_than_1(seed: int) -> None:
    """A checkpoint with more correct samples than samples would be damaged."""
    labels = torch.zeros(COUNT, dtype=torch.int64)
    known = torch.rand(COUNT, generator=random(seed)) < 0.7
    split = Split(part().images, {"label": torch.where(known, labels, -1)})
    pipeline = Pipeline(settings(transforms=["mixup"]).transforms)
    column = {"label": COLUMNS["label"]}
    feed = Feed(split, column, Normalization((0.5,), (1.0,)), CPU, keep=True)
    (batch,) = feed.in_order([(0, COUNT)], Alters(pipeline.alter(COUNT, seed, 0)))
    objective = build_objective({"label": HEADS["label"]}, settings(), Learned(column, (1, 4, 4)))
    right = torch.tensor([[5.0, 0.0, 0.0]]).expand(COUNT, 3)
    total, samples = objective({"label": right}, batch).figures["label.accuracy"]
    assert total <= samples <= COUNT
