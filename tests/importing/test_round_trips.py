"""Shipped networks that are exported and imported again are the same networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from cnncli.exporting.accepted import accepted
from cnncli.exporting.onnx.model import model_of
from cnncli.exporting.onnx.serializing import content_of
from cnncli.exporting.subject import Subject
from cnncli.graph import open_spec
from cnncli.importing.building import Imported, imported
from cnncli.importing.onnx.reading import read_onnx
from cnncli.language.writer import to_yaml
from cnncli.network import Network, build_network
from cnncli.results.transfer import Origin
from cnncli.training.importing.comparing import outputs_of_module
from cnncli.training.importing.tracing import traced
from cnncli.transfer.matching import named_tensors
from tests.exporting.python.support import module_of
from tests.importing.support import computed, random

# Each with what the others lack: units, a pyramid, capsules, a table and prototypes, padding of channels.
PYTHON: Mapping[str, tuple[str, ...]] = {
    "small_resnet": (),
    "unet_padded": ("size=32", "width=4"),
    "capsnet": (),
    "lenet5_1998": (),
    "resnet20": (),
    "denoising_autoencoder": (),
}
ONNX: Mapping[str, tuple[str, ...]] = {
    "small_resnet": (),
    "resnet18": ("classes=5", "depths=[1, 2, 1, 1]"),
    "digit_and_parity": (),
}


def network_of(name: str, overrides: tuple[str, ...]) -> tuple[Network, Subject]:
    torch.manual_seed(0)
    opened = open_spec(name, overrides=overrides)
    network = build_network(opened.graph).eval()
    for key, tensor in network.named_buffers():
        if "running" in key:
            torch.nn.init.uniform_(tensor, 0.5, 2)
    names = named_tensors(opened.graph)
    tensors = {key: value.numpy() for key, value in network.state_dict().items() if key in names}
    return network, Subject(opened.graph, to_yaml(opened.document), tensors, Origin("", "", ""))


def check(found: Imported, network: Network, subject: Subject) -> None:
    assert named_tensors(found.graph) == named_tensors(subject.graph)
    assert all(np.array_equal(found.tensors[key], value) for key, value in subject.tensors.items())
    batch = random(2, *map(int, map(str, subject.graph.input)))
    for one, other in zip(computed(found, batch), outputs_of_module(network, batch), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", PYTHON)
def test_through_a_python_file(name: str, tmp_path: Path) -> None:
    network, subject = network_of(name, PYTHON[name])
    exported = module_of(subject.graph._replace(name="it"), tmp_path).It()
    exported.load_state_dict(network.state_dict())
    shape = [int(str(dim)) for dim in subject.graph.input]
    check(imported(traced(exported, shape, "it", "exported.py")), network, subject)


@pytest.mark.slow
@pytest.mark.parametrize("name", ONNX)
def test_through_an_onnx_file(name: str, tmp_path: Path) -> None:
    network, subject = network_of(name, ONNX[name])
    path = tmp_path / "it.onnx"
    model = model_of(subject, accepted(subject.graph, subject.spec)).model
    path.write_bytes(content_of(model, subject.tensors))
    shape = [int(str(dim)) for dim in subject.graph.input]
    check(imported(read_onnx(path, shape)), network, subject)
