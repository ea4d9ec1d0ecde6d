"""What happens to gradients and weights in a step: slices, limits, averages, 16 bits, channels last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from cnncli.diagnostics import CnncliError
from cnncli.recipe.averaging import Ema, Swa
from cnncli.recipe.optimizers import SGD
from cnncli.recipe.recipe import Recipe, recipe_from_json, with_overrides
from cnncli.training.data.batches import batch_bounds, epoch_order, slice_bounds
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.feed import Batch, Mixed
from cnncli.training.evaluate import evaluate
from cnncli.training.loop import seed_weights, train
from cnncli.training.optimization.averaging import Place, share
from cnncli.training.optimization.statistics import renew_statistics
from cnncli.training.plan import Subject, make_plan
from cnncli.training.runs.run import open_run
from tests.training.support import (
    CPU,
    HEADS,
    Recorder,
    as_trained,
    assert_same_result,
    begin,
    few_digits,
    objective,
    press_ctrl_c,
    raise_at,
    resume,
    run_whole,
    same_weights,
    settings,
    small_network,
)

BATCH = 64


def plain_network() -> nn.Module:
    """A network without anything that looks at a whole batch or draws random numbers."""
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 10))


class TestSlices:
    @pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
    @pytest.mark.parametrize("slices", [1, 2, 3, 5, 64])
    def test_they_cover_a_batch_evenly(self, count: int, slices: int) -> None:
        bounds = slice_bounds(count, slices)
        assert [each for start, end in bounds for each in range(start, end)] == [*range(count)]
        sizes = [end - start for start, end in bounds]
        assert max(sizes) - min(sizes) <= 1
        assert len(bounds) <= slices
        assert min(sizes) > 1 or count == 1

    def test_a_batch_is_cut_with_all_that_it_has(self) -> None:
        partner = Batch(torch.arange(4.0), {"label": torch.arange(4) + 10}, {"label": torch.ones(4).bool()})
        whole = Batch(
            torch.arange(4.0),
            {"label": torch.arange(4)},
            {"mask": torch.arange(4) > 1},
            Mixed(torch.rand(4), partner),
        )
        first, second = whole.slices([(0, 1), (1, 4)])
        assert second.inputs.tolist() == [1, 2, 3]
        assert second.targets["label"].tolist() == [1, 2, 3]
        assert second.present["mask"].tolist() == [False, True, True]
        assert first.mixed is not None
        assert second.mixed is not None
        assert whole.mixed is not None
        assert torch.equal(torch.cat([first.mixed.share, second.mixed.share]), whole.mixed.share)
        assert second.mixed.partner.targets["label"].tolist() == [11, 12, 13]
        assert first.mixed.partner.present["label"].tolist() == [True]

    def test_samples_without_a_target_count_in_no_slice(self) -> None:
        torch.manual_seed(0)
        values = torch.randn(6, 10)
        known = torch.tensor([True, False, False, False, True, True])
        batch = Batch(torch.zeros(6, 1), {"label": torch.arange(6)}, {"label": known})
        minimized, bounds = objective(), [(0, 2), (2, 4), (4, 6)]
        whole = minimized.whole(batch)
        slices = zip(bounds, batch.slices(bounds), strict=True)
        parts = [minimized(values[start:end], each, whole) for (start, end), each in slices]
        together = parts[0].plus(parts[1]).plus(parts[2])
        expected = functional.cross_entropy(values[known], torch.arange(6)[known])
        torch.testing.assert_close(together.objective, expected)
        torch.testing.assert_close(minimized(values, batch).objective, expected)
        figures = {name: float(each.mean) for name, each in together.figures.items()}
        assert figures == pytest.approx(
            {n: float(e.mean) for n, e in minimized(values, batch).figures.items()}
        )

    @pytest.mark.parametrize("slices", [2, 5])
    def test_a_step_in_slices_is_the_step_of_the_batch(self, tmp_path: Path, slices: int) -> None:
        chosen = settings(transforms=[{"mixup": 0.4}], epochs=2)
        whole = trained(tmp_path / "whole", chosen)
        cut = trained(tmp_path / "cut", chosen.replaced({"accumulate": slices}))
        for name, each in whole.items():
            torch.testing.assert_close(cut[name], each, rtol=1e-4, atol=1e-5)
        ours, theirs = (history(tmp_path / name) for name in ("whole", "cut"))
        for one, other in zip(ours, theirs, strict=True):
            assert one == pytest.approx(other, rel=1e-3)

    def test_more_than_a_batch_has_are_refused(self) -> None:
        with pytest.raises(CnncliError, match="a batch of 8 cannot be computed in 5 slices"):
            recipe_from_json({"batch": 8, "accumulate": 5})
        assert recipe_from_json({"batch": 8, "accumulate": 4}).accumulate == 4


def trained(folder: Path, chosen: Recipe, dataset: Dataset | None = None) -> Mapping[str, Tensor]:
    """Train the plain network; return the weights that are kept."""
    data = dataset or few_digits()
    seed_weights(chosen.seed)
    network = plain_network()
    run = begin(folder, chosen, data)
    train(Subject(network, HEADS), data, chosen, run, device=CPU)
    return load_file(folder / "weights.safetensors")


def history(folder: Path) -> list[dict[str, float]]:
    checkpoint = open_run(folder).read_checkpoint()
    assert checkpoint is not None
    return [dict(each.figures) for each in checkpoint.history]


class ByHand:
    """The same training as :func:`trained`, written without anything of it but the order of the samples."""

    def __init__(self, chosen: Recipe) -> None:
        self.chosen = chosen
        seed_weights(chosen.seed)
        self.network = plain_network()
        self.steps: list[dict[str, Tensor]] = []
        self.epochs: list[dict[str, Tensor]] = []

    def limit(self) -> None:
        """Change the gradients."""

    def run(self) -> None:
        data, chosen = few_digits(), self.chosen
        images = data.train.images.double() / 255
        images = ((images - images.mean()) / images.std(correction=0)).float()
        assert isinstance(chosen.optimizer, SGD)
        optimizer = torch.optim.SGD(self.network.parameters(), lr=chosen.optimizer.lr)
        for epoch in range(chosen.epochs):
            order = epoch_order(len(images), chosen.seed, epoch)
            for start, end in batch_bounds(len(images), chosen.batch):
                index = order[start:end]
                optimizer.zero_grad()
                functional.cross_entropy(self.network(images[index]), data.train.labels[index]).backward()
                self.limit()
                optimizer.step()
                self.steps.append({name: each.clone() for name, each in self.network.state_dict().items()})
            self.epochs.append(self.steps[-1])


def simple(**more: Any) -> Recipe:
    """Gradient descent at a constant rate, without decay."""
    descent = {"sgd": {"lr": 0.1, "momentum": 0, "weight_decay": 0}}
    return settings(optimizer=descent, schedule="constant", batch=BATCH, epochs=4, **more)


def assert_close(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, each in expected.items():
        torch.testing.assert_close(found[name], each, rtol=1e-4, atol=1e-6)


class TestLimits:
    def test_of_the_norm(self, tmp_path: Path) -> None:
        chosen = simple(clip={"norm": 0.25})

        class Limited(ByHand):
            norms: ClassVar[list[float]] = []

            def limit(self) -> None:
                gradients = [each.grad for each in self.network.parameters() if each.grad is not None]
                norm = float(torch.cat([each.flatten() for each in gradients]).norm())
                self.norms.append(norm)
                for each in gradients:
                    each.mul_(min(1.0, 0.25 / norm))

        byhand = Limited(chosen)
        byhand.run()
        assert max(byhand.norms) > 0.25
        assert_close(trained(tmp_path / "run", chosen), byhand.steps[-1])

    def test_of_each_number(self, tmp_path: Path) -> None:
        chosen = simple(clip={"value": 0.01})

        class Limited(ByHand):
            def limit(self) -> None:
                for each in self.network.parameters():
                    assert each.grad is not None
                    each.grad = each.grad.maximum(torch.tensor(-0.01)).minimum(torch.tensor(0.01))

        byhand = Limited(chosen)
        byhand.run()
        assert_close(trained(tmp_path / "run", chosen), byhand.steps[-1])


class TestAverages:
    def test_an_exponential_one(self, tmp_path: Path) -> None:
        chosen = simple(average={"ema": 0.8})
        byhand = ByHand(chosen)
        average = {name: each.clone() for name, each in byhand.network.state_dict().items()}
        byhand.run()
        for step, weights in enumerate(byhand.steps):
            decay = min(0.8, (1 + step) / (10 + step))
            average = {name: decay * each + (1 - decay) * weights[name] for name, each in average.items()}
        assert_close(trained(tmp_path / "run", chosen), average)

    def test_the_mean_of_the_last_epochs(self, tmp_path: Path) -> None:
        chosen = simple(average={"swa": 0.5})
        byhand = ByHand(chosen)
        byhand.run()
        last, other = byhand.epochs[2:]
        assert_close(
            trained(tmp_path / "run", chosen), {name: (last[name] + other[name]) / 2 for name in last}
        )
        measured = history(tmp_path / "run")
        own = trained(tmp_path / "own", simple())
        # Before the average begins, the weights themselves are measured.
        assert measured[:2] == history(tmp_path / "own")[:2]
        assert measured[3]["test.loss"] != history(tmp_path / "own")[3]["test.loss"]
        assert_close(own, byhand.steps[-1])

    def test_it_is_what_the_last_figures_are_of(self, tmp_path: Path) -> None:
        chosen = settings(average={"ema": 0.9})
        trained_network, outcome = run_whole(tmp_path / "run", chosen)
        network, data = small_network(), few_digits()
        network.load_state_dict(load_file(tmp_path / "run" / "weights.safetensors"))
        again = evaluate(network, data.test, data.normalized(), CPU, objective(), manner=as_trained(network))
        assert again.figures["loss"] == outcome.history[-1].figures["test.loss"]
        assert same_weights(network, trained_network)

    @pytest.mark.parametrize(
        ("step", "decay", "expected"),
        [(0, 0.999, 0.9), (8, 0.999, 0.5), (10**6, 0.999, 0.001), (90, 0.5, 0.5)],
    )
    def test_shares(self, step: int, decay: float, expected: float) -> None:
        assert share(Ema(decay=decay), Place(step, 0, 1, is_last=False)) == pytest.approx(expected)

    @pytest.mark.parametrize("start", [0.0, 0.3, 0.75, 1.0])
    def test_shares_of_a_mean_are_equal(self, start: float) -> None:
        weights: list[float] = []
        for epoch in range(8):
            for batch in range(3):
                part = share(Swa(start=start), Place(epoch * 3 + batch, epoch, 8, is_last=batch == 2))
                if part:
                    weights = [each * (1 - part) for each in weights] + [part]
        assert weights == pytest.approx([1 / len(weights)] * len(weights))
        assert len(weights) == max(1, 8 - int(8 * start))

    def test_a_last_epoch_that_is_cut_counts_on_from_those_before(self) -> None:
        data, chosen = few_digits(), settings(average="ema")
        whole = make_plan(Subject(plain_network(), HEADS), data, chosen, data.normalized(), CPU)
        plan = replace(whole, ends=2)
        steps = [plan.place(epoch, batch) for epoch in range(3) for batch in range(len(plan.batches(epoch)))]
        assert [each.step for each in steps] == [*range(16)]
        assert [each.step for each in steps if each.is_last] == [6, 13, 15]

    def test_statistics_are_renewed_with_the_mean_of_all_batches(self) -> None:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3, momentum=0.1), nn.Linear(3, 2))
        batches = [Batch(torch.randn(5, 3) * 3 + 1, {}) for _ in range(4)]
        before = torch.get_rng_state()
        assert renew_statistics(network, network, batches)
        assert torch.equal(torch.get_rng_state(), before)
        norm = network[1]
        assert isinstance(norm, nn.BatchNorm1d)
        expected = torch.stack([each.inputs.mean(0) for each in batches]).mean(0)
        torch.testing.assert_close(norm.running_mean, expected)
        expected = torch.stack([each.inputs.var(0) for each in batches]).mean(0)
        torch.testing.assert_close(norm.running_var, expected)
        assert (norm.momentum, norm.training, network.training) == (0.1, True, True)
        assert not renew_statistics(network, network, batches, lambda: True)


ALL = {
    "transforms": [{"crop": 1}, {"rotate": 10}, {"mixup": 0.4}],
    "optimizer": "adamw",
    "clip": {"norm": 0.5},
    "accumulate": 3,
}


@pytest.mark.parametrize(
    "more",
    [
        {"average": {"ema": 0.9}},
        {"average": {"swa": 0.3}},
        {"average": {"ema": 0.9}, "precision": "bf16"},
        {"precision": "fp16"},
        {"memory_format": "channels_last", "optimizer": {"sgd": {"momentum": 0.9}}},
    ],
)
@pytest.mark.parametrize(("epoch", "batch", "phase"), [(2, 3, "train"), (2, 0, "evaluate")])
def test_a_resumed_run_ends_as_one_that_was_not_stopped(
    tmp_path: Path, more: dict[str, Any], epoch: int, batch: int, phase: str
) -> None:
    chosen = settings(**(ALL | more))
    reference, _ = run_whole(tmp_path / "whole", chosen)
    begin(tmp_path / "run", chosen)
    _, outcome = resume(tmp_path / "run", chosen, Recorder(raise_at(epoch, batch, phase, press_ctrl_c)))
    assert outcome.status == "interrupted"
    network, outcome = resume(tmp_path / "run", chosen)
    assert outcome.status == "finished"
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_16_bits_learn_as_32_do(tmp_path: Path, precision: str) -> None:
    trained(tmp_path / "half", settings(precision=precision, epochs=4))
    trained(tmp_path / "single", settings(epochs=4))
    half, single = (history(tmp_path / name)[-1] for name in ("half", "single"))
    assert half != single
    assert half["train.loss"] == pytest.approx(single["train.loss"], rel=0.1)


def test_a_first_gradient_that_is_not_finite_leaves_no_momentum(tmp_path: Path) -> None:
    """With 16 bits the factor of the loss is too large at first, and the fused kernel skips the step."""
    torch.use_deterministic_algorithms(True)  # what is not initialized is not a number
    found = []
    try:
        for fused in ("true", "false"):
            optimizer = {"sgd": {"lr": 5e-4, "fused": fused}}
            more: dict[str, Any] = {"optimizer": optimizer, "tasks": {"output": {"weight": 100}}}
            found.append(trained(tmp_path / fused, settings(precision="fp16", **more)))
    finally:
        torch.use_deterministic_algorithms(False)
    for name, each in found[1].items():
        torch.testing.assert_close(found[0][name], each, rtol=1e-2, atol=1e-3)


def test_channels_last_change_nothing_but_rounding(tmp_path: Path) -> None:
    found = trained(tmp_path / "last", settings(memory_format="channels_last"))
    expected = trained(tmp_path / "first", settings(memory_format="contiguous"))
    for name, each in expected.items():
        torch.testing.assert_close(found[name], each, rtol=1e-3, atol=1e-4)


def test_what_is_unset_can_be_set_off_again() -> None:
    some = recipe_from_json({"clip": {"norm": 1}, "average": "ema", "stop": 3})
    off = with_overrides(some, ["train.clip=null", "train.average=null", "train.stop=null"])
    assert (off.clip, off.average, off.stop) == (None, None, None)
