"""Training learns, and repeats to the last bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnncli.diagnostics import UsageError
from cnncli.graph.heads import Head, Heads
from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Progress, Trained
from cnncli.training.conduct import Conduct
from cnncli.training.data.batches import epoch_order
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.normalization import measure
from cnncli.training.evaluate import evaluate
from cnncli.training.loop import seed_weights, train
from cnncli.training.observer import Silent
from cnncli.training.plan import Extent, Subject, check_trainable
from cnncli.training.runs.run import open_run
from cnncli.training.runs.weights import load_weights
from tests.training.support import (
    CPU,
    HEADS,
    TWO_HEADS,
    TwoHeads,
    as_trained,
    assert_same_result,
    begin,
    few_digits,
    figures,
    objective,
    of_part,
    read_metrics,
    resume,
    run_whole,
    same_weights,
    settings,
    small_network,
)


def test_equals_a_loop_written_by_hand(tmp_path: Path) -> None:
    """The oracle: plain PyTorch, SGD with one rate, a network without chance."""
    chosen = settings(
        epochs=2, schedule="constant", optimizer={"sgd": {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}}
    )
    dataset = few_digits()
    normalization = measure(dataset.train.rows)

    def network() -> nn.Module:
        torch.manual_seed(5)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Tanh(), nn.Linear(20, 10))

    reference = network()
    weights = [value for name, value in reference.named_parameters() if "weight" in name]
    biases = [value for name, value in reference.named_parameters() if "bias" in name]
    groups = [{"params": weights, "weight_decay": 0.01}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.05, momentum=0.9)
    images = (dataset.train.images.double() / 255 - normalization.mean[0]) / normalization.std[0]
    losses = []
    for epoch in range(2):
        total = 0.0
        for index in epoch_order(200, 7, epoch).split(32):
            loss = nn.functional.cross_entropy(reference(images[index].float()), dataset.train.labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
        losses.append(total / 200)

    trained = network()
    run = begin(tmp_path / "run", chosen)
    outcome = train(Subject(trained, HEADS), dataset, chosen, run, device=CPU)
    for ours, theirs in zip(trained.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert [each.figures["train.loss"] for each in outcome.history] == pytest.approx(losses, rel=1e-4)


def test_learns_the_digits(tmp_path: Path) -> None:
    _, outcome = run_whole(tmp_path / "run", settings(epochs=12))
    assert outcome.status == "finished"
    assert outcome.signal is None
    assert outcome.history[-1].figures["test.accuracy"] > 0.85
    assert outcome.history[-1].figures["train.loss"] < outcome.history[0].figures["train.loss"] / 3


@pytest.mark.parametrize("chosen", [settings(), settings(optimizer={"adamw": {"lr": 0.01}}, batch=199)])
def test_same_seed_same_bits(tmp_path: Path, chosen: Any) -> None:
    first, outcome = run_whole(tmp_path / "a", chosen)
    second, again = run_whole(tmp_path / "b", chosen)
    assert same_weights(first, second)
    assert figures(outcome.history) == figures(again.history)
    assert_same_result(tmp_path / "b", second, tmp_path / "a", first)


def test_another_seed_other_bits(tmp_path: Path) -> None:
    first, _ = run_whole(tmp_path / "a", settings(epochs=1))
    second, _ = run_whole(tmp_path / "b", settings(epochs=1, seed=8))
    assert not same_weights(first, second)


def test_files_have_what_was_returned(tmp_path: Path) -> None:
    chosen = settings()
    network, outcome = run_whole(tmp_path / "run", chosen)
    run = open_run(tmp_path / "run")
    assert read_metrics(run) == outcome.history
    assert [json.loads(line)["epoch"] for line in run.metrics.read_text().splitlines()] == [1, 2, 3]
    assert run.record.settings == chosen
    assert run.record.normalization == measure(few_digits().train.rows)
    loaded = small_network()
    load_weights(loaded, run.weights)
    assert same_weights(loaded, network)
    found = evaluate(
        loaded, few_digits().test, run.record.normalization, CPU, objective(), manner=as_trained(loaded)
    )
    assert found.figures == of_part(outcome.history[-1], "test")


def test_the_path_of_the_data_is_recorded_as_absolute(tmp_path: Path) -> None:
    """Settings may have a relative path; the run records where the data was found."""
    dataset = few_digits()
    moved = Dataset("idx:/data/digits", dataset.columns, dataset.train, dataset.test)
    chosen = settings(epochs=1, data="idx:digits")
    run = begin(tmp_path / "run", chosen, moved)
    assert run.record.settings.data.source == "idx:/data/digits"
    again = Dataset("idx:/elsewhere", dataset.columns, dataset.train, dataset.test)
    train(Subject(small_network(), HEADS), again, chosen, run, device=CPU)
    record = open_run(tmp_path / "run").record
    assert (record.settings.data.source, record.data.source) == ("idx:/elsewhere", "idx:/elsewhere")


def test_two_processes_do_not_share_a_run(tmp_path: Path) -> None:
    chosen = settings()
    run = begin(tmp_path / "run", chosen)
    with run.locked(), pytest.raises(UsageError, match="another process"):
        resume(tmp_path / "run", chosen)
    resume(tmp_path / "run", chosen)


@pytest.mark.parametrize(
    ("heads", "chosen", "message"),
    [
        ({"output": Head((7,))}, settings(), "has 7 outputs, but the data has 10 classes"),
        ({"output": Head((64,))}, settings(), "has 64 outputs"),
        (HEADS, settings(tasks={"auxx": {"weight": 1.0}}), "the network has no head 'auxx'"),
    ],
)
def test_mistakes_are_found_before_a_folder_is_created(heads: Heads, chosen: Recipe, message: str) -> None:
    check_trainable(Subject(small_network(), HEADS), (1, 8, 8), few_digits(), settings())
    with pytest.raises(UsageError, match=message):
        check_trainable(Subject(small_network(), heads), (1, 8, 8), few_digits(), chosen)


METRICS_OF_CLASSES = ("loss", "accuracy", "top5", "f1")


def test_training_loss_and_test_loss_are_the_same_quantity(tmp_path: Path) -> None:
    """At a rate of almost 0 nothing is learned, so on the same images they are equal."""
    whole = few_digits()
    same = Dataset(whole.name, whole.columns, whole.train, whole.train)
    smoothed = {"cross_entropy": {"smoothing": 0.2}}
    tasks = {"aux": smoothed | {"weight": 0.3}, "main": smoothed | {"weight": 2.0}}
    chosen = settings(epochs=1, optimizer={"sgd": {"lr": 1e-30}}, tasks=tasks)
    torch.manual_seed(0)
    run = begin(tmp_path / "run", chosen, same)
    (epoch,) = train(Subject(TwoHeads(), TWO_HEADS), same, chosen, run, device=CPU).history
    learned, held_out = of_part(epoch, "train"), of_part(epoch, "test")
    assert held_out.keys() == {*METRICS_OF_CLASSES, *(f"main.{name}" for name in METRICS_OF_CLASSES)}
    for name in ("loss", "main.loss"):
        assert learned[name] == pytest.approx(held_out[name], rel=1e-5)
    assert learned["accuracy"] == held_out["accuracy"] == learned["main.accuracy"]
    assert learned["loss"] == pytest.approx(2.0 * learned["main.loss"])
    assert learned["objective"] > 1.5 * learned["main.loss"]
    assert learned.keys() - held_out.keys() == {"objective", "aux.loss", "aux.accuracy"}


def test_a_part_of_a_training_has_the_steps_of_the_whole(tmp_path: Path) -> None:
    """Of a dry run: the same batches and learning rates, up to where it ends."""
    chosen = settings()
    weights: dict[str, dict[str, Tensor]] = {}

    class Watching(Silent):
        def progressed(self, progress: Progress) -> None:
            if (progress.phase, progress.epoch, progress.batch) == ("train", 1, 3):
                weights["whole"] = {name: each.clone() for name, each in network.state_dict().items()}

    def carried_out(folder: Path, extent: Extent) -> Trained:
        begin(folder, chosen)
        return train(
            Subject(network, HEADS),
            few_digits(),
            chosen,
            open_run(folder),
            device=CPU,
            observer=Watching(),
            conduct=Conduct(report=0, extent=extent),
        )

    seed_weights(chosen.seed)
    network = small_network()
    whole = carried_out(tmp_path / "whole", Extent())
    seed_weights(chosen.seed)
    network = small_network()
    part = carried_out(tmp_path / "part", Extent(1, 3))
    assert (len(whole.history), len(part.history)) == (3, 1)
    assert all(torch.equal(each, weights["whole"][name]) for name, each in network.state_dict().items())
