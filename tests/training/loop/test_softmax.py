"""A classifier that ends in softmax trains as the one without it, to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import cnncli
from cnncli.diagnostics import CnncliError
from cnncli.training.runs.weights import load_weights
from tests.training.support import figures, of_part

TRAIN = "train: {data: digits, epochs: 2, tasks: {output: {cross_entropy: {smoothing: 0.1}}}}"


def spec(folder: Path, end: str) -> Path:
    path = folder / "net.yaml"
    path.write_text(f"input: [1, 8, 8]\nlayers: [flatten, linear: 16, relu, {end}]\n{TRAIN}\n")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["softmax", "log_softmax"])
def test_the_same_weights_and_figures(tmp_path: Path, kind: str) -> None:
    plain = cnncli.load(spec(tmp_path, "linear: 10")).train(run=tmp_path / "plain", device="cpu")
    ended = cnncli.load(spec(tmp_path, f"linear: {{features: 10, activation: {kind}}}"))
    found = ended.train(run=tmp_path / kind, device="cpu")
    assert figures(found.history) == figures(plain.history)
    ours, theirs = (load_file(tmp_path / run / "weights.safetensors") for run in (kind, "plain"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    # A run is measured as it was trained; a module of the network outputs what the spec says.
    last = found.history[-1]
    measured = cnncli.evaluate(tmp_path / kind, device="cpu").evaluation
    assert measured.figures.items() >= of_part(last, "test").items()
    module = ended.module()
    load_weights(module, tmp_path / kind / "weights.safetensors")
    of_module = ended.evaluate(module).evaluation
    assert of_module.figures["loss"] == pytest.approx(last.figures["test.loss"], rel=1e-5)
    assert of_module.heads["output"].confusion == measured.heads["output"].confusion
    output = module.eval()(torch.rand(3, 1, 8, 8))
    total = output.sum(1) if kind == "softmax" else output.exp().sum(1)
    torch.testing.assert_close(total, torch.ones(3))


def test_what_is_not_a_distribution_is_refused_before_there_is_a_folder(tmp_path: Path) -> None:
    network = cnncli.load(spec(tmp_path, "linear: 10, softmax, dropout: 0.2"))
    with pytest.raises(CnncliError, match="has 'dropout' after 'softmax'") as caught:
        network.train(run=tmp_path / "run", device="cpu")
    assert caught.value.diagnostics[0].location is not None
    assert not (tmp_path / "run").exists()
