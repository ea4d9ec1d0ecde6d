"""Optimizers without torch's compiler."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnncli.training.optimization.uncompiled import uncompiled

WATCHED = """
import sys
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from cnncli.cli import main

before = {*sys.modules}
def end(*_):
    print(*sorted({*sys.modules} - before), file=sys.stderr)
    raise SystemExit
register_optimizer_step_post_hook(end)
main()
"""


def trained(kind: type[Optimizer], **options: Any) -> tuple[list[Tensor], dict[str, Any]]:
    torch.manual_seed(0)
    network = nn.Linear(5, 3)
    optimizer = kind([{"params": network.parameters(), "weight_decay": 0.01}], **options)
    for _ in range(3):
        optimizer.zero_grad()
        network(torch.randn(4, 5)).square().sum().backward()
        optimizer.step()
    again = kind(network.parameters(), **options)
    again.load_state_dict(optimizer.state_dict())
    return [each.detach() for each in network.parameters()], again.state_dict()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        (torch.optim.SGD, {"lr": 0.1, "fused": True}),
        (torch.optim.AdamW, {"lr": 0.1}),
    ],
)
def test_it_steps_as_torchs_does(kind: type[Optimizer], options: dict[str, Any]) -> None:
    ours, theirs = trained(uncompiled(kind), **options), trained(kind, **options)
    assert all(torch.equal(*pair) for pair in zip(ours[0], theirs[0], strict=True))
    assert str(ours[1]) == str(theirs[1])
    assert issubclass(uncompiled(kind), kind)


@pytest.mark.slow
def test_a_training_begins_without_what_it_does_not_need(tmp_path: object) -> None:
    command = [
        sys.executable,
        "-c",
        WATCHED,
        "train",
        "lenet5",
        "--device",
        "cpu",
        "--run",
        f"{tmp_path}/run",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    imported = done.stderr.split()
    assert done.returncode == 0, done.stderr
    assert {"cnncli.training.loop", "PIL.Image"} <= {*imported}
    slow = {"matplotlib", "mpmath", "sklearn", "scipy", "sympy", "torchinfo"}
    assert [each for each in imported if each.startswith("torch._dynamo") or each in slow] == []
