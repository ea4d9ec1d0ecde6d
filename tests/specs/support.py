"""The shipped specs, opened once for all tests."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from cnncli.analysis.costs.figures import Costs, costs
from cnncli.graph import Graph, Node, Opened, open_spec

SPECS = Path(__file__).resolve().parents[2] / "specs"
DATA = Path(__file__).resolve().parents[1] / "data"
NAMES = tuple(sorted(str(path.relative_to(SPECS).with_suffix("")) for path in SPECS.rglob("*.yaml")))
"""Every shipped spec, as ``vgg/vgg16``."""

LARGE = (
    *(f"resnet/resnet{depth}" for depth in (34, 101, 152)),
    *(f"resnet_cifar/{name}" for name in ("plain56", "resnet32", "resnet44", "resnet56", "resnet110")),
    *(f"vgg/vgg{depth}" for depth in (11, 13, 16, 19)),
)
COMPUTED = tuple(pytest.param(name, marks=pytest.mark.campaign if name in LARGE else ()) for name in NAMES)
"""All of them, for tests that compute a network; those whose layers are found in smaller ones too only in
campaigns."""


@functools.cache
def opened(name: str, *overrides: str) -> Opened:
    return open_spec(SPECS / f"{name}.yaml", overrides=overrides)


def graph(name: str, *overrides: str) -> Graph:
    return opened(name, *overrides).graph


@functools.cache
def figures(name: str, *overrides: str) -> Costs:
    return costs(graph(name, *overrides))


@functools.cache
def recorded() -> dict[str, Any]:
    """Names, shapes and totals of torchvision's models; the file's ``source`` says which torchvision."""
    path = DATA / "torchvision_models.json"
    models: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["models"]
    return models


def of_kind(name: str, kind: str, *overrides: str) -> list[Node]:
    """The nodes of one kind, in order."""
    return [node for node in graph(name, *overrides).nodes if node.kind == kind]


def params(name: str, *overrides: str) -> list[object]:
    """The parameters of every layer that has some, in order."""
    return [row.figures.params for row in figures(name, *overrides).rows if row.figures.params != 0]


def sizes(name: str, *overrides: str) -> list[object]:
    """The output height of every convolution, in order; the maps are square."""
    outputs = [node.output_shape for node in of_kind(name, "conv", *overrides)]
    assert all(height == width for _, height, width in outputs)
    return [height for _, height, _ in outputs]
