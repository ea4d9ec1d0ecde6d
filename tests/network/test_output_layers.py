"""LeNet-5's subsampling and output, and capsules, against their papers' formulas written out."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnncli.diagnostics import SpecError
from cnncli.graph import open_text
from tests.network.support import only_module, run


def test_subsampling_adds_multiplies_and_adds_the_bias() -> None:
    module = only_module("subsample: {kernel: [2, 3], stride: 2}", [2, 5, 7]).double()
    coefficient, bias = module.get_parameter("weight"), module.get_parameter("bias")
    nn.init.normal_(coefficient)
    nn.init.normal_(bias)
    x = torch.randn(3, 2, 5, 7, dtype=torch.float64)
    y = module(x)
    assert y.shape == (3, 2, 2, 3)
    for n, channel, i, j in itertools.product(range(3), range(2), range(2), range(3)):
        total = x[n, channel, 2 * i : 2 * i + 2, 2 * j : 2 * j + 3].sum()
        wanted = coefficient[channel] * total + bias[channel]
        assert y[n, channel, i, j].item() == pytest.approx(wanted.item(), abs=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 9), (2, 3, 6, 8), (2, 3, 4, 6, 5)])
def test_subsampling_starts_as_average_pooling(shape: tuple[int, ...]) -> None:
    x = torch.randn(*shape)
    assert torch.allclose(run("subsample: 2", x), run("avgpool: 2", x), atol=1e-6)


def test_prototypes_are_pictures_of_ink_and_paper() -> None:
    module = only_module("rbf", [84])
    prototypes = module.get_buffer("prototypes")
    assert prototypes.shape == (10, 12 * 7)
    assert set(prototypes.unique().tolist()) == {-1.0, 1.0}
    one = ["".join("#" if dot > 0 else "." for dot in row) for row in prototypes[1].view(12, 7)]
    assert one[:3] == ["...##..", "..###..", ".####.."]
    assert one[9:] == [".######", ".......", "......."]
    assert not list(module.parameters())


def test_no_two_digits_are_close() -> None:
    """The prototypes are 48 to 200 apart, from which training/tasks/criteria.py takes its j."""
    prototypes = only_module("rbf", [84]).get_buffer("prototypes")
    apart = [(one - other).square().sum().item() for one, other in itertools.combinations(prototypes, 2)]
    assert (min(apart), max(apart)) == (48, 200)


def test_rbf_is_the_squared_distance() -> None:
    x = torch.randn(5, 84, dtype=torch.float64)
    module = only_module("rbf: 7", [84]).double()
    y = module(x).numpy()
    prototypes = module.get_buffer("prototypes").numpy()
    wanted = [[np.linalg.norm(each - prototype) ** 2 for prototype in prototypes] for each in x.numpy()]
    assert np.allclose(y, wanted)
    assert module(module.get_buffer("prototypes")).argmin(1).tolist() == list(range(7))


@pytest.mark.parametrize("arguments", ["rbf: 11", "rbf: 0"])
def test_there_are_pictures_of_ten_digits(arguments: str) -> None:
    with pytest.raises(SpecError) as caught:
        open_text(f"input: [84]\nlayers: [{arguments}]")
    assert caught.value.diagnostics[0].expected == "a whole number from 1 to 10"


@pytest.mark.parametrize("size", [[83], [1, 12, 7]])
def test_rbf_says_what_it_reads(size: list[int]) -> None:
    with pytest.raises(SpecError) as caught:
        open_text(f"input: {size}\nlayers: [rbf]")
    (fault,) = caught.value.diagnostics
    assert fault.expected == "a vector of 84 features"
    assert "linear: 84" in fault.hint


# -- capsules --------------------------------------------------------------------------------------


def squash(s: Any) -> Any:
    """Equation 1."""
    square = float(s @ s)
    return square / (1 + square) * s / np.sqrt(square)


def routed(u: Any, weight: Any, rounds: int) -> Any:
    """Procedure 1, for one image: ``u`` are the input capsules, ``weight`` [i, j, size, reads]."""
    inputs, outputs, size, _ = weight.shape
    predictions = np.array([[weight[i, j] @ u[i] for j in range(outputs)] for i in range(inputs)])
    b = np.zeros((inputs, outputs))
    for _ in range(rounds):
        c = np.exp(b) / np.exp(b).sum(1, keepdims=True)
        s = [sum(c[i, j] * predictions[i, j] for i in range(inputs)) for j in range(outputs)]
        v = np.array([squash(each) for each in s])
        for i, j in np.ndindex(inputs, outputs):
            b[i, j] += predictions[i, j] @ v[j]
    assert v.shape == (outputs, size)
    return v


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_routing_by_agreement(rounds: int) -> None:
    torch.manual_seed(0)
    arguments = f"{{count: 4, size: 5, reads: 3, routings: {rounds}}}"
    module = only_module(f"capsules: {arguments}", [6, 2, 2]).double()
    x = torch.randn(2, 6, 2, 2, dtype=torch.float64)
    y = module(x).detach().numpy()
    weight = module.get_parameter("weight").detach().numpy()
    for image, found in zip(x.numpy(), y, strict=True):
        u = [
            squash(image[3 * group : 3 * group + 3, i, j])
            for group, i, j in itertools.product(range(2), range(2), range(2))
        ]
        assert np.allclose(found, routed(u, weight, rounds), atol=1e-7)


def test_lengths_and_the_longest() -> None:
    x = torch.tensor([[[3.0, 4.0], [0.0, 1.0]], [[1.0, 0.0], [2.0, 2.0]]])
    assert torch.allclose(run("capsulelength", x), torch.tensor([[5.0, 1.0], [1.0, 8**0.5]]))
    assert run("capsulemask", x).tolist() == [[[3, 4], [0, 0]], [[0, 0], [2, 2]]]


def test_an_empty_capsule_has_a_derivative() -> None:
    x = torch.zeros(1, 8, 1, requires_grad=True)
    module = only_module("capsules: {count: 2, size: 3}", [8, 1])
    run("capsulelength", module(x)).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_output_capsules_start_short() -> None:
    torch.manual_seed(0)
    module = only_module("capsules: 10", [256, 6, 6])
    x = 10 * torch.randn(4, 256, 6, 6)  # so long that every input capsule has a length of about 1
    lengths = run("capsulelength", module(x).detach())
    assert 0.1 < lengths.mean() < 0.4
