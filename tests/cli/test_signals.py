"""Signals end ``cnncli train`` with their own exit code, whatever it is doing, and say so."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from tests.heeding import heed_signals

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SPEC = """
input: [1, 8, 8]
layers: [flatten, linear: 10]
train: {data: digits, epochs: 4000, batch: 64}
"""
SLOW_READING = """
import sys, time
import cnncli.training.launch.starting as starting
def load(*_):
    print("reading", flush=True)
    time.sleep(600)
starting.load = load
from cnncli.cli import main
main()
"""
SLOW_START = """
import sys, time
import cnncli.report.pages.train as pages
def introduce(*_):
    print("begun", flush=True)
    time.sleep(600)
pages.introduce = introduce
from cnncli.cli import main
main()
"""
PLAIN = "from cnncli.cli import main; main()"
SLOW_TORCH = "import time; print('importing', flush=True); time.sleep(600)"
SENT = [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]


def start(tmp_path: Path, code: str, *more: Path, ignored: bool = False) -> subprocess.Popen[str]:
    (tmp_path / "net.yaml").write_text(SPEC)
    arguments = ["train", str(tmp_path / "net.yaml"), "--run", str(tmp_path / "run"), "--device", "cpu"]
    path = os.pathsep.join(map(str, (*more, ROOT)))
    before = ["nohup"] if ignored else []
    return subprocess.Popen(
        [*before, sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,  # noqa: PLW1509 - the tests start no threads
    )


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not ready():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def has_epochs(run: Path) -> bool:
    return (run / "metrics.jsonl").exists() and bool((run / "metrics.jsonl").read_text())


def status_of(run: Path) -> str:
    status: str = json.loads((run / "run.json").read_text())["status"]
    return status


@pytest.mark.parametrize("sent", SENT)
def test_a_training_is_saved(tmp_path: Path, sent: signal.Signals) -> None:
    run = tmp_path / "run"
    with start(tmp_path, PLAIN) as process:
        wait_until(lambda: has_epochs(run), process)
        process.send_signal(sent)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + sent, errors
    assert f"cnncli train --resume {run}" in output
    assert status_of(run) == "interrupted"
    done = len((run / "metrics.jsonl").read_text().splitlines())
    result = CliRunner().invoke(
        application(), ["train", "--resume", str(run), "--set", f"train.epochs={done + 1}"]
    )
    assert result.exit_code == 0, result.output
    assert status_of(run) == "finished"


@pytest.mark.parametrize("sent", SENT)
def test_the_reading_of_data_ends_at_once_with_a_word(tmp_path: Path, sent: signal.Signals) -> None:
    with start(tmp_path, SLOW_READING) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        process.send_signal(sent)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + sent
    assert errors == f"stopped by {sent.name}\n"
    assert not (tmp_path / "run").exists()


def test_so_does_the_import_of_torch(tmp_path: Path) -> None:
    (tmp_path / "modules" / "torch").mkdir(parents=True)
    (tmp_path / "modules" / "torch" / "__init__.py").write_text(SLOW_TORCH)
    with start(tmp_path, PLAIN, tmp_path / "modules") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 143
    assert errors == "stopped by SIGTERM\n"


@pytest.mark.parametrize("sent", [*SENT, signal.SIGINT])
def test_a_run_that_has_just_begun_is_interrupted(tmp_path: Path, sent: signal.Signals) -> None:
    run = tmp_path / "run"
    with start(tmp_path, SLOW_START) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(sent)
        process.communicate(timeout=120)
    assert process.returncode == 128 + sent
    assert status_of(run) == "interrupted"
    result = CliRunner().invoke(application(), ["train", "--resume", str(run), "--set", "train.epochs=1"])
    assert result.exit_code == 0, result.output
    assert status_of(run) == "finished"


def test_what_nohup_ignores_stays_ignored(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with start(tmp_path, PLAIN, ignored=True) as process:
        wait_until(lambda: has_epochs(run), process)
        process.send_signal(signal.SIGHUP)
        before = len((run / "metrics.jsonl").read_text().splitlines())
        wait_until(lambda: len((run / "metrics.jsonl").read_text().splitlines()) > before + 5, process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert process.returncode == 143


def test_a_terminal_that_is_closed(tmp_path: Path) -> None:
    """The program writes to a terminal that no longer exists while it saves."""
    (tmp_path / "net.yaml").write_text(SPEC)
    run = tmp_path / "run"
    child, terminal = pty.fork()
    if child == 0:
        heed_signals()
        os.environ |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        os.execv(  # noqa: S606 - a child of pty.fork
            sys.executable,
            [sys.executable, "-c", PLAIN, "train", str(tmp_path / "net.yaml"), "--run", str(run)],
        )
    while not has_epochs(run):
        os.read(terminal, 4096)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    assert status_of(run) == "interrupted"
