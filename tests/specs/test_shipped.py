"""What holds for every shipped spec: it opens, keeps its budget, says where it comes from, and computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from cnncli.algebra import whole_shape
from cnncli.analysis import check as budgets
from cnncli.graph import open_spec
from cnncli.graph.heads import heads_of
from cnncli.network import build_network
from cnncli.recipe.data import Data
from cnncli.training.launch.graphs import as_trained
from cnncli.training.launch.starting import prepare
from cnncli.training.tasks.building import check_tasks
from cnncli.training.tasks.objective import by_head
from cnncli.training.tasks.targets import check_columns
from tests.specs.support import COMPUTED, NAMES, SPECS, figures, graph, opened

CLASSIFIERS = [name for name in NAMES if "classes" in opened(name).document.scope]

SMALL = {
    "alexnet": (3, 96, 96),
    "alexnet_2012": (3, 131, 131),
    "faster_rcnn": (3, 48, 64),
    "inception/googlenet": (3, 128, 128),
    "inception/googlenet_torchvision": (3, 128, 128),
    "inception/inception_naive": (192, 7, 7),
    "inception/inception_reduced": (192, 7, 7),
    "srgan/srgan_generator": (3, 8, 8),
    "srgan/srgan_discriminator": (3, 32, 32),
    "unet": (1, 188, 188),
    "unet_padded": (1, 32, 32),
} | {name: (3, 64, 64) for name in NAMES if name.startswith(("vgg/", "resnet/"))}
"""Input sizes at which a pass through the network is quick; the others are small as they are."""


def test_there_are_specs() -> None:
    assert "vgg/vgg16" in NAMES
    assert "lenet5" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_keeps_a_budget_that_is_not_idle(name: str) -> None:
    verdicts = budgets.check(opened(name).graph, opened(name).budget, opened(name).train)
    assert verdicts
    for verdict in verdicts:
        assert verdict.within, f"{verdict.figure}: {verdict.actual:,} of {verdict.limit:,}"
        assert verdict.actual >= 0.95 * verdict.limit, f"{verdict.figure} could grow by 5 % unseen"


@pytest.mark.parametrize("name", NAMES)
def test_says_in_its_first_lines_what_it_is(name: str) -> None:
    text = (SPECS / f"{name}.yaml").read_text(encoding="utf-8")
    comment = [line for line in text.splitlines() if line.startswith("#")]
    assert text.startswith("# ")
    assert len(" ".join(comment)) >= 60


def test_classifiers_have_their_classes_in_a_variable() -> None:
    without = {name for name in NAMES if name not in CLASSIFIERS and not name.startswith("lecture/")}
    modules = {"inception/inception_naive", "inception/inception_reduced"}
    others = {"faster_rcnn", "srgan/srgan_generator", "srgan/srgan_discriminator"}
    assert without == {"lenet5", "lenet5_1998"} | modules | others


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes_are_a_variable(name: str) -> None:
    network = graph(name, "classes=7")
    others = {"reconstruction", "parity", "clean"}
    shapes = {head: output.shape for head, output in network.outputs.items() if head not in others}
    assert {shape[0] for shape in shapes.values()} == {7}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_network_computes_the_shape_that_was_predicted(name: str) -> None:
    network = build_network(graph(name), "meta").eval()
    assert sum(p.numel() for p in network.parameters()) == figures(name).training_totals.params
    with torch.no_grad():
        found = by_head(network(torch.empty((2, *whole_shape(graph(name).input)), device="meta")))
    wanted = {head: out.shape for head, out in graph(name).outputs.items() if not out.training_only}
    assert {head: tuple(output.shape[1:]) for head, output in found.items()} == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPUTED)
def test_the_backward_pass_reaches_every_parameter(name: str) -> None:
    """Forward and backward on the CPU, in training: a finite gradient that is not zero everywhere."""
    torch.manual_seed(0)
    small = open_spec(SPECS / f"{name}.yaml", size=SMALL.get(name)).graph
    network = build_network(small).train()
    outputs = by_head(network(torch.randn(2, *whole_shape(small.input))))
    assert set(outputs) == set(small.outputs)
    for head, output in outputs.items():
        assert tuple(output.shape[1:]) == small.outputs[head].shape
    loss = torch.stack([(output * torch.rand_like(output)).sum() for output in outputs.values()]).sum()
    loss.backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.any(), key


WITH_RECIPE = tuple(name for name in NAMES if opened(name).document.section("train") is not None)
QUICK = {
    "unet": ("size=188", "width=2"),
    "unet_padded": ("size=32", "width=2"),
    "srgan/srgan_generator": ("units=1",),
    "srgan/srgan_discriminator": (),
}
"""Variables with which a training step takes less than a second or two."""


def test_every_network_for_images_has_a_task() -> None:
    """Two are parts of a network; the proposals of Faster R-CNN learn boxes, which no source has."""
    parts = {"inception/inception_naive", "inception/inception_reduced", "faster_rcnn"}
    drawn = {name for name in NAMES if name.startswith("lecture/")} - set(WITH_RECIPE)
    assert drawn == {f"lecture/{name}" for name in DRAWN}
    for name in set(NAMES) - parts - drawn:
        heads = heads_of(as_trained(graph(name)))
        check_tasks(heads, opened(name).train, whole_shape(graph(name).input))
        check_columns(heads, opened(name).train)


DRAWN = ("convolutional", "fully_connected", "overparameterized", "small", "stride_chain", "valid_chain")
"""Examples to count in, which learn nothing."""


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_RECIPE)
def test_what_has_a_recipe_can_be_trained(name: str, tmp_path: Path) -> None:
    """A step of every spec with training settings, with its own data or that of a user, and an evaluation."""
    spec = opened(name, *QUICK.get(name, ()))
    # One step of a batch of two at a rate for hundreds of them would leave deep networks in ruins.
    slow = spec.train.optimizer.replaced({"lr": 1e-4})
    settings = spec.train.replaced({"epochs": 1, "batch": 2, "optimizer": slow})
    if name in FILES:
        settings = settings.replaced({"data": Data(source=FILES[name](tmp_path))})
    prepared = prepare(spec, settings, "cpu")
    few = replace(
        prepared.dataset,
        train=prepared.dataset.train.chosen(torch.arange(2)),
        test=prepared.dataset.test.chosen(torch.arange(2)),
    )
    launch = replace(prepared, dataset=few).create(tmp_path / "run")
    (epoch,) = launch.start().history
    assert {"train.loss", "test.loss"} <= epoch.figures.keys()


def pets(folder: Path) -> str:
    """A source of two classes with few images."""
    for number in range(12):
        place = folder / "pets" / ("cat", "dog")[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (96, 96), (20 * number, 0, 0)).save(place)
    return f"folder:{folder / 'pets'}"


FILES: Mapping[str, Callable[[Path], str]] = {
    "fashion_cnn": lambda _: "digits",
    "srgan/srgan_discriminator": pets,
}
"""What is trained on where the recipe names files that a user has to have."""
