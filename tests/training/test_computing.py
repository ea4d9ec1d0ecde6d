"""How a network is computed if the recipe leaves it open."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cnncli.graph import open_spec, open_text
from cnncli.network import build_network
from cnncli.recipe.recipe import Recipe
from cnncli.training.computing import Computing, choose_computing
from cnncli.training.launch.starting import prepare

ONE_AXIS = "input: [1, 8]\nlayers: [{conv: {channels: 2, kernel: 3}}]\n"


@pytest.mark.parametrize(
    ("spec", "device", "precision", "expected"),
    [
        ("lenet5", "cpu", "auto", "channels_last"),
        ("lenet5", "cuda", "bf16", "channels_last"),
        ("lenet5", "cuda", "float32", "contiguous"),
        ("lenet5", "mps", "float32", "contiguous"),
        ("fully_connected", "cpu", "auto", "contiguous"),
        ("capsnet", "cpu", "auto", "contiguous"),
        (ONE_AXIS, "cpu", "auto", "contiguous"),
    ],
)
def test_the_order_in_memory_suits_network_and_device(
    spec: str, device: str, precision: str, expected: str
) -> None:
    opened = open_text(spec) if "\n" in spec else open_spec(spec)
    chosen = Recipe(precision=precision)
    network = build_network(opened.graph, "meta")
    assert choose_computing(chosen, torch.device(device), network).memory_format == expected


@pytest.mark.parametrize(
    ("device", "has_bf16", "settings", "expected"),
    [
        ("cuda", True, {}, "precision bf16, channels_last, autotuned"),
        ("cuda", False, {}, "precision float32, autotuned"),
        ("cuda", True, {"precision": "fp16", "autotune": False}, "precision fp16, channels_last"),
        (
            "cuda",
            True,
            {"memory_format": "contiguous", "compile": "whole"},
            "precision bf16, compiled, autotuned",
        ),
        ("cpu", True, {"compile": "blocks"}, "precision float32, channels_last, compiled in blocks"),
    ],
)
def test_what_is_chosen_is_said(
    monkeypatch: pytest.MonkeyPatch, device: str, has_bf16: bool, settings: dict[str, Any], expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has_bf16)
    network = build_network(open_spec("lenet5").graph, "meta")
    assert str(choose_computing(Recipe(**settings), torch.device(device), network)) == expected


@pytest.mark.parametrize("autotune", [True, False])
def test_cudnn_tries_its_algorithms_if_the_recipe_says_so(
    monkeypatch: pytest.MonkeyPatch, autotune: bool
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", not autotune)
    Computing(torch.device("cpu"), autotune=autotune).place(nn.Linear(1, 1))
    assert torch.backends.cudnn.benchmark == autotune


@pytest.mark.parametrize("compilation", ["none", "blocks", "whole"])
def test_a_network_has_blocks_where_the_recipe_compiles_them(compilation: str) -> None:
    spec = """
        input: [1, 8, 8]
        layers: [{conv: {channels: 2, kernel: 3, padding: same}, repeat: 3}, flatten, linear: 10]
        train: {data: digits}
    """
    opened = open_text(spec)
    network = prepare(opened, opened.train.replaced({"compile": compilation}), "cpu").network
    assert (network._plans.blocks is not None) == (compilation == "blocks")
