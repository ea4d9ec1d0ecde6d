"""With everything switched on, a run that was stopped where others lose something ends with the same bits.

These places are: where dropout draws, the border of an epoch, a second time in one epoch, in an evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from torch import nn

import cnncli
from cnncli.recipe.transforms import TRANSFORMS
from cnncli.results.training import Epoch, Progress
from cnncli.training.runs.run import open_run
from tests.training.everything import MEAN, SPEC
from tests.training.support import Killed, Recorder, assert_same_result, kill, press_ctrl_c, raise_at

Act: TypeAlias = Callable[[], None]
Stop: TypeAlias = Callable[[Act], Recorder]


class AfterEpoch(Recorder):
    def __init__(self, epoch: int, act: Act) -> None:
        super().__init__()
        self._epoch, self._act = epoch, act

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        super().epoch_finished(metrics, epochs)
        if metrics.epoch == self._epoch:
            self._act()


def at(epoch: int, batch: int, phase: str) -> Stop:
    return lambda act: Recorder(raise_at(epoch, batch, phase, act))


def in_last_evaluation(act: Act) -> Recorder:
    def look(progress: Progress) -> None:
        if progress.phase == "evaluate" and not progress.figures:
            act()

    return Recorder(look)


TEXTS = {"ema": SPEC, "swa": MEAN}
PLACES: dict[str, Sequence[Stop]] = {
    "dropout": [at(2, 2, "train")],
    "the last batch of an epoch": [at(2, 4, "train")],
    "between two epochs": [partial(AfterEpoch, 1)],
    "twice in one epoch": [at(2, 1, "train"), at(2, 3, "train")],
    "evaluation": [at(3, 0, "evaluate")],
    "the last evaluation": [in_last_evaluation],
}


def trained(folder: Path, text: str, steps: int | None, recorder: Recorder | None = None) -> nn.Module:
    """Train on, as the same command does."""
    saving: dict[str, Any] = {} if steps is None else {"save": {"steps": steps}}
    launch = cnncli.loads(text).begin(run=folder, device="cpu", **saving)
    launch.start(recorder or Recorder(), report_every=0)
    return launch.network


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, nn.Module]]:
    folder = tmp_path_factory.mktemp("whole")
    return {name: (folder / name, trained(folder / name, text, None)) for name, text in TEXTS.items()}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("average", "act"),
    [
        ("ema", kill),
        pytest.param("ema", press_ctrl_c, marks=pytest.mark.slow),
        pytest.param("swa", kill, marks=pytest.mark.slow),
    ],
)
def test_stopped_anywhere_the_run_ends_with_the_same_bits(
    tmp_path: Path, whole: dict[str, tuple[Path, nn.Module]], average: str, place: str, act: Act
) -> None:
    folder, reference = whole[average]
    stopped = 0
    for stop in PLACES[place]:
        try:
            trained(tmp_path / "run", TEXTS[average], 1, stop(act))
        except Killed:
            stopped += 1
        else:
            stopped += open_run(tmp_path / "run").record.status == "interrupted"
    assert stopped == len(PLACES[place])
    network = trained(tmp_path / "run", TEXTS[average], 1)
    assert_same_result(tmp_path / "run", network, folder, reference)


def test_everything_is_switched_on(whole: dict[str, tuple[Path, nn.Module]]) -> None:
    folder, _ = whole["ema"]
    run = open_run(folder)
    recorded = run.record.settings
    assert {each.keyword for each in recorded.transforms} == {*TRANSFORMS}
    kept = run.read_checkpoint()
    assert kept is not None
    assert all(getattr(kept, section) for section in ("network", "average", "optimizer", "random"))
    assert run.record.outcome is not None
    assert run.record.outcome.chosen_by == "val.loss"
