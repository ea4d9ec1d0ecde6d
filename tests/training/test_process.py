"""The same in processes of their own, stopped by real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cnncli.training.runs.run import open_run
from tests.training.support import begin, figures, read_metrics, resume, run_whole, settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHOSEN = {"epochs": 20, "seed": 3, "save": {"minutes": 0.001}}
TRAIN = f"""
import sys, time
from pathlib import Path
from tests.training.support import Recorder, resume, settings

class Slow(Recorder):
    def epoch_finished(self, metrics, epochs):
        time.sleep(0.05)  # so that the signal arrives before the end

_, outcome = resume(Path(sys.argv[1]), settings(**{CHOSEN}), Slow())
sys.exit(0 if outcome.signal is None else 128 + outcome.signal)
"""
EVALUATE = """
import json, sys
from pathlib import Path
from cnncli.training.evaluate import evaluate
from cnncli.training.runs.run import open_run
from cnncli.training.runs.weights import load_weights
from tests.training.support import CPU, as_trained, few_digits, objective, small_network

run = open_run(Path(sys.argv[1]))
network = small_network()
load_weights(network, run.weights)
manner = as_trained(network)
found = evaluate(network, few_digits().test, run.record.normalization, CPU, objective(), manner=manner)
print(json.dumps([found.figures["loss"], found.figures["accuracy"]]))
"""


def python(code: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_stopped_by_a_signal_and_resumed(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    chosen = settings(**CHOSEN)
    folder = tmp_path / "run"
    begin(folder, chosen)
    with python(TRAIN, folder) as process:
        while len(read_metrics(open_run(folder))) < 3:  # it is well under way
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(sent)
        assert process.wait(600) == code
    assert 3 <= len(read_metrics(open_run(folder))) < 20
    resume(folder, chosen)
    _, outcome = run_whole(tmp_path / "whole", chosen)
    assert figures(read_metrics(open_run(folder))) == figures(outcome.history)
    ours = load_file(folder / "weights.safetensors")
    theirs = load_file(tmp_path / "whole" / "weights.safetensors")
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_last_figure_is_the_same_in_another_process(tmp_path: Path) -> None:
    _, outcome = run_whole(tmp_path / "run", settings())
    with python(EVALUATE, tmp_path / "run") as process:
        printed, _ = process.communicate(timeout=600)
    last = outcome.history[-1]
    assert json.loads(printed) == [last.figures["test.loss"], last.figures["test.accuracy"]]
    assert resume(tmp_path / "run", settings())[1].history == outcome.history
