"""What holds for every shipped spec: it opens, keeps its budget, says where it comes from, and computes."""

from __future__ import annotations

import pytest
import torch

from cnncli.analysis import budgets
from cnncli.network import compile_graph
from tests.specs.support import NAMES, SPECS, figures, graph, opened

WITH_CLASSES = [name for name in NAMES if not name.startswith("lecture/") or "toy" in name]
WITH_CLASSES.remove("lenet5")


def test_there_are_specs() -> None:
    assert "vgg/vgg16" in NAMES
    assert "lenet5" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_keeps_a_budget_that_is_not_idle(name: str) -> None:
    verdicts = budgets.check(figures(name), opened(name).budget)
    assert verdicts
    for verdict in verdicts:
        assert verdict.within, f"{verdict.figure}: {verdict.actual:,} of {verdict.limit:,}"
        assert verdict.actual >= 0.95 * verdict.limit, f"{verdict.figure} could grow by 5 % unseen"


@pytest.mark.parametrize("name", NAMES)
def test_says_in_its_first_lines_what_it_is(name: str) -> None:
    text = (SPECS / f"{name}.yaml").read_text(encoding="utf-8")
    comment = [line for line in text.splitlines() if line.startswith("#")]
    assert text.startswith("# ")
    assert len(" ".join(comment)) >= 60


@pytest.mark.parametrize("name", WITH_CLASSES)
def test_classes_are_a_variable(name: str) -> None:
    assert graph(name, "classes=7").outputs["output"].shape[0] == 7


@pytest.mark.parametrize("name", NAMES)
def test_the_network_computes_the_shape_that_was_predicted(name: str) -> None:
    network = compile_graph(graph(name), "meta").eval()
    assert sum(p.numel() for p in network.parameters()) == figures(name).totals.params
    size = [dim for dim in graph(name).input if isinstance(dim, int)]
    with torch.no_grad():
        output = network(torch.empty((2, *size), device="meta"))
    assert tuple(output.shape[1:]) == graph(name).outputs["output"].shape
