"""Padding in every mode, compared with NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnncli.layers.geometry.window import Window, native_pads
from cnncli.network.padding import frames_by_size, pad, pad_by_size, pads_by_size
from tests.network.support import only_module, run

NUMPY = {
    "zeros": "constant",
    "symmetric": "symmetric",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}
PADS = [[(2, 1)], [(1, 2), (0, 3)], [(3, 0), (2, 2)], [(1, 0), (2, 1), (0, 2)], [(0, 0), (0, 0)]]


@pytest.mark.parametrize("mode", NUMPY)
@pytest.mark.parametrize("pads", PADS, ids=str)
def test_each_mode_is_numpys(mode: str, pads: list[tuple[int, int]]) -> None:
    x = torch.rand(2, 3, *(5, 4, 6)[: len(pads)])
    wanted = np.pad(x.numpy(), [(0, 0), (0, 0), *pads], mode=NUMPY[mode])  # type: ignore[call-overload]
    assert np.array_equal(pad(x, pads, mode).numpy(), wanted)


def test_constant_holds_its_value() -> None:
    y = run("pad: {amount: {top: 1}, mode: constant, value: -2.5}", torch.zeros(1, 1, 2, 2))
    assert y[0, 0].tolist() == [[-2.5, -2.5], [0, 0], [0, 0]]


@pytest.mark.parametrize("mode", NUMPY)
def test_gradient_flows_back_to_what_was_copied(mode: str) -> None:
    x = torch.rand(1, 1, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda each: pad(each, [(2, 3)], mode), x)


@pytest.mark.parametrize("n", [5, 6, 7, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_follows_the_input_at_run_time(n: int, stride: int) -> None:
    amounts = pads_by_size([Window(4, stride, same=True)])
    size = pad_by_size(torch.zeros(1, 1, n), amounts).shape[-1]
    assert (size - 4) // stride + 1 == -(-n // stride)


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(
    "more", [{}, {"same": True}, {"before": 2, "after": 1}, {"before": 1, "ceil_mode": True}, {"dilation": 2}]
)
def test_amounts_of_one_period_are_those_of_every_size(
    stride: int, kernel: int, more: dict[str, int]
) -> None:
    window = Window(kernel, stride, **more)  # type: ignore[arg-type]
    (pads,), (frames,) = pads_by_size([window]), frames_by_size([window])
    for n in range(1, 60):
        assert pads[n % len(pads)] == window.pads(n)
        assert frames[n % len(frames)] == window.frame(n)


@pytest.mark.parametrize(
    ("windows", "pads"),
    [
        ([Window(3, 2, before=1, after=1), Window(5)], (1, 0)),
        ([Window(3, same=True)], (1,)),
        ([Window(2, same=True)], None),
        ([Window(3, 2, same=True)], None),
        ([Window(3), Window(3, before=1)], None),
    ],
)
def test_torchs_own_padding_is_used_where_it_can_be(
    windows: list[Window], pads: tuple[int, ...] | None
) -> None:
    assert native_pads(windows) == pads


def test_crop_takes_off_the_borders() -> None:
    x = torch.arange(20.0).view(1, 1, 4, 5)
    assert torch.equal(run("crop: {amount: {top: 1, left: 2}}", x), x[..., 1:, 2:])


@pytest.mark.parametrize("mode", ["zeros", "symmetric", "reflect", "replicate", "circular", "constant"])
def test_convolution_pads_in_every_mode(mode: str) -> None:
    layer = f"conv: {{channels: 4, kernel: [3, 2], padding: same, padding_mode: {mode}, padding_value: 3}}"
    conv = only_module(layer, [2, 5, 6])
    x = torch.rand(2, 2, 5, 6)
    numpy_mode = NUMPY.get(mode, "constant")
    more = {"constant_values": 3} if mode == "constant" else {}
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), (1, 1), (0, 1)], mode=numpy_mode, **more)  # type: ignore[call-overload]
    wanted = torch.nn.functional.conv2d(
        torch.from_numpy(padded), conv.get_parameter("weight"), conv.get_parameter("bias")
    )
    assert torch.allclose(conv(x), wanted, atol=1e-6)
    assert set(conv.state_dict()) == {"weight", "bias"}
