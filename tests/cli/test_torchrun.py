"""``torchrun -m cnncli train``: two processes, one of which is killed, and started again by torchrun."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import cnncli
from cnncli.training.runs.run import open_run
from tests.heeding import heed_signals
from tests.training.support import read_metrics

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SPEC = """
name: plain
input: [1, 8, 8]
layers: [flatten, linear: 10]
train: {data: digits, epochs: 3, batch: 31, save: {steps: 3}}
"""
KILL = """
import itertools, os, signal
from torch.optim.optimizer import register_optimizer_step_post_hook

steps = itertools.count(1)

def kill(*_):
    if next(steps) == 56:  # of 47 in an epoch; the other process has written the checkpoint after 54
        os.kill(os.getpid(), signal.SIGKILL)

if (os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]) == ("1", "0"):
    register_optimizer_step_post_hook(kill)
"""


def torchrun(*words: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


def test_a_killed_process_is_started_again_and_the_run_ends_as_without(tmp_path: Path) -> None:
    """The last batch has 12 images; a process without dropout or batch norm is the reference."""
    spec, kill, folder = tmp_path / "plain.yaml", tmp_path / "kill.py", tmp_path / "run"
    spec.write_text(SPEC)
    kill.write_text(KILL)
    train = ("-m", "--", "cnncli", "train", spec, "--device", "cpu")
    done = torchrun("--max-restarts", 1, *train, "--run", folder, "--plugin", kill)
    assert done.returncode == 0, done.stderr
    assert "(exitcode: -9) local_rank: 1" in done.stderr
    assert "continues in epoch 2 of 3, after batch 7" in done.stdout
    assert done.stdout.count("test accuracy") == 1
    cnncli.load(spec).train(run=tmp_path / "one", device="cpu")
    ours, theirs = (load_file(each / "weights.safetensors") for each in (folder, tmp_path / "one"))
    for name, weights in theirs.items():
        torch.testing.assert_close(ours[name], weights, rtol=0, atol=1e-5)
    for mine, other in zip(
        *(read_metrics(open_run(each)) for each in (folder, tmp_path / "one")), strict=True
    ):
        assert mine.figures == pytest.approx(other.figures, rel=1e-4)
    assert open_run(folder).record.status == "finished"


def test_a_signal_to_one_process_ends_all_with_its_code(tmp_path: Path) -> None:
    """torchrun sends SIGTERM to the others as soon as one has ended; the first one still writes files."""
    spec, folder = tmp_path / "plain.yaml", tmp_path / "run"
    spec.write_text(SPEC.replace("epochs: 3", "epochs: 4000"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    common = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2", "MASTER_PORT": str(port)}
    words = [sys.executable, "-m", "cnncli", "train", str(spec), "--device", "cpu", "--run", str(folder)]
    processes = [
        subprocess.Popen(
            words,
            env={**os.environ, **common, "MASTER_ADDR": "127.0.0.1", "RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_signals,  # noqa: PLW1509 - the tests start no threads
        )
        for rank in range(2)
    ]
    while not (folder / "metrics.jsonl").exists():
        assert all(each.poll() is None for each in processes)
        time.sleep(0.02)
    processes[1].send_signal(signal.SIGUSR1)
    while all(each.poll() is None for each in processes):
        time.sleep(0.002)
    for each in processes:
        each.terminate()
    said = [each.communicate(timeout=600) for each in processes]
    assert [each.returncode for each in processes] == [128 + signal.SIGUSR1] * 2, said
    assert "interrupted; resume with" in said[0][0]
    assert said[1] == ("", "")
    assert open_run(folder).record.status == "interrupted"
