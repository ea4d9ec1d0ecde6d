"""Modules of PyTorch: their spec computes what they do, with their names; or what has no kind is named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cnncli.diagnostics import CnncliError
from cnncli.importing.building import Imported, imported
from cnncli.training.importing.comparing import outputs_of_module
from cnncli.training.importing.tracing import traced
from tests.importing.support import computed, random


class Of(nn.Module):
    """A function as the forward pass of a module with some layers."""

    def __init__(self, function: Callable[..., object], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> object:
        return self.function(self, x)


def read(module: nn.Module, *shape: int) -> Imported:
    return imported(traced(module, shape, "it", __file__))


def settled(module: nn.Module) -> nn.Module:
    """Return the module with running statistics that are not trivial."""
    for name, tensor in module.named_buffers():
        if "running" in name:
            nn.init.uniform_(tensor, 0.5, 2)
    return module


def check(module: nn.Module, *shape: int) -> Imported:
    found = read(settled(module), *shape)
    batch = random(3, *shape)
    for one, other in zip(computed(found, batch), outputs_of_module(module, batch), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    return found


@pytest.mark.slow
def test_settings_of_modules() -> None:
    """One network with most modules of torch.nn that have a kind, each with settings that are not usual."""
    found = check(
        nn.Sequential(
            nn.Conv2d(3, 8, (3, 5), stride=(1, 2), padding=(1, 2), dilation=(1, 1), groups=1),
            nn.BatchNorm2d(8, eps=1e-3, momentum=0.3),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, 8, 3, padding="same", dilation=2, groups=4, bias=False),
            nn.GroupNorm(2, 8, eps=1e-4),
            nn.ELU(0.5),
            nn.MaxPool2d(3, 2, 1, ceil_mode=True),
            nn.InstanceNorm2d(8, affine=True),
            nn.PReLU(8),
            nn.AvgPool2d(3, 1, 1, count_include_pad=False),
            nn.LocalResponseNorm(3, 0.1, 0.5, 2),
            nn.Hardswish(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1),
            nn.GELU(),
            nn.ReflectionPad2d((1, 2, 0, 1)),
            nn.PixelShuffle(2),
            nn.Dropout2d(0.1),
            nn.AdaptiveAvgPool2d((2, 3)),
            nn.Mish(),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(6, 5, bias=False),
            nn.LayerNorm(5),
            nn.LogSoftmax(1),
        ),
        *(3, 17, 16),
    )
    assert [node.name for node in found.graph.nodes] == [str(number) for number in range(25)]
    norm, dropout = (vars(found.graph.nodes[place].layer) for place in (1, 21))
    assert (norm["eps"], norm["momentum"], dropout["probability"]) == (1e-3, 0.3, 0.25)


def test_functions_and_operators() -> None:
    def forward(self: nn.Module, x: Tensor) -> dict[str, Tensor]:
        y = functional.relu6(self.get_submodule("a")(x))
        z = y * torch.sigmoid(y)
        gate = self.get_submodule("b")(z.mean((2, 3), keepdim=True)).sigmoid()
        y = torch.cat([z * gate, x[:, :]], dim=1)
        shuffled = y.view(y.shape[0], 2, 4, 6, 6).transpose(1, 2).reshape(y.shape[0], -1, 6, 6)
        return {"map": functional.pad(shuffled, (1, 0, 0, 2)), "scores": shuffled.amax((-1, -2))}

    found = check(Of(forward, a=nn.Conv2d(4, 4, 1), b=nn.Conv2d(4, 4, 1)), 4, 6, 6)
    assert list(found.graph.outputs) == ["map", "scores"]
    kinds = [node.kind for node in found.graph.nodes]
    assert {"silu", "multiply", "channelshuffle", "globalmaxpool", "pad"} <= {*kinds}


def test_channels_that_are_last_for_a_normalization() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        last: Tensor = self.get_submodule("norm")(x.permute(0, 2, 3, 1))
        first: Tensor = last.permute(0, 3, 1, 2)
        return first

    found = check(Of(forward, norm=nn.LayerNorm(4)), 4, 3, 5)
    assert [node.name for node in found.graph.nodes] == ["norm"]


def test_what_is_changed_in_place_is_read_changed() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        y = self.get_submodule("a")(x)
        z = functional.relu(y, inplace=True)
        y += z
        total: Tensor = y + z
        return total

    check(Of(forward, a=nn.Conv2d(2, 3, 1)), 2, 4, 4)


def test_what_does_not_run_is_named() -> None:
    found = check(Of(lambda self, x: self.a(x), a=nn.Linear(3, 2), idle=nn.Linear(3, 4)), 3)
    assert found.notes == ("modules that compute nothing in inference are left out: idle",)


def test_names_that_a_spec_cannot_have_are_changed_and_weights_follow() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self._a = nn.Linear(3, 2)
            self.b = nn.Module()
            self.b.input = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.b.get_submodule("input")(self._a(x))
            return y

    found = check(Own(), 3)
    assert found.sources["a.weight"] == "_a.weight"
    assert found.sources["b.input_.bias"] == "b.input.bias"


REFUSED: dict[str, tuple[Callable[..., object], str]] = {
    "a constant": (lambda _, x: x * 3, "multiplies by a constant"),
    "broadcast": (lambda _, x: x + x.mean((2, 3), keepdim=True), "broadcast"),
    "split": (lambda _, x: x[:, :2], "takes some of the channels"),
    "chunk": (lambda _, x: x.chunk(2, 1)[0], "takes some of the channels"),
    "rows": (lambda _, x: x.softmax(3), "not the channels"),
    "corners": (
        lambda _, x: functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
        "aligned corners",
    ),
    "tanh": (lambda _, x: functional.gelu(x, approximate="tanh"), "approximation with tanh"),
    "last axis": (lambda self, x: self.a(x), "over the last axis"),
    "twice": (lambda self, x: self.b(self.b(x)), "shared with another layer"),
    "batch": (lambda _, x: x.reshape(-1, 4), "mixes the samples"),
    "nested": (lambda _, x: [x, [x.relu()]], "nested values"),
    "values": (lambda _, x: x.relu() if x.sum() > 0 else x, "may not decide by its values"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_kind_expresses_is_refused_with_its_line(name: str) -> None:
    function, reason = REFUSED[name]
    module = Of(function, a=nn.Linear(4, 4), b=nn.Conv2d(4, 4, 1))
    with pytest.raises(CnncliError) as caught:
        read(module, 4, 4, 4)
    assert reason in str(caught.value)
    if name not in ("nested", "values", "twice", "last axis"):
        assert "test_python.py:" in str(caught.value)
