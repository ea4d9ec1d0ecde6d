"""Which runs can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import cnncli
from cnncli.diagnostics import UsageError
from cnncli.graph import open_text
from cnncli.report.pages.train import introduce
from cnncli.report.terminal import output
from cnncli.training.data.dataset import Dataset, labeled
from cnncli.training.runs.checkpoint import Position
from cnncli.training.runs.files import write_tensors
from cnncli.training.runs.resuming import (
    check_data,
    check_network,
    check_position,
    check_settings,
    differences,
)
from cnncli.training.runs.run import open_run
from tests.training.support import begin, few_digits, resume, settings


def test_what_changes_the_result_may_not_change(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", settings())
    check_settings(run, settings(epochs=99, data="folder:elsewhere", save={"minutes": 1, "steps": 5}))
    check_data(run, few_digits())
    whole = few_digits()
    other = Dataset(
        whole.name, whole.columns, whole.train, labeled(whole.test.images[:9], whole.test.labels[:9])
    )
    changed = settings(optimizer={"sgd": {"lr": 0.1}}, seed=8)
    with pytest.raises(UsageError, match=r"seed: 7, not 8 and optimizer\.sgd\.lr: 0\.05, not 0\.1"):
        check_settings(run, changed)
    with pytest.raises(UsageError, match="the data is not the data"):
        check_data(run, other)


NET = "input: [1, 8, 8]\nlayers: [{conv: {channels: 4, kernel: 3}}, relu, flatten, linear: 10]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NET.replace("4, k", "5, k"), "conv1.conv.channels: 4, not 5"),
        (NET.replace("}},", "}, name: c},"), "conv1: conv, not nothing, "),
        (NET.replace("relu", "gelu"), "flatten1.flatten.from: relu1, not gelu1 and gelu1: nothing, not gelu"),
        (NET.replace("relu, flatten", "flatten, relu"), "from: conv1, not flatten1"),
        (NET.replace("8, 8", "9, 9"), "the input: 1x8x8, not 1x9x9"),
    ],
)
def test_each_layer_that_differs_is_named(tmp_path: Path, text: str, expected: str) -> None:
    run = begin(tmp_path / "run", settings())
    before = open_text(NET).graph
    check_network(run, before, open_text(NET + "train: {epochs: 7}\nbudget: {params: 9k}\n").graph)
    with pytest.raises(UsageError) as caught:
        check_network(run, before, open_text(text).graph)
    assert expected in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"data": {"resize": "pad"}}, ["data.resize: crop, not pad"]),
        ({"data": {"source": "idx:elsewhere"}}, []),
        ({"schedule": "cosine"}, ["schedule.cosine.warmup: 1.0, not 0.0"]),
        (
            {"schedule": {"linear": {"warmup": 1}}, "batch": 9},
            ["batch: 32, not 9", "schedule: cosine, not linear"],
        ),
        ({"optimizer": "adamw"}, ["optimizer: sgd, not adamw"]),
        ({"tasks": {"output": {"weight": 2}}}, ["tasks: nothing, not output"]),
        ({"epochs": 7, "save": {"steps": 3}}, []),
    ],
)
def test_each_difference_is_named_by_its_path(changes: dict[str, Any], expected: list[str]) -> None:
    assert differences(settings().plain(), settings(**changes).plain()) == expected


@pytest.mark.parametrize(
    ("position", "least", "message"),
    [
        (Position(), 1, ""),
        (Position(epochs=2), 2, "already after epoch 2"),
        (Position(epochs=2, batches=1), 3, "already in epoch 3"),
    ],
)
def test_epochs_that_are_reached_already(position: Position, least: int, message: str) -> None:
    check_position(position, least)
    if message:
        with pytest.raises(UsageError, match=message):
            check_position(position, least - 1)


def test_the_position_is_that_of_the_checkpoint(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", settings(epochs=1))
    assert run.position == Position()
    resume(tmp_path / "run", settings(epochs=1))
    assert run.position == Position(epochs=1)
    position = {"epochs": -1, "batches": 0, "seconds": 0.0}
    metadata: dict[str, object] = {
        "schema": "cnncli.checkpoint/3",
        "run": run.record.id,
        "history": [],
        "start": None,
        "position": position,
    }
    write_tensors(run.checkpoint, {}, metadata)
    with pytest.raises(UsageError, match=r"position.epochs is not a whole number of 0 or more"):
        _ = run.position


def test_another_number_of_threads_is_recorded_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The order of sums depends on it, so a resumed run may end with other bits."""
    spec = tmp_path / "net.yaml"
    spec.write_text("input: [1, 8, 8]\nlayers: [flatten, linear: 10]\ntrain: {data: digits, epochs: 1}\n")
    threads = torch.get_num_threads()
    cnncli.load(spec).train(run=tmp_path / "run", device="cpu")
    try:
        torch.set_num_threads(threads + 1)
        launch = cnncli.resume(tmp_path / "run", overrides=["train.epochs=2"], device="cpu")
        assert launch.introduction.moved == (f"threads: {threads + 1}, before {threads}",)
        introduce(output(), launch.introduction)
        assert f"threads: {threads + 1}, before {threads}" in capsys.readouterr().out
        launch.start()
    finally:
        torch.set_num_threads(threads)
    record = open_run(tmp_path / "run").record
    assert [each.threads for each in record.environments] == [threads, threads + 1]
