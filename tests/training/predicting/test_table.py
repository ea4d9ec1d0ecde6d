"""Tables of what is predicted: every form that a table can have, and samples without a target."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cnncli.diagnostics import UsageError
from cnncli.graph.heads import Head, Heads
from cnncli.recipe.columns import Column
from cnncli.training.data.feed import Batch
from cnncli.training.predicting.table import Predictions
from cnncli.training.tasks.building import Learned, build_objective
from cnncli.training.tasks.objective import Objective
from tests.training.support import settings

COLUMNS = {
    "label": Column("class", ("cat", "a dog, brown")),
    "labels": Column("tags", ("red", "big", "old")),
    "value": Column("number", ("age", "height")),
    "mask": Column("mask", ("in", "out")),
}
HEADS = {"what": Head((2,)), "is": Head((3,)), "has": Head((2,)), "where": Head((2, 4, 4))}
TASKS = {"is": "binary_cross_entropy", "has": "mse"}


def objective(heads: Heads) -> Objective:
    tasks = {name: task for name, task in TASKS.items() if name in heads}
    return build_objective(heads, settings(tasks=tasks), Learned(COLUMNS, (1, 4, 4)))


def batch(present: Tensor) -> Batch:
    targets = {
        "label": torch.tensor([1, 0]),
        "labels": torch.tensor([[1.0, 0, 1], [0, 0, 0]]),
        "value": torch.tensor([[1.5, 2], [3, 4]]),
        "mask": torch.zeros(2, 4, 4, dtype=torch.int64),
    }
    return Batch(torch.empty(2, 1, 4, 4), targets, {"label": present, "labels": present, "value": present})


def test_every_form_has_its_columns(tmp_path: Path) -> None:
    found = Predictions(objective(HEADS), tmp_path / "out.csv")
    assert found.notes == ("not in the table: where",)
    outputs = {
        "what": torch.tensor([[0.0, 0.0], [2.0, 0.0]]),
        "is": torch.tensor([[5.0, -5.0, 0.0], [-1.0, 1.0, -1.0]]),
        "has": torch.tensor([[0.1, 1e7], [3.0, 4.25]]),
        "where": torch.zeros(2, 2, 4, 4),
    }
    for present in (torch.tensor([True, True]), torch.tensor([True, False])):
        found.heard(outputs, batch(present))
    assert found.finish(["a", "b\n", "c", "d\udcff"]) == 4
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.reader(file)]
    yes, no, half, third = (f"{torch.tensor(each).sigmoid():.6f}" for each in (5.0, -5.0, 0.0, 1.0))
    low, second = f"{1 - float(third):.6f}", f"{torch.tensor([2.0, 0]).softmax(0)[0]:.6f}"
    first = ("a dog, brown", "cat", "0.500000", "red|old", "red|old", yes, no, half)
    cells = (*first, "1.5", "0.100000001", "2", "10000000")
    assert rows == [
        [
            "image",
            *("what.true", "what.predicted", "what.probability"),
            *("is.true", "is.predicted", *(f"is.probability.{tag}" for tag in ("red", "big", "old"))),
            *("has.true.age", "has.predicted.age", "has.true.height", "has.predicted.height"),
        ],
        ["a", *cells],
        ["b\n", "cat", "cat", second, "", "big", low, third, low, "3", "3", "4", "4.25"],
        ["c", *cells],
        ["d\\udcff", "", "cat", second, "", "big", low, third, low, "", "3", "", "4.25"],
    ]


def test_a_table_of_masks_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a table cannot have what this network predicts") as caught:
        Predictions(objective({"where": Head((2, 4, 4))}), tmp_path / "out.csv")
    assert caught.value.diagnostics[0].hint == "'cnncli predict' writes pictures of it"
