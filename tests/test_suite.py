"""The suite keeps to its own rules, each rule can fail, and the suite runs as the documents say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.suite_rules import faults, read, read_suite

TESTS = Path(__file__).resolve().parent


def test_the_suite_keeps_to_its_rules() -> None:
    suite = read_suite(TESTS)
    assert len(suite) > 100
    assert [*faults(suite)] == []


HELPERS = """
def check(x): inner(x)
def inner(x): assert x
def show(x): print(x)
class Watched:
    def stop(self): assert False
CHECKS = (check,)
"""


@pytest.mark.parametrize(
    "code",
    [
        "def test_a(): assert True",
        "def test_a():\n    with pytest.raises(ValueError):\n        int('x')",
        "from tests.helpers import check\ndef test_a(): check(1)",
        "from tests.helpers import Watched as W\ndef test_a(): W().stop()",
        "from tests.helpers import CHECKS\n@parametrize('check', CHECKS)\ndef test_a(check): check(1)",
        "def test_a():\n    def inner():\n        return 3\n    assert inner() == 3",
        "import numpy as np\ndef test_a(): np.testing.assert_array_equal(1, 1)",
        "class TestA:\n    def test_a(self): assert True",
        "import time\ndef test_a():\n    time.sleep(0.1)\n    assert True",
        "def test_a():\n    try:\n        f()\n    except ValueError as error:\n        assert error",
    ],
)
def test_what_is_right(code: str) -> None:
    suite = [read("tests.helpers", HELPERS), read("tests.test_a", code)]
    assert [*faults({module.name: module for module in suite})] == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("def test_a(): open_text('x')", "1: test_a asserts nothing"),
        ("class TestA:\n    def test_a(self): f()", "2: test_a asserts nothing"),
        ("from tests.helpers import show\ndef test_a(): show(1)", "2: test_a asserts nothing"),
        ("from elsewhere import check\ndef test_a(): check(1)", "2: test_a asserts nothing"),
        ("def a(): b()\ndef b(): a()\ndef test_a(): a()", "3: test_a asserts nothing"),
        ("def test_a(x):\n    if not x:\n        return\n    assert x", "3: test_a returns before its end"),
        (
            "def test_a(x):\n    try:\n        assert f(x)\n    except ValueError:\n        pass",
            "4: test_a drops an exception",
        ),
        ("import time\ndef test_a(): assert time.perf_counter() < 1", "2: reads a clock: time.perf_counter"),
        ("from time import monotonic as m\ndef test_a(): assert m()", "1: reads a clock: monotonic"),
        ("import datetime\ndef test_a(): assert datetime.datetime.now()", "1: reads a clock: datetime"),
    ],
)
def test_what_is_wrong(code: str, fault: str) -> None:
    suite = [read("tests.helpers", HELPERS), read("tests.test_a", code)]
    assert [*faults({module.name: module for module in suite})] == [f"tests.test_a:{fault}"]


def test_a_test_among_helpers_never_runs() -> None:
    module = read("tests.support", "def test_a(): assert True")
    assert [*faults({module.name: module})] == [
        "tests.support:1: test_a is not collected: the file's name does not begin with test_"
    ]


@pytest.mark.campaign
def test_tests_are_found_from_any_directory(tmp_path: Path) -> None:
    options = ("--collect-only", "-q", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(TESTS)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_lint_reads_every_file() -> None:
    """A folder that .gitignore names is skipped silently, even one with files of ours."""
    root = TESTS.parent
    program = Path(sys.executable).with_name("ruff")
    shown = subprocess.run(
        [program, "check", "--show-files"], cwd=root, capture_output=True, text=True, check=True
    )
    ours = {
        str(path)
        for folder in ("benchmarks", "cnncli", "scripts", "tests")
        for path in (root / folder).rglob("*.py")
    }
    assert ours <= {*shown.stdout.splitlines()}


def commands(target: str) -> list[str]:
    """The commands of a target of the Makefile, in order."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "VENV=v", target],
        cwd=TESTS.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.removeprefix("v/bin/") for line in done.stdout.splitlines() if line.startswith("v/bin/")]


def test_make_test_runs_everything() -> None:
    ran = [command for command in commands("test") if " pip " not in command]
    assert ran == [
        "ruff check .",
        "ruff format --check .",
        "mypy",
        "python scripts/check_prose.py",
        "pytest -n logical --dist worksteal",
    ]


def test_make_quick_leaves_only_the_slow_tests_out() -> None:
    assert commands("quick")[-1] == 'pytest -n logical --dist worksteal -m "not (slow or campaign)"'
