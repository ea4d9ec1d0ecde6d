"""The peaks of graphics processors, by the names that drivers give them."""

from __future__ import annotations

import pytest

from cnncli.recipe.gpus import PEAKS, peak_rate


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA A100-SXM4-40GB", "A100"),
        ("NVIDIA A10", "A10"),
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-16GB", "V100-SXM2"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA L4", "L4"),
    ],
)
def test_names(name: str, part: str) -> None:
    peak = PEAKS[part]
    assert peak_rate(name, half=True, tf32=True) == peak.half * 1e12
    assert peak_rate(name, half=False, tf32=False) == peak.float32 * 1e12
    assert peak_rate(name, half=False, tf32=True) == (peak.tf32 or peak.float32) * 1e12


@pytest.mark.parametrize(
    "name",
    ["NVIDIA A10G", "NVIDIA GeForce RTX 4080 SUPER", "NVIDIA GeForce RTX 4090 Laptop GPU", "AMD MI300X", ""],
)
def test_what_is_not_known_has_none(name: str) -> None:
    assert peak_rate(name, half=True, tf32=True) is None
