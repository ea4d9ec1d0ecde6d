"""How a network is computed if the recipe leaves it open."""

from __future__ import annotations

import pytest
import torch

from cnncli.graph import open_spec, open_text
from cnncli.network import build_network
from cnncli.recipe.recipe import Recipe
from cnncli.training.computing import choose_computing

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
