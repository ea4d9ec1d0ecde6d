"""The worked examples in docstrings hold."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

import cnncli

WORKED_EXAMPLES: Final = (
    "cnncli.algebra.bounds",
    "cnncli.algebra.deciding",
    "cnncli.algebra.divisors",
    "cnncli.algebra.expression",
    "cnncli.algebra.factoring",
    "cnncli.algebra.floors",
    "cnncli.algebra.polynomials",
    "cnncli.algebra.size_sets",
    "cnncli.analysis.sizes",
    "cnncli.analysis.space.receptive_field",
    "cnncli.analysis.space.tracks",
    "cnncli.layers.geometry.window",
)
"""The modules whose mathematics is explained by an example."""

MODULES: Final = [
    each.name
    for each in pkgutil.walk_packages(cnncli.__path__, "cnncli.")
    if not each.name.endswith("__main__")
]


def run(module: ModuleType) -> doctest.TestResults:
    """Run the examples of a module; a failure is printed."""
    return doctest.testmod(module)


def with_examples(names: Iterable[str]) -> list[str]:
    """Return the modules whose text has a prompt; none is imported."""
    found = []
    for name in names:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        if ">>> " in Path(spec.origin).read_text(encoding="utf-8"):
            found.append(name)
    return found


@pytest.mark.parametrize("name", with_examples(["cnncli", *MODULES]))
def test_examples(name: str) -> None:
    done = run(importlib.import_module(name))
    assert done.attempted > 0
    assert done.failed == 0


def test_modules_without_examples_are_not_tested() -> None:
    assert with_examples(["cnncli.cli.sizes", "cnncli.algebra.floors"]) == ["cnncli.algebra.floors"]
    assert set(WORKED_EXAMPLES) <= set(with_examples(MODULES))


@pytest.mark.parametrize("name", WORKED_EXAMPLES)
def test_the_mathematics_has_examples(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__ is not None
    assert len(doctest.DocTestParser().get_examples(module.__doc__)) >= 2


def test_a_wrong_example_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    module = ModuleType("wrong")
    module.__doc__ = ">>> (62 - 5) // 2 + 1\n30\n"
    assert run(module) == (1, 1)
    assert "Expected:\n    30\nGot:\n    29\n" in capsys.readouterr().out


def test_worked_examples_need_no_torch() -> None:
    code = "import doctest, importlib, sys\n"
    code += (
        f"failed = [doctest.testmod(importlib.import_module(name)).failed for name in {WORKED_EXAMPLES}]\n"
    )
    code += "print(sum(failed), 'torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "0 False\n"
