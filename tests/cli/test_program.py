"""The program ends without taking modules apart; nobody may notice, except by the clock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROGRAM = "import sys; from cnncli.cli import program; sys.argv[0] = 'cnncli'; program()"
LATER = f"import atexit; atexit.register(print, 'at the end', flush=True); {PROGRAM}"


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(("-m", "cnncli") if not code else ("-c", code)), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("inspect", "resnet152", "--format", "json"), 0),
        (("check", "lenet5"), 0),
        (("check", "lenet5", "--input", "1x64x64"), 1),
        (("inspect", "vgg61"), 2),
        (("inspect", "vgg16", "--no-such-option"), 2),
        (("--version",), 0),
        ((), 2),
    ],
    ids=str,
)
def test_output_and_exit_code_are_those_of_the_module(arguments: tuple[str, ...], code: int) -> None:
    as_program, as_module = run(PROGRAM, *arguments), run("", *arguments)
    assert as_program.returncode == code
    assert as_program.stdout == as_module.stdout
    assert as_program.stderr == as_module.stderr.replace("python -m cnncli", "cnncli")
    assert as_program.returncode == as_module.returncode


def test_what_others_registered_for_the_end_still_runs() -> None:
    assert run(LATER, "specs").stdout.endswith("at the end\n")


def test_the_module_returns_to_whoever_runs_it() -> None:
    code = (
        "import sys; from cnncli.cli import main\ntry:\n    main()\nexcept SystemExit as end: print(end.code)"
    )
    assert run(code, "specs").stdout.endswith("\n0\n")


def test_a_reader_that_leaves_is_not_an_error_message() -> None:
    command = [sys.executable, "-c", PROGRAM, "inspect", "resnet152"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141
