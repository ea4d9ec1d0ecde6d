"""What the network sees is corrupted, its targets are not, and every evaluation sees the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnncli
from cnncli.diagnostics import CnncliError
from cnncli.graph import open_text
from cnncli.graph.heads import Head
from cnncli.limits import MAX_SHRINKAGE
from cnncli.recipe.data import Data
from cnncli.recipe.transforms import CORRUPTIONS, Blur, Crop, Noise, Shrink, Transform
from cnncli.training.data.feed import Feed
from cnncli.training.data.load import load
from cnncli.training.data.normalization import measure
from cnncli.training.plan import Plan, Subject, make_plan
from cnncli.training.transforms import CORRUPTION, Pipeline, held_out_alters
from tests.training.support import CPU, Killed, Recorder, few_digits, kill, raise_at, settings

AUTOENCODER = """
input: [1, 8, 8]
layers:
  - conv: {channels: 6, kernel: 3, padding: same, activation: relu}
  - conv: {channels: 1, kernel: 3, padding: same, activation: sigmoid}
train:
  epochs: 2
  batch: 64
  data: {source: digits, limit: 0.2}
  optimizer: {adamw: {lr: 0.01}}
  transforms: [crop: 1, brightness]
  corrupt: [noise: 0.3, blur, {erase: 0.25}]
  tasks: {output: {mse: {}, target: input}}
"""
LARGER = """
input: [1, 8, 8]
layers:
  - conv: {channels: 8, kernel: 3, padding: same, activation: relu}
  - conv: {channels: 4, kernel: 3, padding: same}
  - pixelshuffle: 2
train:
  epochs: 1
  data: {source: digits, limit: 0.2}
  corrupt: [blur, shrink, noise: 0.1]
  tasks: {output: {mse: {}, target: input}}
"""
INPUT = {"output": {"mse": {}, "target": "input"}}


def plan(**changes: Any) -> Plan:
    heads = {"output": Head((1, 8, 8))}
    chosen = settings(tasks=INPUT, **changes)
    return make_plan(
        Subject(nn.Identity(), heads), few_digits(), chosen, measure(few_digits().train.rows), CPU
    )


def seen(feed: Feed, made: Plan) -> Tensor:
    """The inputs of all samples of a feed, in an evaluation."""
    alters = held_out_alters(made.settings, len(feed))
    return torch.cat([batch.inputs for batch in feed.in_order([(0, len(feed))], alters)])


@pytest.mark.parametrize("kind", [each for each in CORRUPTIONS.values() if each is not Shrink])
def test_only_what_is_seen_is_corrupted(kind: type[Transform]) -> None:
    corruption = kind()
    made = plan(corrupt=[corruption.keyword], transforms=["crop"])
    images = few_digits().train.images.float() / 255
    order, normalization = made.order(1), measure(few_digits().train.rows)
    (batch,) = made.train.shuffled(order, [(0, 32)], made.alters(1))
    index = order[:32]
    crop, corrupt = Pipeline([Crop()]), Pipeline([corruption], CORRUPTION)
    clean = crop(images[index], crop.table(200, 7, 1)[index])
    expected = corrupt(clean, corrupt.table(200, 7, 1)[index])
    assert torch.equal(batch.targets["input"], clean)
    assert not torch.equal(expected, clean)
    normalized = (expected - normalization.mean[0]) / normalization.std[0]
    torch.testing.assert_close(batch.inputs, normalized, rtol=0, atol=1e-5)


def test_the_draws_are_not_those_of_a_transform_and_change_with_the_epoch() -> None:
    as_transform = Pipeline([Noise()]).table(50, 7, 1)
    assert not torch.equal(Pipeline([Noise()], CORRUPTION).table(50, 7, 1), as_transform)
    made = plan(corrupt=["noise"])
    of_epochs = [
        torch.cat([each.inputs for each in made.train.in_order([(0, 200)], made.alters(epoch))])
        for epoch in (0, 1)
    ]
    assert not torch.equal(*of_epochs)


def test_every_evaluation_sees_the_same() -> None:
    made = plan(corrupt=[{"noise": 0.2}, "erase"])
    first = seen(made.test, made)
    assert torch.equal(seen(made.test, made), first)
    plain = plan()
    assert (seen(plain.test, plain) != first).flatten(1).any(1).all()
    (batch,) = made.test.in_order([(0, 60)], held_out_alters(made.settings, 60))
    assert torch.equal(batch.targets["input"], few_digits().test.images.float() / 255)


@pytest.mark.parametrize("text", [AUTOENCODER, LARGER], ids=["same size", "shrunk"])
def test_an_evaluation_repeats_the_last_epoch_also_of_a_resumed_run(tmp_path: Path, text: str) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(text)
    network = cnncli.load(spec)
    whole = network.train(run=tmp_path / "whole", device="cpu").history[-1].figures
    of_test = {name.removeprefix("test."): value for name, value in whole.items() if name.startswith("test.")}
    assert cnncli.evaluate(tmp_path / "whole", device="cpu").figures == of_test
    launch = network.begin(run=tmp_path / "run", device="cpu")
    with pytest.raises(Killed):
        launch.start(Recorder(raise_at(1, 2, "train", kill)), report_every=0)
    resumed = cnncli.resume(tmp_path / "run", device="cpu").start()
    assert resumed.history[-1].figures == whole


def test_the_images_of_a_run_are_larger_than_its_input_if_they_are_shrunk(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(LARGER)
    launch = cnncli.load(spec).begin(run=tmp_path / "run", device="cpu")
    assert launch.introduction.input_shape == (1, 16, 16)
    assert launch.introduction.corrupt == (
        "blur (sigma 1)",
        "shrink (factor 2)",
        "noise (std 0.1)",
    )
    heads = {"output": Head((1, 16, 16))}
    made = make_plan(
        Subject(launch.network, heads), launch.dataset, launch.settings, launch.run.record.normalization, CPU
    )
    (batch,) = made.test.in_order([(0, 8)], held_out_alters(launch.settings, len(made.test)))
    clean = load(Data(), (1, 16, 16)).test.images[:8].float() / 255
    assert torch.equal(batch.targets["input"], clean)
    # The noise is that of images of the smaller size.
    steps = [Blur(), Shrink(), Noise(std=0.1)]
    pipeline = Pipeline(steps, CORRUPTION)
    found = pipeline(clean, pipeline.table(len(made.test), launch.settings.seed, "held-out")[:8])
    assert found.shape == (8, 1, 8, 8)
    normalization = launch.run.record.normalization
    expected = (found - normalization.mean[0]) / normalization.std[0]
    torch.testing.assert_close(batch.inputs, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "corrupt", "message", "place"),
    [
        ("input: [64]\nlayers: [linear: 64]", "[noise, shrink]", "'shrink' cannot be applied", "shrink"),
        ("input: [2, 8]\nlayers: [flatten]", "[{shrink: 2}]", "'shrink' cannot be applied", "shrink"),
        ("input: [1, 8, 8]\nlayers: [flatten]", "[shrink: 1]", "'factor' cannot be '1'", "1]"),
        ("input: [1, 8, 8]\nlayers: [flatten]", f"[shrink: {MAX_SHRINKAGE + 1}]", "'factor' cannot", "17]"),
        ("input: [1, 8, 8]\nlayers: [flatten]", "[flip]", "unknown corruption 'flip'", "flip"),
    ],
)
def test_what_cannot_corrupt_is_an_error_with_its_place(
    spec: str, corrupt: str, message: str, place: str
) -> None:
    with pytest.raises(CnncliError) as caught:
        open_text(f"{spec}\ntrain: {{corrupt: {corrupt}}}\n")
    (found,) = caught.value.diagnostics
    assert found.message.startswith(message)
    assert found.location is not None
    text = f"train: {{corrupt: {corrupt}}}"
    assert text[found.location.column - 1 :].startswith(place)


def test_transforms_act_on_the_images_before_they_are_shrunk() -> None:
    """A crop of eight pixels is no less than an input of eight, but images of sixteen have room for it."""
    text = "input: [1, 8, 8]\nlayers: [flatten, linear: 10]\ntrain: {transforms: [crop: 8], CORRUPT}\n"
    found = open_text(text.replace("CORRUPT", "corrupt: [shrink]"))
    assert found.train.shrinkage == 2
    with pytest.raises(CnncliError, match="'crop' cannot be applied to this input"):
        open_text(text.replace("CORRUPT", "corrupt: [noise]"))


def test_images_that_memory_has_no_room_for_are_refused(tmp_path: Path) -> None:
    network = cnncli.loads("input: [1, 8, 8]\nlayers: [flatten, linear: 10]")
    with pytest.raises(CnncliError, match="images of 1x8388608x8388608"):
        network.train(run=tmp_path / "run", corrupt=[{"shrink": MAX_SHRINKAGE}] * 5, device="cpu")
    assert not (tmp_path / "run").exists()
