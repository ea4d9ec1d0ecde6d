"""What is inside of a network, each time against a loop, a hook or autograd, and nothing is left behind."""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnncli.algebra import whole_shape
from cnncli.analysis.looking import fields_of, hulls, node_named
from cnncli.api import look
from cnncli.diagnostics import UsageError
from cnncli.results.looking import Looked
from cnncli.training.looking.goals import Goal, goal_of
from cnncli.training.looking.gradients import gradcam, input_gradient
from cnncli.training.looking.images import images_of, pictures_of
from cnncli.training.looking.occlusion import occlusion, windows_of_layer, windows_of_size
from cnncli.training.looking.opened import Opened
from cnncli.training.looking.patches import most_excited
from cnncli.training.looking.pixels import cut, of_kernel, of_map
from cnncli.training.pictures.heat import Place


@pytest.fixture(scope="module")
def inputs(opened: Opened) -> Tensor:
    """The first held-out images."""
    return torch.cat([each.inputs for each in pictures_of(opened, ["test:0", "test:7"])])


@pytest.fixture(scope="module")
def goal(opened: Opened) -> Goal:
    return goal_of(opened, "digit", "3", torch.empty(0))


def state(network: nn.Module) -> dict[str, Any]:
    """All that looking may not change."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "weights": {name: each.clone() for name, each in network.state_dict().items()},
        "gradients": [each.grad for each in network.parameters()],
        "learned": [each.requires_grad for each in network.parameters()],
        "modes": [each.training for each in network.modules()],
        "hooks": [len(getattr(each, name)) for each in network.modules() for name in hooks],
        "chance": torch.get_rng_state(),
    }


def test_nothing_is_left_behind(opened: Opened, inputs: Tensor, goal: Goal) -> None:
    before = [state(each) for each in (opened.network, opened.with_logits)]
    input_gradient(opened, goal, inputs)
    gradcam(opened, goal, "conv1", inputs)
    occlusion(opened, goal, inputs[:1], windows_of_size(3, 2, (8, 8)))
    most_excited(opened, "conv2", [0], images_of(opened, ["digits"], "test"), 3)
    after = [state(each) for each in (opened.network, opened.with_logits)]
    for was, now in zip(before, after, strict=True):
        torch.testing.assert_close(now, was, rtol=0, atol=0)
    assert after[0]["hooks"].count(0) == len(after[0]["hooks"])
    assert not any(after[0]["modes"])


def test_the_gradient_is_that_of_autograd_and_of_differences(
    opened: Opened, inputs: Tensor, goal: Goal
) -> None:
    found = input_gradient(opened, goal, inputs)
    seen = inputs.clone().requires_grad_()
    opened.with_logits(seen)["digit"][:, 3].sum().backward()
    assert seen.grad is not None
    torch.testing.assert_close(found, seen.grad)
    step = 1e-2 * found[:1] / found[0].norm()
    above, below = (opened.with_logits(inputs[:1] + each)["digit"][0, 3] for each in (step, -step))
    measured = (above - below).double() / 2e-2
    torch.testing.assert_close(measured, found[0].norm().double(), rtol=0.02, atol=0)


@pytest.mark.parametrize("layer", ["conv1_norm", "maxpool1", "conv2_activation"])
def test_gradcam_is_what_hooks_give(layer: str, opened: Opened, inputs: Tensor, goal: Goal) -> None:
    kept: dict[str, Tensor] = {}

    def keep(_: nn.Module, __: object, output: Tensor) -> None:
        kept["values"] = output
        output.register_hook(partial(kept.__setitem__, "gradient"))

    handle = opened.with_logits.get_submodule(layer).register_forward_hook(keep)
    opened.with_logits(inputs.clone().requires_grad_())["digit"][:, 3].sum().backward()
    handle.remove()
    expected = []
    for values, gradient in zip(kept["values"], kept["gradient"], strict=True):
        total = torch.zeros(values.shape[1:])
        for channel, slope in zip(values, gradient, strict=True):
            total = total + slope.sum() / slope.numel() * channel
        expected.append(total.clamp(min=0))
    torch.testing.assert_close(gradcam(opened, goal, layer, inputs), torch.stack(expected).detach())


def test_occlusion_is_a_loop(opened: Opened, inputs: Tensor, goal: Goal) -> None:
    axes = fields_of(opened.graph)["maxpool1"].axes
    assert axes is not None
    windows = windows_of_layer(axes, (4, 4), (8, 8))
    found = occlusion(opened, goal, inputs[:1], windows)
    # Two 3x3 windows one after the other, the second pooled by 2: 4x4 pixels, 2 apart, the first from -1.
    for row, column in product(range(4), range(4)):
        image = inputs[:1].clone()
        for y, x in product(range(2 * row - 1, 2 * row + 3), range(2 * column - 1, 2 * column + 3)):
            if 0 <= y < 8 and 0 <= x < 8:
                image[0, 0, y, x] = 0
        with torch.no_grad():
            expected = opened.with_logits(image)["digit"].softmax(1)[0, 3]
        torch.testing.assert_close(found[row, column], expected, msg=f"{row}, {column}")
    assert windows.place == Place(-0.5, 7.5, -0.5, 7.5)


def test_windows_of_a_size() -> None:
    windows = windows_of_size(3, 2, (8, 7))
    assert (windows.rows, windows.columns) == (3, 3)
    assert windows.hulls[0] == ((0, 3), (0, 3))
    assert windows.hulls[-1] == ((4, 7), (4, 7))
    # The middle of the first is at 1, and cells are as wide as the stride.
    assert windows.place == Place(0, 6, 0, 6)
    for window, stride in ((0, 1), (8, 1), (3, 0)):
        with pytest.raises(UsageError, match="nothing can be hidden like this"):
            windows_of_size(window, stride, (8, 7))


def test_patches_are_those_of_all_positions(opened: Opened) -> None:
    images = images_of(opened, ["digits"], "test")
    found = most_excited(opened, "conv2", [4, 1], images, 5)
    with torch.no_grad():
        maps = torch.cat([opened.values(["conv2"])(each.inputs)["conv2"] for each in images.batches()])
    for place, channel in enumerate((4, 1)):
        largest = [(float(values[channel].max()), -number) for number, values in enumerate(maps)]
        expected = sorted(largest, reverse=True)[:5]
        assert found.values[place].tolist() == [value for value, _ in expected]
        assert found.images[place].tolist() == [-number for _, number in expected]
        for value, number, position in zip(*(each[place].tolist() for each in found[:3]), strict=True):
            assert float(maps[number, channel].flatten()[position]) == value


def test_a_value_depends_on_its_patch_alone(opened: Opened, inputs: Tensor) -> None:
    axes = fields_of(opened.graph)["conv2"].axes
    assert axes is not None
    height, width = whole_shape(node_named(opened.graph, "conv2").output_shape)[1:]
    values = opened.values(["conv2"])
    for row, column in product(range(height), range(width)):
        (top, bottom), (left, right) = hulls(axes, (row, column))
        seen = inputs.clone().requires_grad_()
        values(seen)["conv2"][:, :, row, column].square().sum().backward()
        assert seen.grad is not None
        support = seen.grad.abs().sum((0, 1)) > 0
        outside = torch.ones(8, 8, dtype=torch.bool)
        outside[max(top, 0) : bottom, max(left, 0) : right] = False
        assert not bool((support & outside).any()), (row, column)
        assert bool(support.any())


def test_pixels() -> None:
    image = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    patch = cut(image, ((-2, 2), (3, 6)))
    assert patch.shape == (4, 3, 3)
    np.testing.assert_array_equal(patch[2:, :1], image[:2, 3:])
    outside = np.concatenate([patch[:2].reshape(-1, 3), patch[2:, 1:].reshape(-1, 3)])
    assert {tuple(each) for each in outside.tolist()} == {(214, 208, 232), (236, 233, 245)}
    assert of_map(torch.tensor([[1.0, 2.0], [3.0, 5.0]]), 1, 3)[:, :, 0].tolist() == [[0, 128], [255, 255]]
    kernel = of_kernel(torch.tensor([[[-2.0, 0.0]], [[2.0, 1.0]], [[0.0, 0.0]]]), 2)
    assert kernel.tolist() == [[[0, 255, 128], [128, 191, 128]]]


HOW: dict[str, dict[str, Any]] = {
    "filters": {},
    "maps": {"images": "test:0"},
    "patches": {"layer": "conv1", "channels": (1, 5)},
    "occlusion": {"images": ("test:0", "test:7"), "layer": "maxpool1"},
    "gradcam": {"images": "test:0", "head": "parity", "target": "odd"},
    "gradient": {"images": "test:0"},
}


@pytest.fixture(scope="module")
def drawn(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Looked]:
    folder = tmp_path_factory.mktemp("drawn")
    return {what: look(what, run, folder / f"{what}.svg", device="cpu", **how) for what, how in HOW.items()}


@pytest.mark.slow
def test_every_picture(drawn: dict[str, Looked], opened: Opened, inputs: Tensor) -> None:
    for what, found in drawn.items():
        assert found.written is not None
        assert found.written.read_text().startswith("<?xml"), what
        assert "two" in found.name
    filters, maps = drawn["filters"], drawn["maps"]
    assert torch.equal(filters.values["weight"], opened.network.get_parameter("conv1.weight"))
    assert [row["layer"] for row in maps.rows] == ["conv1_activation", "maxpool1", "conv2_activation"]
    assert [*drawn["patches"].values["values"].shape] == [2, 9]
    assert {row["channel"] for row in drawn["patches"].rows} == {1, 5}
    occluded = drawn["occlusion"]
    assert occluded.facts == {"layer": "maxpool1", "window": "4x4", "stride": "2x2"}
    for row, image in zip(occluded.rows, inputs, strict=True):
        with torch.no_grad():
            shares = opened.with_logits(image.unsqueeze(0))["digit"].softmax(1)[0]
        assert row["class"] == str(int(shares.argmax()))
        assert row["probability"] == pytest.approx(float(shares.max()), rel=1e-5)
        assert row["lowest"] == pytest.approx(float(occluded.values[row["image"]].min()))
    parity = drawn["gradcam"].rows[0]
    with torch.no_grad():
        odd = float(opened.network(inputs[:1])["parity"][0, 1])  # the spec's softmax
    assert (parity["class"], parity["probability"]) == ("odd", pytest.approx(odd, rel=1e-5))


@pytest.mark.parametrize(
    ("what", "how", "message"),
    [
        ("filter", {}, "did you mean 'filters'"),
        ("filters", {"layer": "maxpool1"}, r"'maxpool1' has no kernels.*conv1 and conv2"),
        ("filters", {"images": "test:0"}, "'images' has no effect on filters"),
        ("gradient", {"images": "test:0", "layer": "conv1"}, "'layer' has no effect on gradient"),
        ("maps", {}, "maps needs an image"),
        ("maps", {"images": ("test:0", "test:1")}, "maps are those of one image"),
        ("maps", {"images": "test:0", "layer": "linear1"}, "'linear1' has no maps"),
        ("patches", {"channels": (6,), "layer": "conv1"}, "'conv1' has no channel 6.*0 to 5"),
        ("gradcam", {"images": "test:0", "target": "cat"}, "head 'digit' has no 'cat'"),
        ("gradcam", {"images": "test:0", "head": "party"}, "did you mean 'parity'"),
        ("gradcam", {"images": "test:0", "layer": "cnv1"}, "did you mean 'conv1'"),
        ("occlusion", {"images": "test:0", "window": 9}, "a window of 1 to 8 pixels"),
        ("occlusion", {"images": "test:0", "window": 3, "layer": "conv1"}, "not both"),
        ("occlusion", {"images": "test:0", "stride": 3}, "a stride needs a window"),
    ],
)
def test_what_cannot_be_meant(
    what: str, how: dict[str, Any], message: str, run: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        look(what, run, tmp_path / "x.png", device="cpu", **how)
    assert [*tmp_path.iterdir()] == []
