"""The drawing and the table in ARCHITECTURE.md, compared with the folders and the imports of the project.

The document is the only place where they are written. What reads and what checks are functions of texts, so
that the tests can give them sources which break each rule: a guard that cannot fail guards nothing.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.copies import FOLDERS, ROOT

PACKAGE = ROOT / "cnncli"
DOCUMENT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
TORCH_HALF = frozenset({"network", "training"})


class Row(NamedTuple):
    """A part of the package: the parts and the libraries that it may import."""

    part: str
    imports: frozenset[str]
    libraries: frozenset[str]


def table(document: str) -> tuple[Row, ...]:
    """Read the table of imports; the package's own ``__init__`` is the part "".

    Raises:
        AssertionError: a row is not of three cells, or names a part that is not above it.
    """
    rows: list[Row] = []
    lines = document.partition("| part | imports | libraries |\n| --- | --- | --- |\n")[2].splitlines()
    for line in lines[: lines.index("")]:
        cells = [re.findall(r"`(\w+)`", cell) for cell in line.strip("|").split("|")]
        assert len(cells) == 3, line
        (part,), parts, libraries = cells
        above = {row.part for row in rows}
        assert above.issuperset(parts), f"{part} names a part that is not above it"
        rows.append(Row(part.replace("__init__", ""), frozenset(parts), frozenset(libraries)))
    return tuple(rows)


ROWS = table(DOCUMENT)
MAY_IMPORT = {row.part: row.imports for row in ROWS}
LIBRARY_AT = {
    library: frozenset(row.part for row in ROWS if library in row.libraries)
    for library in frozenset[str]().union(*(row.libraries for row in ROWS))
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
        return [f"{module}:1: {part} is not in the table"]
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
    if part in ("api", "architecture", "built") and target in TORCH_HALF and each.at_start:
        return f"{part} imports {target} at its start: import it inside the function that needs it"
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
    """``language`` for ``cnncli.language.tree``; empty for ``cnncli`` and its own names."""
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


def used(files: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return what the parts of some modules import, as pairs of a part and another part or a library."""
    pairs = set()
    for module, source in files:
        part = part_of(module)
        for each in imports(module, source):
            root = each.target.partition(".")[0]
            pairs.add((part, part_of(each.target) if root == "cnncli" else root))
    return pairs


def unused(rows: Iterable[Row], pairs: set[tuple[str, str]]) -> list[str]:
    """Return the permissions of the table that no module needs."""
    return [
        f"{row.part} need not import {target}"
        for row in rows
        for target in sorted(row.imports | row.libraries)
        if (row.part, target) not in pairs
    ]


def sources() -> list[tuple[str, str]]:
    """Return every module of the package with its text."""
    return [(name, path.read_text(encoding="utf-8")) for name, path in modules()]


def drawn(document: str) -> set[str]:
    """Return the paths in the drawing; those of folders end with a slash."""
    drawing = re.search(r"^```\n(cnncli/\n.*?)^```$", document, re.DOTALL | re.MULTILINE)
    assert drawing is not None
    found = set()
    above: list[str] = []
    for line in drawing[1].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        above[depth:] = [line.split()[0]]
        found.add("".join(above))
    return found


def tree(root: Path, folders: Iterable[str], drawing: set[str]) -> set[str]:
    """Return what belongs in the drawing: these folders, those of the package, and modules.

    The modules are those of folders in which the drawing has a module. Names with ``__`` are Python's.
    """
    within = {f"{path.parent.relative_to(root).as_posix()}/" for path in (root / "cnncli").rglob("*.py")}
    detailed = {path[: path.rindex("/") + 1] for path in drawing if path.endswith(".py")}
    files = {f"{folder}{path.name}" for folder in detailed for path in (root / folder).glob("*.py")}
    return {f"{name}/" for name in folders} | within | {path for path in files if "/__" not in path}


def test_the_drawing_is_the_tree() -> None:
    drawing = drawn(DOCUMENT)
    assert {"cnncli/api/", "scripts/make_docs.py", "cnncli/training/data/sources/"} <= drawing
    assert sorted(drawing ^ tree(ROOT, FOLDERS, drawing)) == []


@pytest.mark.parametrize(
    "path", ["cnncli/graph/", "cnncli/training/data/sources/", "cnncli/arguments.py", "docs/"]
)
def test_what_is_missing_in_the_drawing_is_noticed(path: str) -> None:
    name = path.rstrip("/").rpartition("/")[2]
    drawing = drawn(re.sub(rf"(?m)^ *{name}/? .*\n", "", DOCUMENT, count=1))
    assert path not in drawing
    assert path in tree(ROOT, FOLDERS, drawing)


def test_what_is_missing_in_the_tree_is_noticed() -> None:
    drawing = drawn(DOCUMENT.replace("    fit/ ", "    find/ "))
    assert drawing ^ tree(ROOT, FOLDERS, drawing) == {"cnncli/analysis/fit/", "cnncli/analysis/find/"}


def test_the_table_has_the_parts_of_the_drawing() -> None:
    parts = {path.split("/")[1].removesuffix(".py") for path in drawn(DOCUMENT) if path.startswith("cnncli/")}
    assert set(MAY_IMPORT) == parts | {"__main__"}  # with "", for the folder itself
    assert len(MAY_IMPORT) == len(ROWS)


def test_a_row_names_parts_above_it() -> None:
    turned = DOCUMENT.replace(
        "| `language` | `limits`, `diagnostics`, `work`, `algebra` |", "| `language` | `cli` |"
    )
    with pytest.raises(AssertionError, match="language names a part that is not above it"):
        table(turned)


def test_imports_follow_the_table() -> None:
    found = [each for name, source in sources() for each in violations(name, source)]
    assert not found, "\n".join(found)


def test_every_permission_is_needed() -> None:
    assert unused(ROWS, used(sources())) == []


def test_a_permission_that_is_not_needed_is_noticed() -> None:
    rows = (Row("cli", frozenset({"api", "results"}), frozenset({"typer", "rich"})),)
    source = "import typer\ndef f():\n    from cnncli.api import load\nif TYPE_CHECKING:\n    import rich"
    assert unused(rows, used([("cnncli.cli.train", source)])) == [
        "cli need not import results",
        "cli need not import rich",
    ]


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
        ("cnncli.language.tree", "from cnncli.recipe.recipe import Recipe", "language imports recipe"),
        ("cnncli.recipe.recipe", "from cnncli.layers import Kind", "recipe imports layers"),
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
        ("cnncli.built", "try:\n    import cnncli.network\nfinally:\n    pass", "at its start"),
        ("cnncli.api", "import importlib\nimportlib.import_module('cnncli.training')", "at its start"),
        ("cnncli.cli.train", "def f():\n    from cnncli.training import loop", "cli imports training"),
        ("cnncli.cli.inspect", "from cnncli.graph import open_spec", "cli imports graph"),
        ("cnncli.report.page", "from cnncli.api import load", "report imports api"),
        ("cnncli.__init__", "from cnncli.api import load", "cnncli imports api"),
        ("cnncli.cli.train", "def f():\n    import torch", "only network, training may"),
        ("cnncli.analysis.costs.figures", "import torch.nn as nn", "only network, training may"),
        ("cnncli.analysis.costs.figures", "def f():\n    from torch import nn", "only network, training may"),
        ("cnncli.analysis.costs.figures", "__import__('torch')", "only network, training may"),
        ("cnncli.graph.build", "import torchinfo", "only network may"),
        ("cnncli.language.tree", "import numpy as np", "only exporting, importing, training may"),
        ("cnncli.report.table", "import safetensors.torch", "only exporting, training may"),
        ("cnncli.cli.train", "import numpy as np", "only exporting, importing, training may"),
        ("cnncli.cli.train", "from PIL import Image", "only training may"),
        ("cnncli.training.loop", "from rich.progress import Progress", "only report may"),
        ("cnncli.report.table", "import typer", "only cli may"),
        ("cnncli.training.loop", "import yaml", "only language may"),
        ("cnncli.language.tree", "import pydantic", "not one of cnncli's dependencies"),
        ("cnncli.utils.misc", "", "utils is not in the table"),
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
        ("cnncli.built", "async def f():\n    import cnncli.network"),
        ("cnncli.cli.train", "if TYPE_CHECKING:\n    from cnncli.training import Run"),
        ("cnncli.cli.train", "import typing\nif typing.TYPE_CHECKING:\n    from cnncli.training import Run"),
        ("cnncli.cli.inspect", "import typer\nfrom cnncli import __version__"),
        ("cnncli.report.table", "from rich.table import Table\nfrom cnncli.analysis import costs"),
        ("cnncli.layers.conv", "from cnncli.layers.geometry.window import Window\nfrom . import pooling"),
        ("cnncli.network.conv", "import torch\nfrom cnncli.layers.conv import Conv"),
        ("cnncli.training.loop", "import numpy, torch\nfrom cnncli.network import build_network"),
        ("cnncli.language.tree", "import difflib, yaml\nfrom cnncli.diagnostics import Location"),
        ("cnncli.__main__", "from cnncli.cli import main"),
    ],
)
def test_what_the_table_allows_passes(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_the_else_of_type_checking_is_looked_at() -> None:
    source = "if TYPE_CHECKING:\n    pass\nelse:\n    import torch"
    assert len(violations("cnncli.language.tree", source)) == 1
