"""What happens between a spec and the first step of its training."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from cnncli.graph import Graph, open_text
from cnncli.network import Network, build_network
from cnncli.training import loop
from cnncli.training.launch import starting
from tests.training.support import Recorder

SPEC = """
input: [1, 8, 8]
layers:
  - conv: {channels: 2, kernel: 3, norm: batch, activation: relu}
  - flatten
  - linear: 10
train: {data: digits, epochs: 1, batch: 64}
"""


class FirstStepError(Exception):
    """The training has come to its first step."""


def test_nothing_is_copied_or_run_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shapes of the outputs are those of the graph: no copy and no forward pass finds them out."""
    happened: list[str] = []
    real = copy.deepcopy

    def copied(value: Any, *rest: Any) -> Any:
        if isinstance(value, nn.Module | Tensor):  # not the settings, which become JSON
            happened.append(f"deepcopy of {type(value).__name__}")
        return real(value, *rest)

    def built(graph: Graph, **how: Any) -> Network:
        network = build_network(graph, **how)
        monkeypatch.setattr(copy, "deepcopy", copied)
        return network

    def first_step(*_: Any) -> None:
        raise FirstStepError

    monkeypatch.setattr(starting, "build_network", built)
    monkeypatch.setattr(loop, "step", first_step)
    opened = open_text(SPEC)
    hook = register_module_forward_pre_hook(lambda module, _: happened.append(type(module).__name__))
    try:
        with pytest.raises(FirstStepError):
            starting.prepare(opened, opened.train, "cpu").create(tmp_path / "run").start()
        assert happened == []
        # Either would have been noticed.
        network = build_network(opened.graph)
        network(torch.zeros(2, 1, 8, 8))
        copy.deepcopy(network)
    finally:
        hook.remove()
    assert happened[0] == "Network"
    assert "deepcopy of Network" in happened


def test_weights_from_elsewhere_are_where_a_training_starts(tmp_path: Path) -> None:
    """Transfer learning in Python: the network of what begins is an ordinary module."""
    opened = open_text(SPEC)
    begun = starting.prepare(opened, opened.train, "cpu").create(tmp_path / "run")
    other = {name: torch.full_like(value, 0.25) for name, value in begun.network.state_dict().items()}
    begun.network.load_state_dict(other)
    seen: list[dict[str, Tensor]] = []

    def watch(_: object) -> None:
        first = begun.run.read_checkpoint()
        assert first is not None
        seen.append(first.network)

    assert begun.start(Recorder(watch), report_every=0).status == "finished"
    assert seen[0].keys() == other.keys()
    assert all(torch.equal(seen[0][name], other[name]) for name in other)
