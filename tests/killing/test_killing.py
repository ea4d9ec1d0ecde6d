"""The campaign finds what a resumed run loses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.campaign

ROOT = Path(__file__).parents[2]
SPEC = """
input: [1, 8, 8]
layers: [flatten, dropout: 0.5, linear: 10]
train: {data: {source: digits, limit: 0.1, holdout: 0.1}, epochs: 4, batch: 16}
"""
CODE = """
import random, sys
from pathlib import Path
from tests.killing import runs
import cnncli.training.state as state
tally, place = runs.Tally(), Path(sys.argv[1])
if sys.argv[2] == "forgetful":
    state.restore_random = lambda *_: True
runs.kill_until(tally, 12, place / "net.yaml", place, random.Random(3), runs.forked)
print(tally.before_end, sum("linear1.weight" in each for each in tally.differences))
"""


@pytest.mark.parametrize("how", ["as it is", "forgetful"])
def test_random_states_that_are_not_restored_are_noticed(tmp_path: Path, how: str) -> None:
    (tmp_path / "net.yaml").write_text(SPEC)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", CODE, str(tmp_path), how]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=600)
    kills, differences = map(int, done.stdout.split())
    assert kills == 12
    assert (differences > 0) == (how == "forgetful")
