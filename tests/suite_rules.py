"""What every test of the suite keeps to, read from its source.

* It asserts something: itself, or through a function of the suite.
* It does not end early: a test that returns, or drops an exception, passes without a word.
* It reads no clock: how fast something is depends on the machine (count steps, tests/steps.py).
* pytest collects it: a function named like a test in a file of helpers never runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

CLOCKS = frozenset(
    f"{clock}{unit}"
    for clock in ("time", "perf_counter", "monotonic", "process_time", "thread_time")
    for unit in ("", "_ns")
)
CLOCK_MODULES = frozenset({"timeit", "datetime"})
EXPECTING = frozenset({"raises", "warns"})


class Module(NamedTuple):
    """A file of the suite: what it defines, its other values, and what its names mean in other files."""

    name: str
    tree: ast.Module
    definitions: Mapping[str, Definition]
    values: Mapping[str, ast.expr]
    imported: Mapping[str, tuple[str, str]]


def read(name: str, source: str) -> Module:
    """Return a file of the suite; ``name`` is its dotted name."""
    tree = ast.parse(source)
    values: dict[str, ast.expr] = {}
    imported: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            values[node.target.id] = node.value
        elif isinstance(node, ast.ImportFrom):
            imported |= {each.asname or each.name: (node.module or "", each.name) for each in node.names}
    definitions = {node.name: node for node in tree.body if isinstance(node, Definition)}
    return Module(name, tree, definitions, values, imported)


def read_suite(root: Path) -> dict[str, Module]:
    """Return every file below ``root``, the folder ``tests``, by its dotted name."""
    found = (
        read(".".join(path.relative_to(root.parent).with_suffix("").parts), path.read_text(encoding="utf-8"))
        for path in sorted(root.rglob("*.py"))
    )
    return {module.name: module for module in found}


def faults(suite: Mapping[str, Module]) -> Iterator[str]:
    """Yield every place where a file does not keep to the rules."""
    for module in suite.values():
        yield from (f"{module.name}:{line}: {fault}" for line, fault in sorted(_faults(module, suite)))


def _faults(module: Module, suite: Mapping[str, Module]) -> Iterator[tuple[int, str]]:
    collected = module.name.rpartition(".")[2].startswith("test_")
    for test in tests_of(module.tree):
        if not collected:
            yield test.lineno, f"{test.name} is not collected: the file's name does not begin with test_"
        if not asserts(test, module, suite, set()):
            yield test.lineno, f"{test.name} asserts nothing"
        yield from ((line, f"{test.name} {fault}") for line, fault in early_ends(test))
    yield from ((line, f"reads a clock: {clock}") for line, clock in clocks(module.tree))


def tests_of(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Yield the tests of a file, those in classes too."""
    for node in tree.body:
        for each in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(each, ast.FunctionDef) and each.name.startswith("test_"):
                yield each


def asserts(code: ast.AST, module: Module, suite: Mapping[str, Module], seen: set[tuple[str, str]]) -> bool:
    """Return whether some code asserts, expects an exception, or names a function of the suite that does."""
    for node in ast.walk(code):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Attribute) and (node.attr in EXPECTING or node.attr.startswith("assert_")):
            return True
        if isinstance(node, ast.Name) and _named_asserts(node.id, module, suite, seen):
            return True
    return False


def _named_asserts(
    name: str, module: Module, suite: Mapping[str, Module], seen: set[tuple[str, str]]
) -> bool:
    if name in module.imported:
        where, name = module.imported[name]
        if where not in suite:
            return False
        module = suite[where]
    if (module.name, name) in seen:
        return False
    seen.add((module.name, name))
    code = module.definitions.get(name) or module.values.get(name)
    return code is not None and asserts(code, module, suite, seen)


def early_ends(test: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    """Yield where a test, not a function in it, returns or drops an exception."""
    pending: list[ast.AST] = [*test.body]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Return):
            yield node.lineno, "returns before its end"
        if isinstance(node, ast.ExceptHandler) and all(
            isinstance(each, ast.Pass | ast.Continue | ast.Return) for each in node.body
        ):
            yield node.lineno, "drops an exception"
        if not isinstance(node, Definition | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))


def clocks(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield every use of a clock; ``time.sleep`` is none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "time" and node.attr in CLOCKS:
                yield node.lineno, f"time.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from ((node.lineno, each.name) for each in node.names if each.name in CLOCKS)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else [node.module]
            yield from ((node.lineno, name) for name in names if name in CLOCK_MODULES)
