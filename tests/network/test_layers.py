"""What single layers compute, if it is more than a call of torch's own layer."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cnncli.layers.joins import Concat, Join, Multiply
from cnncli.network.joins import aligned
from cnncli.network.padding import pad
from tests.network.support import graph_of, network_of, only_module, run


def test_convolution_is_torchs_own_where_it_can_be() -> None:
    assert type(only_module("conv: {channels: 4, kernel: 3, padding: half}", [2, 8, 8])) is nn.Conv2d
    assert type(only_module("conv: {channels: 4, kernel: 3, padding: same}", [2, 8])) is nn.Conv1d
    same = only_module("conv: {channels: 4, kernel: 3, stride: 2, padding: same}", [2, 8, 8])
    assert type(same) is not nn.Conv2d
    assert isinstance(same, nn.Conv2d)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize(("kernel", "dilation", "n"), [(2, 1, 7), (4, 1, 6), (3, 2, 9), (4, 3, 12)])
def test_same_is_torchs_same_at_stride_one(kernel: int, dilation: int, n: int) -> None:
    layer = f"conv: {{channels: 4, kernel: {kernel}, dilation: {dilation}, padding: same}}"
    conv = only_module(layer, [2, n])
    x = torch.randn(2, 2, n)
    weight, bias = conv.get_parameter("weight"), conv.get_parameter("bias")
    assert torch.allclose(
        conv(x), functional.conv1d(x, weight, bias, padding="same", dilation=dilation), atol=1e-6
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "kernel: 3, stride: 2",
        "kernel: 3, stride: 2, padding: same",
        "kernel: 2, stride: 3, padding: same",
        "kernel: 4, stride: 2, padding: {top: 1, right: 2}",
        "kernel: 4, stride: 2, padding: {bottom: 3, left: 1}, output_padding: 1",
        "kernel: 5, padding: half, dilation: 2, groups: 2",
        "kernel: 3, stride: 2, padding: {top: 2}, bias: false",
        "kernel: 1, stride: 3, padding: same, output_padding: 2",
        "kernel: 3, stride: 2, padding: 3",
    ],
)
def test_transposed_convolution_is_the_gradient_of_a_convolution(arguments: str) -> None:
    """Return the sum of all placed kernels, cut as the padding says, plus the bias."""
    text = f"input: [4, 6, 5]\nlayers:\n  - convtranspose: {{channels: 6, {arguments}}}\n"
    module: Any = network_of(text).get_submodule("convtranspose1").double()
    x = torch.randn(2, 4, 6, 5, dtype=torch.float64)
    y = module(x)
    settings = {"stride": module.stride, "dilation": module.dilation, "groups": module.groups}
    whole = functional.conv_transpose2d(x, module.weight, None, **settings)
    top, left = taken_before(text)
    height, width = y.shape[2:]
    whole = functional.pad(whole, (0, 9, 0, 9))[..., top : top + height, left : left + width]
    assert torch.allclose(y, whole if module.bias is None else whole + module.bias.view(-1, 1, 1))
    assert set(module.state_dict()) <= {"weight", "bias"}


def taken_before(text: str) -> list[int]:
    """Return the number of positions that are cut off before the output, along each axis."""
    node = graph_of(text).nodes[0]
    windows: Any = node.layer.windows(node.input_shape)
    return [window.before for window in windows]


@pytest.mark.parametrize("scale", [2, 3, 7, 49, 98])
def test_nearest_repeats_at_every_factor(scale: int) -> None:
    x = torch.randn(1, 2, 5)
    assert torch.equal(run(f"upsample: {scale}", x), x.repeat_interleave(scale, -1))


def test_scaled_tanh_goes_through_one() -> None:
    y = run("scaled_tanh", torch.tensor([[1.0, -1.0, 0.0]]))
    assert y[0].tolist() == pytest.approx([1, -1, 0], abs=1e-4)


def test_channelshuffle_takes_turns_between_groups() -> None:
    x = torch.arange(6.0).view(1, 6, 1)
    assert run("channelshuffle: 2", x).flatten().tolist() == [0, 3, 1, 4, 2, 5]
    assert torch.equal(run("channelshuffle: 3", x.unsqueeze(-1)), nn.ChannelShuffle(3)(x.unsqueeze(-1)))


def test_droppath_drops_samples_in_training_alone() -> None:
    module = only_module("droppath: 0.25", [3, 2, 2])
    x = torch.ones(4000, 3, 2, 2)
    y = module.train()(x)
    each = y.flatten(1)
    assert torch.equal(each.amax(1), each.amin(1))
    assert each[:, 0].unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert each[:, 0].mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(module.eval()(x), x)


def test_droppath_may_drop_everything() -> None:
    assert not only_module("droppath: 1", [3]).train()(torch.ones(5, 3)).any()


def test_noise_is_added_in_training_alone() -> None:
    module = only_module("noise: 0.5", [100])
    x = torch.zeros(200, 100)
    assert module.train()(x).std().item() == pytest.approx(0.5, rel=0.05)
    assert torch.equal(module.eval()(x), x)


def test_layernorm_over_channels_normalizes_each_position() -> None:
    x = torch.randn(2, 5, 3, 4)
    y = run("layernorm: {over: channels}", x)
    assert torch.allclose(y.mean(1), torch.zeros(2, 3, 4), atol=1e-6)
    assert torch.allclose(
        y, functional.layer_norm(x.permute(0, 2, 3, 1), (5,)).permute(0, 3, 1, 2), atol=1e-6
    )


def test_shortcut_takes_every_second_position_and_adds_channels_of_zeros() -> None:
    x = torch.randn(2, 3, 5, 4)
    y = run("shortcut: {channels: 5, stride: 2, mode: pad}", x)
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()


def test_shortcut_projects_under_the_names_of_a_sequence() -> None:
    module = only_module("shortcut: {channels: 6, stride: 2}", [3, 5, 4])
    names = ["0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"]
    assert list(module.state_dict()) == names
    assert type(only_module("shortcut: 3", [3, 5, 4])) is nn.Identity


def joined(join: str, first: Tensor, second: Tensor) -> Tensor:
    """Return the join of two branches of different sizes, computed by its module."""
    other = f"{{adaptiveavgpool: {list(second.shape[2:])}}}"
    text = (
        f"input: {list(first.shape[1:])}\nlayers:\n  - {join.replace('BRANCHES', f'[identity, {other}]')}\n"
    )
    network = network_of(text)
    y = network.get_submodule(join.partition(":")[0] + "1")([first, second])
    assert isinstance(y, Tensor)
    return y


def test_joins_crop_to_the_smallest_around_the_center() -> None:
    first, second = torch.randn(2, 3, 9, 8), torch.randn(2, 3, 6, 5)
    wanted = first[..., 1:7, 1:6]
    assert torch.equal(
        joined("concat: {branches: BRANCHES, align: crop}", first, second), torch.cat([wanted, second], 1)
    )
    assert torch.equal(joined("add: {branches: BRANCHES, align: crop}", first, second), wanted + second)


def test_joins_pad_to_the_largest_around_the_center() -> None:
    first, second = torch.randn(2, 3, 9, 4), torch.randn(2, 3, 6, 5)
    y = joined("concat: {branches: BRANCHES, align: pad}", first, second)
    assert torch.equal(y[:, :3], functional.pad(first, (0, 1)))
    assert torch.equal(y[:, 3:], functional.pad(second, (0, 0, 1, 2)))


def test_a_branch_of_one_position_scales_whole_channels() -> None:
    first, second = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 1, 1)
    for align in ("exact", "crop", "pad"):
        assert torch.equal(
            joined(f"multiply: {{branches: BRANCHES, align: {align}}}", first, second), first * second
        )


@pytest.mark.parametrize(
    ("layer", "shape", "fan_in"),
    [
        ("conv: {channels: 256, kernel: 3, groups: 2}", [64, 9, 9], 32 * 9),
        ("conv: {channels: 256, kernel: 5, padding: same, padding_mode: symmetric}", [64, 9], 64 * 5),
        ("conv: {channels: 4, kernel: 30, table: [[0], [1, 2], [3], [1, 3]]}", [4, 30, 30], 1.5 * 900),
        ("linear: 500", [800], 800),
        ("convtranspose: {channels: 64, kernel: 4, stride: 2}", [64, 5, 5], 64 * 4),
        ("shortcut: 512", [64, 4, 4], 64),
    ],
)
def test_weights_begin_with_the_variance_of_he(layer: str, shape: list[int], fan_in: float) -> None:
    tensors = dict(only_module(layer, shape).named_parameters())
    weight = tensors.get("weight", tensors.get("0.weight"))
    assert weight is not None
    assert weight.std().item() == pytest.approx(math.sqrt(2 / fan_in), rel=0.05)
    if "weight" in tensors:
        assert not tensors["bias"].any()


def test_every_activation_leaves_its_input_alone() -> None:
    """The input must not change, because another node may read the same tensor."""
    from cnncli.layers import KINDS

    x = torch.randn(3, 4, 5)
    for name, kind in KINDS.items():
        if kind.family in ("activation", "regularizing"):
            before = x.clone()
            only_module(name, [4, 5]).train()(x)
            assert torch.equal(x, before), name


@pytest.mark.parametrize("align", ["crop", "pad"])
@pytest.mark.parametrize("kind", [Concat, Multiply])
def test_margins_at_run_time_are_those_of_the_analysis(kind: type[Join], align: str) -> None:
    join = kind(align=align)
    for first, second in itertools.product(range(1, 7), repeat=2):
        branches = [torch.randn(1, 2, first, 3), torch.randn(1, 2, second, 4)]
        shapes = tuple(tuple(branch.shape[1:]) for branch in branches)
        margins: list[Any] = [join.margins(shape, join.aligned(shapes)) for shape in shapes]
        wanted = [pad(branch, [*each]) for branch, each in zip(branches, margins, strict=True)]
        assert all(map(torch.equal, aligned(branches, align, kind is Multiply), wanted))


@pytest.mark.parametrize("join", ["add", "concat", "multiply"])
def test_a_join_refuses_a_tensor(join: str) -> None:
    branches = "branches: [identity, [relu]]"
    network = network_of(
        f"input: [2, 8, 8]\nlayers: [conv: {{channels: 2, kernel: 1}}, {join}: {{{branches}}}]"
    )
    *_, last = network.children()
    with pytest.raises(TypeError, match="a list with one tensor for each branch"):
        last(torch.zeros(3, 2, 8, 8))
