"""The drawing in ARCHITECTURE.md, compared with the imports of every file under ``cnncli/``.

The checker is a function over (module name, source text), so that the second half of this file can
feed it sources which break each rule: a guard that cannot fail guards nothing.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parent.parent / "cnncli"

ANALYSIS_HALF = ("diagnostics", "algebra", "language", "recipe", "layers", "graph", "analysis")

# Each part of the package, and the parts it may import. The package's own __init__ is "".
MAY_IMPORT: dict[str, frozenset[str]] = {
    "": frozenset({"api", "diagnostics"}),
    **{part: frozenset(ANALYSIS_HALF[:rank]) for rank, part in enumerate(ANALYSIS_HALF)},
    "results": frozenset(ANALYSIS_HALF),
    "report": frozenset({*ANALYSIS_HALF, "results"}),
    "network": frozenset({*ANALYSIS_HALF, "results"}),
    "training": frozenset({*ANALYSIS_HALF, "results", "network"}),
    "arguments": frozenset({"diagnostics", "algebra", "language"}),
    "architecture": frozenset({*ANALYSIS_HALF, "results", "report", "network", "training", "arguments"}),
    "api": frozenset({*ANALYSIS_HALF, "results", "training", "arguments", "architecture"}),
    # The command line loads, calls one function, shows the page: what it calls is the API and nothing deeper.
    # Its help quotes the names in recipe.
    "cli": frozenset({"diagnostics", "recipe", "results", "report", "api"}),
    "__main__": frozenset({"cli"}),
}

TORCH_HALF = frozenset({"network", "training"})

# Each library that is not Python's own, and the parts that may import it.
LIBRARY_AT: dict[str, frozenset[str]] = {
    "yaml": frozenset({"language"}),
    "rich": frozenset({"report", "cli"}),
    "typer": frozenset({"cli"}),
    **dict.fromkeys(("torch", "torchinfo", "numpy", "safetensors", "sklearn", "PIL"), TORCH_HALF),
}


class Import(NamedTuple):
    """One imported module: its full dotted name, its line, and whether starting up runs it."""

    target: str
    line: int
    at_start: bool


def violations(module: str, source: str) -> list[str]:
    """What this module's imports break, as ``module:line: reason``.

    ``module`` is a dotted name; a package's own file is ``cnncli.language.__init__``. Imports under
    ``if TYPE_CHECKING:`` never run and are not looked at.
    """
    part = part_of(module)
    if part not in MAY_IMPORT:
        return [f"{module}:1: {part} has no place in the drawing"]
    found = []
    for each in imports(module, source):
        reason = wrong(part, each)
        if reason:
            found.append(f"{module}:{each.line}: {reason}")
    return found


def wrong(part: str, each: Import) -> str:
    """Why ``part`` may not have this import; empty where it may."""
    root = each.target.partition(".")[0]
    if root != "cnncli":
        return wrong_library(part, root)
    target = part_of(each.target)
    if target in (part, ""):
        return ""
    if target not in MAY_IMPORT[part]:
        return f"{part or 'cnncli'} imports {target}: the arrow runs the wrong way"
    if part in ("api", "architecture") and target in TORCH_HALF and each.at_start:
        return f"{part} imports {target} at its start: import it inside the function that needs it"
    if part == "" and each.at_start:
        return f"cnncli imports {target} at its start: import it when it is asked for"
    return ""


def wrong_library(part: str, root: str) -> str:
    """Why ``part`` may not import the library ``root``; empty where it may."""
    if root in sys.stdlib_module_names:
        return ""
    if root not in LIBRARY_AT:
        return f"{part or 'cnncli'} imports {root}: not one of cnncli's dependencies"
    if part not in LIBRARY_AT[root]:
        return f"{part or 'cnncli'} imports {root}: only {', '.join(sorted(LIBRARY_AT[root]))} may"
    return ""


def part_of(module: str) -> str:
    """``spec`` for ``cnncli.language.tree``; empty for ``cnncli`` and its own names."""
    names = module.split(".")
    if len(names) == 1 or names[1] == "__init__":
        return ""
    return names[1]


def imports(module: str, source: str) -> Iterator[Import]:
    """Every import in ``source`` that can run, relative ones resolved against ``module``."""
    yield from _imports(module, ast.parse(source), at_start=True)


def _imports(module: str, node: ast.AST, *, at_start: bool) -> Iterator[Import]:
    if isinstance(node, ast.If) and _is_type_checking(node.test):
        for other in node.orelse:
            yield from _imports(module, other, at_start=at_start)
        return
    for target in _targets(module, node):
        yield Import(target, getattr(node, "lineno", 1), at_start)
    within = at_start and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from _imports(module, child, at_start=within)


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _targets(module: str, node: ast.AST) -> list[str]:
    """The modules that this one node imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return _from_targets(module, node)
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
        # A name that is computed (a user's plugin) is not an import of ours.
        return [a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return []


def _from_targets(module: str, node: ast.ImportFrom) -> list[str]:
    base = node.module or ""
    if node.level:
        base = ".".join([*module.split(".")[: -node.level], *filter(None, [base])])
    if base != "cnncli":
        return [base]
    # "from cnncli import language" takes a part, "from cnncli import __version__" the package's own name.
    return [f"cnncli.{alias.name}" if alias.name in MAY_IMPORT else "cnncli" for alias in node.names]


def modules() -> list[tuple[str, Path]]:
    """Every module of the package with its file."""
    return [
        (".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts), path)
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def test_imports_follow_the_drawing() -> None:
    files = modules()
    assert {part_of(name) for name, _ in files} == set(MAY_IMPORT), "the drawing and the package differ"
    found = [each for name, path in files for each in violations(name, path.read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        ("cnncli.diagnostics", "from cnncli.language import tree", "diagnostics imports language"),
        ("cnncli.algebra.expr", "import cnncli.language.tree", "algebra imports language"),
        ("cnncli.language.tree", "from cnncli.layers.kind import Kind", "language imports layers"),
        ("cnncli.layers.conv", "from cnncli.graph import Node", "layers imports graph"),
        ("cnncli.layers.conv", "def f():\n    from cnncli.graph import Node", "layers imports graph"),
        ("cnncli.layers.conv", "from ..graph import Node", "layers imports graph"),
        ("cnncli.layers.__init__", "from ..graph import Node", "layers imports graph"),
        ("cnncli.language.tree", "from cnncli.recipe.train import Train", "language imports recipe"),
        ("cnncli.recipe.train", "from cnncli.layers import Kind", "recipe imports layers"),
        ("cnncli.recipe.optimizers", "import torch", "only network, training may"),
        ("cnncli.graph.build", "from cnncli import analysis", "graph imports analysis"),
        ("cnncli.analysis.costs.figures", "from cnncli.report import table", "analysis imports report"),
        ("cnncli.analysis.costs.figures", "def f():\n    import cnncli.network", "analysis imports network"),
        ("cnncli.report.table", "from cnncli.cli import application", "report imports cli"),
        ("cnncli.report.table", "from cnncli.network import build_network", "report imports network"),
        ("cnncli.report.table", "from cnncli.training import run", "report imports training"),
        ("cnncli.network.conv", "from cnncli.training import run", "network imports training"),
        ("cnncli.network.conv", "from cnncli.report import table", "network imports report"),
        ("cnncli.training.loop", "from cnncli.report import table", "training imports report"),
        ("cnncli.training.loop", "from cnncli.cli import application", "training imports cli"),
        ("cnncli.__init__", "from cnncli.language import load", "cnncli imports language"),
        ("cnncli.__main__", "from cnncli.training import run", "__main__ imports training"),
        ("cnncli.api", "from cnncli.training import run", "api imports training at its start"),
        ("cnncli.api", "class A:\n    import cnncli.training", "api imports training at its start"),
        ("cnncli.architecture", "try:\n    import cnncli.network\nfinally:\n    pass", "at its start"),
        ("cnncli.api", "import importlib\nimportlib.import_module('cnncli.training')", "at its start"),
        ("cnncli.cli.train", "def f():\n    from cnncli.training import loop", "cli imports training"),
        ("cnncli.cli.inspect", "from cnncli.graph import open_spec", "cli imports graph"),
        ("cnncli.report.page", "from cnncli.api import load", "report imports api"),
        ("cnncli.__init__", "from cnncli.api import load", "cnncli imports api at its start"),
        ("cnncli.cli.train", "def f():\n    import torch", "only network, training may"),
        ("cnncli.analysis.costs.figures", "import torch.nn as nn", "only network, training may"),
        ("cnncli.analysis.costs.figures", "def f():\n    from torch import nn", "only network, training may"),
        ("cnncli.analysis.costs.figures", "__import__('torch')", "only network, training may"),
        ("cnncli.graph.build", "import torchinfo", "only network, training may"),
        ("cnncli.language.tree", "import numpy as np", "only network, training may"),
        ("cnncli.report.table", "import safetensors.torch", "only network, training may"),
        ("cnncli.cli.train", "from sklearn.datasets import load_digits", "only network, training may"),
        ("cnncli.cli.train", "from PIL import Image", "only network, training may"),
        ("cnncli.training.loop", "from rich.progress import Progress", "only cli, report may"),
        ("cnncli.report.table", "import typer", "only cli may"),
        ("cnncli.training.loop", "import yaml", "only language may"),
        ("cnncli.language.tree", "import pydantic", "not one of cnncli's dependencies"),
        ("cnncli.utils.misc", "", "utils has no place in the drawing"),
    ],
)
def test_each_rule_can_fail(module: str, source: str, reason: str) -> None:
    found = violations(module, source)
    assert len(found) == 1
    assert reason in found[0]
    assert found[0].startswith(f"{module}:")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("cnncli.api", "def f():\n    from cnncli.training import run"),
        ("cnncli.architecture", "async def f():\n    import cnncli.network"),
        ("cnncli.cli.train", "if TYPE_CHECKING:\n    from cnncli.training import Run"),
        ("cnncli.cli.train", "import typing\nif typing.TYPE_CHECKING:\n    from cnncli.training import Run"),
        ("cnncli.cli.inspect", "import typer, rich.console\nfrom cnncli import __version__"),
        ("cnncli.report.table", "from rich.table import Table\nfrom cnncli.analysis import costs"),
        ("cnncli.layers.conv", "from cnncli.layers.geometry.window import Window\nfrom . import pooling"),
        ("cnncli.network.conv", "import torch\nfrom cnncli.layers.conv import Conv"),
        ("cnncli.training.loop", "import numpy, torch\nfrom cnncli.network import build_network"),
        ("cnncli.language.tree", "import difflib, yaml\nfrom cnncli.diagnostics import Location"),
        ("cnncli.__main__", "from cnncli.cli import main"),
    ],
)
def test_what_the_drawing_allows_passes(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_the_else_of_type_checking_is_looked_at() -> None:
    source = "if TYPE_CHECKING:\n    pass\nelse:\n    import torch"
    assert len(violations("cnncli.language.tree", source)) == 1
