"""Samples without a target for a head are in none of its figures, nor in its loss; tags and numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from cnncli.diagnostics import UsageError
from cnncli.graph.heads import Head
from cnncli.recipe.columns import Column
from cnncli.training.data.dataset import IGNORED, Split
from cnncli.training.data.feed import Feed
from cnncli.training.data.recorded import Normalization
from cnncli.training.evaluate import evaluate
from cnncli.training.tasks.building import Learned, build_objective
from cnncli.training.tasks.presence import check_targets, missing_notes
from tests.training.support import CPU, settings

COLUMNS = {
    "label": Column("class", ("cat", "dog", "fox")),
    "labels": Column("tags", ("wet", "old")),
    "value": Column("number", ("age", "mass")),
    "mask": Column("mask", ("ground", "animal")),
}
HEADS = {"species": Head((3,)), "traits": Head((2,)), "sizes": Head((2,)), "where": Head((2, 4, 4))}
TASKS = {
    "species": {"cross_entropy": {}, "weight": 2.0},
    "traits": {"binary_cross_entropy": {}},
    "sizes": {"mse": {}, "weight": 0.5},
    "where": {"cross_entropy": {}},
}
COUNT = 6
KNOWN = {
    "label": [True, False, True, True, True, True],
    "labels": [True, True, False, True, True, True],
    "value": [False, True, True, True, True, True],
    "mask": [True, True, True, True, False, True],
}
NORMALIZATION = Normalization((0.5,), (1.0,))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def part() -> Split:
    targets = {
        "label": torch.randint(0, 3, (COUNT,), generator=generator(0)),
        "labels": torch.randint(0, 2, (COUNT, 2), generator=generator(1), dtype=torch.uint8),
        "value": torch.rand(COUNT, 2, generator=generator(2)),
        "mask": torch.randint(0, 2, (COUNT, 4, 4), generator=generator(3), dtype=torch.uint8),
    }
    for name, missing in (("label", -1), ("labels", IGNORED), ("value", torch.nan), ("mask", IGNORED)):
        targets[name][~torch.tensor(KNOWN[name])] = missing
    targets["value"][0, 1] = 0.5  # one number of two is not a target
    images = torch.randint(0, 256, (COUNT, 1, 4, 4), generator=generator(4), dtype=torch.uint8)
    return Split(images, targets)


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = torch.nn.Linear(16, 3 + 2 + 2 + 32)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        values = self.trunk(x.flatten(1)).split([3, 2, 2, 32], 1)
        return {**dict(zip(HEADS, values[:3], strict=False)), "where": values[3].reshape(-1, 2, 4, 4)}


@torch.no_grad()
def of_each_sample(network: torch.nn.Module) -> dict[str, float]:
    """The mean loss of each head, from samples that are measured one by one, without the missing ones."""
    found: dict[str, list[float]] = {name: [] for name in HEADS}
    objective = build_objective(HEADS, settings(tasks=TASKS), Learned(COLUMNS, (1, 4, 4)))
    for sample in range(COUNT):
        one = part().chosen(torch.tensor([sample]))
        batch = next(Feed(one, COLUMNS, NORMALIZATION, CPU, keep=True).in_order([(0, 1)]))
        figures = objective.measure(network(batch.inputs), batch, {})
        for head, column in zip(HEADS, COLUMNS, strict=True):
            if KNOWN[column][sample]:
                found[head].append(float(figures[f"{head}.loss"].total))
    return {head: sum(losses) / len(losses) for head, losses in found.items()}


def test_heads_are_measured_on_the_samples_that_have_a_target() -> None:
    network = Network()
    objective = build_objective(HEADS, settings(tasks=TASKS), Learned(COLUMNS, (1, 4, 4)))
    expected = of_each_sample(network)
    figures = evaluate(network, part(), NORMALIZATION, CPU, objective).figures
    for head, loss in expected.items():
        assert figures[f"{head}.loss"] == pytest.approx(loss, rel=1e-5)
    weights = {"species": 2.0, "traits": 1.0, "sizes": 0.5, "where": 1.0}
    assert figures["loss"] == pytest.approx(sum(weights[head] * loss for head, loss in expected.items()))
    assert {"species.f1", "traits.map", "sizes.r2", "sizes.mae", "where.iou", "where.dice"} <= figures.keys()
    assert {*objective.figures} == figures.keys()


def test_the_objective_is_the_same_mean_and_missing_targets_have_no_gradient() -> None:
    network = Network()
    objective = build_objective(HEADS, settings(tasks=TASKS), Learned(COLUMNS, (1, 4, 4)))
    expected = of_each_sample(network)
    batch = next(Feed(part(), COLUMNS, NORMALIZATION, CPU, keep=True).in_order([(0, COUNT)]))
    output = {name: each.detach().requires_grad_() for name, each in network(batch.inputs).items()}
    minimized, figures = objective(output, batch)
    weights = {"species": 2.0, "traits": 1.0, "sizes": 0.5, "where": 1.0}
    total = sum(weights[head] * loss for head, loss in expected.items())
    assert minimized.item() == pytest.approx(total, rel=1e-5)
    minimized.backward()
    for head, column in zip(HEADS, COLUMNS, strict=True):
        assert float(figures[f"{head}.loss"].samples) == sum(KNOWN[column])
        gradient = output[head].grad
        assert gradient is not None
        moved = gradient.flatten(1).any(1).tolist()
        assert moved == KNOWN[column], head


def test_what_is_missing_is_counted_and_said() -> None:
    objective = build_objective(HEADS, settings(tasks=TASKS), Learned(COLUMNS, (1, 4, 4)))
    whole = part().chosen(torch.tensor([3, 5]))
    missing = [check_targets("these", each, objective) for each in (part(), whole)]
    assert missing == [{"label": 1, "labels": 1, "value": 1, "mask": 1}, {}]
    first, *rest = missing_notes([part(), whole], missing)
    assert first == "without a target in 'label', so in no loss or figure of it: 1 of 6 training images"
    assert len(rest) == 3
    (note,) = missing_notes([part()], [{"mask": 2}], ["image"])
    assert note.endswith("of it: 2 of 6 images")
    with pytest.raises(UsageError, match="these has no target in 'label'"):
        check_targets("these", part().chosen(torch.tensor([1])), objective)


def test_a_batch_without_any_target_has_a_loss_of_nothing() -> None:
    none = part()
    none.targets["label"].fill_(-1)
    tasks: dict[str, dict[str, Any]] = {"species": {"cross_entropy": {}}}
    objective = build_objective({"species": Head((3,))}, settings(tasks=tasks), Learned(COLUMNS, (1, 4, 4)))
    columns = {"label": COLUMNS["label"]}
    batch = next(Feed(none, columns, NORMALIZATION, CPU, keep=True).in_order([(0, COUNT)]))
    values = torch.randn(COUNT, 3, requires_grad=True)
    minimized, figures = objective({"species": values}, batch)
    minimized.backward()
    assert minimized.item() == 0
    assert values.grad is not None
    assert not values.grad.any()
    assert float(figures["species.loss"].samples) == 0


def test_one_output_for_two_classes() -> None:
    columns = {"label": Column("class", ("no", "yes"))}
    tasks = {"output": {"binary_cross_entropy": {}, "target": "label"}}
    objective = build_objective({"output": Head((1,))}, settings(tasks=tasks), Learned(columns, (1, 4, 4)))
    logits, labels = torch.tensor([[2.0], [-1.0], [0.5]]), torch.tensor([1, 0, 0])
    split = Split(torch.zeros(3, 1, 4, 4, dtype=torch.uint8), {"label": labels})
    batch = next(Feed(split, columns, NORMALIZATION, CPU, keep=True).in_order([(0, 3)]))
    found = objective(logits, batch)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], labels.float())
    assert found.objective.item() == pytest.approx(expected.item())
    assert float(found.figures["output.accuracy"].total) == 2
