from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from cnncli.diagnostics import UsageError
from cnncli.training.runs.files import write_tensors
from cnncli.training.runs.weights import load_weights, read_tensors, save_weights
from tests.training.support import same_weights, small_network


def test_there_and_back(tmp_path: Path) -> None:
    network, other = small_network(), small_network()
    assert not same_weights(network, other)
    save_weights(network, tmp_path / "w", run="a", epochs=3, batches=4)
    load_weights(other, tmp_path / "w", "a")
    assert same_weights(network, other)
    assert read_tensors(tmp_path / "w")[1] == {"run": "a", "epochs": 3, "batches": 4}


def test_the_same_weights_are_the_same_file(tmp_path: Path) -> None:
    network, path = small_network(), tmp_path / "w"
    contents = set()
    for _ in range(20):
        save_weights(network, path, run="a", epochs=3, batches=4)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    text = '{"run": "a", "epochs": 3, "batches": 4}'
    digest = hashlib.sha256(text.encode())
    for name, value in sorted(network.state_dict().items()):
        head = f'["{name}", "{value.dtype}", {list(value.shape)}]'
        digest.update(head.encode() + value.numpy().tobytes())
    assert metadata == {"cnncli": f"{digest.hexdigest()} {text}"}


def test_tied_and_transposed_tensors(tmp_path: Path) -> None:
    def tied() -> nn.Module:
        network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        network[1].weight = network[0].weight
        network[0].bias = nn.Parameter(torch.randn(3, 3).t()[0])
        return network

    network, other = tied(), tied()
    save_weights(network, tmp_path / "w", run="a", epochs=0, batches=0)
    load_weights(other, tmp_path / "w")
    assert same_weights(network, other)
    assert other[0].weight is other[1].weight  # type: ignore[index]


def test_every_disagreement_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    network = small_network()
    tensors = {name: value.clone() for name, value in network.state_dict().items()}
    del tensors["0.bias"], tensors["1.running_var"]
    tensors["extra"] = torch.ones(1)
    tensors["5.weight"] = torch.ones(10, 7)
    tensors["0.weight"] = tensors["0.weight"].double() + 1
    write_tensors(tmp_path / "w", tensors, {})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(UsageError) as caught:
        load_weights(network, tmp_path / "w")
    message = str(caught.value)
    assert "2 missing: 0.bias and 1.running_var" in message
    assert "1 unexpected: extra" in message
    assert "2 of another shape: 0.weight is 4x1x3x3 float64 instead of 4x1x3x3 float32" in message
    assert "5.weight is 10x7 float32 instead of 10x144 float32" in message
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("content", [b"", b"short", bytes(8), b"\xff" * 100, b"\x10" + bytes(7) + b"{" * 16])
def test_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(UsageError, match="cannot read"):
        load_weights(small_network(), tmp_path / "w")


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    save_file({"x": torch.ones(3)}, tmp_path / "w")
    whole = (tmp_path / "w").read_bytes()
    for end in range(len(whole)):
        (tmp_path / "w").write_bytes(whole[:end])
        with pytest.raises(UsageError):
            read_tensors(tmp_path / "w")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_weights(small_network(), tmp_path / "w")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    network, other = small_network(), small_network()
    network.state_dict()["5.bias"][3] = value
    network.state_dict()["1.running_var"][0] = value
    save_weights(network, tmp_path / "w", run="a", epochs=0, batches=0)
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(UsageError, match=r"not finite: 1\.running_var and 5\.bias .*NaN in 2 of 9 tensors"):
        load_weights(other, tmp_path / "w")
    assert all(torch.equal(before[name], tensor) for name, tensor in other.state_dict().items())


def test_the_weights_of_another_run_are_refused(tmp_path: Path) -> None:
    network, other = small_network(), small_network()
    save_weights(network, tmp_path / "w", run="a", epochs=0, batches=0)
    before = {name: each.clone() for name, each in other.state_dict().items()}
    with pytest.raises(UsageError, match="w is a file of another run"):
        load_weights(other, tmp_path / "w", "b")
    assert all(torch.equal(each, before[name]) for name, each in other.state_dict().items())
