"""Limits are written in one file, each with what it counts, and the documents have them from there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from cnncli import limits
from scripts.make_docs import DOCS, limit_rows, with_limits
from tests.copies import ROOT

PACKAGE = ROOT / "cnncli"
HOME = PACKAGE / "limits.py"
NAMED = re.compile(r"_?(MAX|MOST|LIMIT)(_[A-Z_]+)?\Z")


def defined(source: str) -> Iterator[str]:
    """The limits that a module defines: numbers with the name of a limit, and values of :class:`Limit`."""
    for node in ast.walk(ast.parse(source)):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("Limit", "limits.Limit"):
            yield ast.unparse(node)
        for target in targets:
            number = isinstance(node, ast.Assign | ast.AnnAssign) and is_number(node.value)
            if number and isinstance(target, ast.Name) and NAMED.match(target.id):
                yield target.id


def is_number(value: ast.expr | None) -> bool:
    """Whether an expression consists of numbers only."""
    allowed = (ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    return value is not None and all(
        isinstance(each.value, int | float) if isinstance(each, ast.Constant) else isinstance(each, allowed)
        for each in ast.walk(value)
    )


def test_no_other_module_defines_a_limit() -> None:
    files = sorted(set(PACKAGE.rglob("*.py")) - {HOME})
    assert len(files) > 100
    found = [
        f"{path.relative_to(ROOT)}:{each}" for path in files for each in defined(path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "MAX_DEPTH = 3",
        "_MAX_DEPTH: Final = 2**6",
        "_MOST_FAULTS = 20",
        "def f():\n    MAX = 1",
        "X = Limit('a', 1)",
    ],
)
def test_a_limit_elsewhere_is_noticed(source: str) -> None:
    assert list(defined(source))


@pytest.mark.parametrize(
    "source",
    ["_MAX = {1: nn.MaxPool1d}", "MAX_POOL = 'def f(): ...'", "limit = 3", "MAXIMA = 2", "x = MAX_DEPTH"],
)
def test_other_names_pass(source: str) -> None:
    assert not list(defined(source))


def test_every_limit_says_what_it_counts() -> None:
    statements = ast.parse(HOME.read_text("utf-8")).body
    named = [i for i, each in enumerate(statements) if isinstance(each, ast.AnnAssign)]
    assert len(named) == sum(not name.startswith("_") and name.isupper() for name in vars(limits))
    for index in named:
        following = statements[index + 1]
        assert isinstance(following, ast.Expr), ast.unparse(statements[index])
        assert isinstance(following.value, ast.Constant), ast.unparse(statements[index])


def test_the_documents_have_the_limits_of_a_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ("256", "branches of a join") in list(limit_rows())
    text = (DOCS / "spec.md").read_text("utf-8")
    assert with_limits(text) == text
    monkeypatch.setattr(limits, "MAX_NODES", limits.MAX_NODES + 1)
    assert with_limits(text) != text
