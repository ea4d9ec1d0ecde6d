"""The registry of memory rules; ``tests/test_contract.py`` compares every rule with torch."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from cnncli.layers import KINDS, FromOutput, Layer, Shape
from cnncli.layers.memory import OUTPUT, RULES, NoRuleError, rule_of
from scripts.make_docs import DOCS


def test_every_kind_has_a_rule() -> None:
    assert all(any(base in RULES for base in kind.__mro__) for kind in KINDS.values())


def test_every_rule_is_of_a_kind_that_exists() -> None:
    used = {next(base for base in kind.__mro__ if base in RULES) for kind in KINDS.values()}
    assert used == RULES.keys()


def test_a_kind_without_a_rule_is_refused() -> None:
    class Ruleless(Layer):
        keyword = "ruleless"

    with pytest.raises(NoRuleError, match="ruleless"):
        rule_of(Ruleless())


def test_a_kind_has_the_rule_of_its_family() -> None:
    class Simple(FromOutput):
        pass

    shape: Shape = (3, 4)
    assert rule_of(Simple()).saved(shape, shape, (True,)) == OUTPUT


def test_the_document_says_which_rules_are_approximate_and_within_what() -> None:
    approximate = {kind: rule.tolerance for kind, rule in RULES.items() if rule.tolerance}
    text = (DOCS / "memory.md").read_text(encoding="utf-8")
    table = text.partition("| kind | within |")[2].partition("\n\n")[0]
    said = {name: int(share) / 100 for name, share in re.findall(r"\| `(\w+)` \| (\d+) % \|", table)}
    assert said == {kind.keyword: tolerance for kind, tolerance in approximate.items()}


def imported(*arguments: str) -> str:
    """Return what a command imports, from Python's own log."""
    command = [sys.executable, "-X", "importtime", "-m", "cnncli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_only_commands_that_ask_for_memory_import_the_rules() -> None:
    inspected = imported("inspect", "lenet5")
    assert "cnncli.layers.norm" in inspected
    assert "cnncli.layers.memory" not in inspected
    assert "cnncli.layers.memory.norm" in imported("memory", "lenet5")
