"""Trainings whose length, sizes and ways to compute a batch follow from the graph, as a user starts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cnncli
from cnncli.algebra import whole
from cnncli.diagnostics import CnncliError, UsageError
from cnncli.recipe.recipe import Recipe
from cnncli.report.pages.course import lines
from cnncli.results.training import Progress, Within
from cnncli.training.launch.launch import Launch
from cnncli.training.launch.planning import Room, planned
from cnncli.training.runs.run import Run, open_run
from tests.training.support import Recorder, figures, press_ctrl_c, read_metrics, same_tensors

SPEC = """
name: tiny
input: [1, 8, 8]
layers:
  - {conv: {channels: 4, kernel: 3, padding: same}}
  - batchnorm
  - relu
  - dropout: 0.2
  - {conv: {channels: 8, kernel: 3, padding: same}}
  - relu
  - globalavgpool
  - linear: 10
train: {data: {source: digits, limit: 0.1}, batch: 32, optimizer: {sgd: {lr: 0.1}}}
"""
IMAGES = 143
STEPS = 5


def begin(folder: Path, **settings: Any) -> Launch:
    return cnncli.loads(SPEC).begin(run=folder, device="cpu", **settings)


def steps_of(network: nn.Module) -> list[tuple[int, int]]:
    """Add the size of each batch in training, and the number of its images, to the list that is returned."""
    seen: list[tuple[int, int]] = []

    def note(module: nn.Module, inputs: Any) -> None:
        if module.training:
            seen.append((inputs[0].shape[-1], len(inputs[0])))
        else:
            assert inputs[0].shape[-1] == 8

    network.register_forward_pre_hook(note)
    return seen


def test_images_grow_from_stage_to_stage(tmp_path: Path) -> None:
    launch = begin(tmp_path / "run", epochs=6, resolution={"from": 4, "to": 8})
    seen = steps_of(launch.network)
    stages = [(each.size, each.first, each.last) for each in launch.introduction.stages]
    assert stages == [(4, 1, 2), (5, 3, 3), (7, 4, 5), (8, 6, 6)]
    launch.start()
    assert [size for size, _ in seen] == [each for size in (4, 4, 5, 7, 7, 8) for each in STEPS * [size]]


def per_image() -> int:
    return whole(cnncli.loads(SPEC).costs().totals.flops)


@pytest.mark.parametrize(("images", "epochs", "steps"), [(32, 1, 1), (33, 1, 2), (143, 1, 5), (144, 2, 6)])
def test_a_length_in_flops(tmp_path: Path, images: int, epochs: int, steps: int) -> None:
    launch = begin(tmp_path / "run", flops=3 * per_image() * images)
    seen = steps_of(launch.network)
    trained = launch.start(rates := Rates(), report_every=0)
    assert len(seen) == steps
    assert len(trained.history) == epochs == launch.settings.epochs
    assert sum(each.flops for each in launch.introduction.stages) == 3 * per_image() * sum(n for _, n in seen)
    assert launch.introduction.ends == (0 if steps % STEPS == 0 else steps % STEPS)
    # The schedule is that of these steps: half a cosine.
    expected = [0.05 * (1 + torch.tensor(step * torch.pi / steps).cos().item()) for step in range(steps)]
    assert rates.seen == pytest.approx(expected, abs=1e-6)
    assert open_run(tmp_path / "run").record.settings.flops == launch.settings.flops


class Rates(Recorder):
    """Keeps the learning rate of each step."""

    def __init__(self) -> None:
        super().__init__(self.note)
        self.seen: list[float] = []

    def note(self, progress: Progress) -> None:
        if progress.phase == "train":
            self.seen.append(progress.lr)


EVERYTHING: Mapping[str, Any] = {
    "flops": 3 * 143 * 120_000,
    "resolution": 4,
    "accumulate": 3,
    "recompute": ["conv1:relu1", "dropout1:relu2"],
    "average": {"ema": 0.9},
    "transforms": ["crop"],
}


def test_such_trainings_can_be_interrupted_anywhere(tmp_path: Path) -> None:
    launch = begin(tmp_path / "whole", **EVERYTHING)
    assert launch.settings.epochs > 3
    assert launch.introduction.ends > 0
    launch.start()
    stopped = begin(tmp_path / "run", **EVERYTHING)
    calls = 0

    def stop(progress: Progress) -> None:
        nonlocal calls
        if progress.phase == "train":
            calls += 1
            if calls % 4 == 0:
                press_ctrl_c()

    for _ in range(20):
        if stopped.start(Recorder(stop), report_every=0).status == "finished":
            break
        stopped = cnncli.resume(tmp_path / "run", device="cpu")
    one, other = (open_run(tmp_path / name) for name in ("whole", "run"))
    assert other.record.status == "finished"
    assert same_tensors(one.weights, other.weights)
    assert figures(read_metrics(one)) == figures(read_metrics(other))


def run_of(folder: Path, **settings: Any) -> Run:
    begin(folder, **settings).start()
    return open_run(folder)


def test_what_is_recomputed_does_not_change_the_result(tmp_path: Path) -> None:
    plain = run_of(tmp_path / "plain", epochs=2)
    for number, names in enumerate((["conv1:linear1"], ["batchnorm1", "dropout1", "conv2:globalavgpool1"])):
        again = run_of(tmp_path / str(number), epochs=2, recompute=names)
        assert again.record.settings.recompute == tuple(names)
        assert same_tensors(plain.weights, again.weights)
        assert figures(read_metrics(plain)) == figures(read_metrics(again))


def test_a_limit_of_memory_is_recorded_and_continued(tmp_path: Path) -> None:
    limit = whole(cnncli.loads(SPEC).memory(33).training_peak.amounts[0]) // 2
    launch = begin(tmp_path / "run", epochs=1, memory=limit)
    within = launch.introduction.within
    assert within is not None
    assert within.slices > 1
    assert within.peak <= limit
    assert launch.settings.accumulate == within.slices
    assert launch.settings.batch == 32
    launch.start()
    again = begin(tmp_path / "run", epochs=2, memory=limit)
    assert again.settings == launch.settings.replaced({"epochs": 2})
    again.start()
    assert len(read_metrics(open_run(tmp_path / "run"))) == 2


def test_a_run_continues_within_a_limit_or_not_at_all(tmp_path: Path) -> None:
    """Its slices cannot change; with fewer processes than before, each needs more."""
    launch = begin(tmp_path / "run", memory="200kB")
    within = launch.introduction.within
    assert within is not None
    begin(tmp_path / "run", memory=within.peak)
    assert "a step of this run needs more memory in 1 process" in faults(
        lambda: begin(tmp_path / "run", memory=within.peak - 1)
    )


def test_processes_need_less_and_16_bits_no_more(tmp_path: Path) -> None:
    graph = cnncli.loads(SPEC).graph
    settings = cnncli.loads(SPEC, overrides=["train.batch=64"]).settings

    def within(processes: int, precision: str, chosen: Recipe = settings) -> Within:
        room = Room(200_000, processes, precision)
        found = planned(graph, chosen, IMAGES, reopen=lambda _: graph, room=room).within
        assert found is not None
        return found

    one, two, mixed = within(1, "float32"), within(2, "float32"), within(1, "bf16")
    assert one.slices > two.slices
    about = begin(tmp_path / "run", memory=400_000, precision="bf16").introduction
    assert about.within is not None
    assert "a step needs at most" in " ".join(lines(about))
    assert mixed.peak <= mixed.limit
    said = " ".join(lines(about._replace(within=two)))
    assert f"in float32; each process's share in {two.slices} slices of at most {two.images} images" in said
    together = settings.replaced({"sync_batchnorm": True})
    assert within(1, "float32", together) == one
    assert "no limit can be kept" in faults(lambda: within(2, "float32", together))


def faults(act: Callable[[], object]) -> str:
    with pytest.raises(CnncliError) as caught:
        act()
    return caught.value.diagnostics[0].message


def test_what_contradicts_itself(tmp_path: Path) -> None:
    def message(**settings: Any) -> str:
        return faults(lambda: begin(tmp_path / "run", **settings))

    assert "both the length of the training" in message(epochs=3, flops="3G")
    assert "the warmup is longer" in message(flops=1000, schedule={"cosine": {"warmup": 3}})
    assert "needs a limit" in message(recompute="auto")
    assert "cannot take 0 FLOPs" in message(flops=0)
    assert "decides by itself" in message(recompute=["conv1"], compile="whole")
    assert "a limit of memory decides" in message(memory="1GiB", accumulate=2)
    assert "there is no node 'conv9'" in message(recompute=["conv9"])
    assert "is not an amount of memory" in message(memory="lots")
    assert "does not fit" in message(memory=1000)
    assert "does not accept" not in message(resolution={"from": 9})
    assert not (tmp_path / "run").exists()
    begin(tmp_path / "run", flops="1M")
    assert "train.epochs has no effect" in faults(
        lambda: cnncli.resume(tmp_path / "run", overrides=["train.epochs=9"])
    )


def test_a_warmup_that_flops_are_enough_for(tmp_path: Path) -> None:
    flops = 3 * per_image() * IMAGES * 12
    launch = begin(tmp_path / "run", flops=flops, schedule={"cosine": {"warmup": 11}})
    assert launch.settings.epochs == 12
    with pytest.raises(UsageError):
        begin(tmp_path / "other", flops=flops, resolution=8)
