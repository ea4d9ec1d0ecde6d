"""A short campaign, and the commands as they are run for the documents."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from cnncli.language.fields import Record
from cnncli.recipe.data import Data
from cnncli.recipe.losses import LOSSES
from cnncli.recipe.optimizers import OPTIMIZERS
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.schedules import SCHEDULES
from cnncli.recipe.tasks import Task
from cnncli.recipe.transforms import TRANSFORMS
from tests.campaign import page, recipes, sandbox
from tests.campaign.case import FORMATS
from tests.campaign.commands import OPTIONS
from tests.campaign.judge import ANSWERED, REFUSED
from tests.campaign.pool import run_chunks, runner
from tests.campaign.produce import ROW, ROWS, Material, is_trained
from tests.campaign.sandbox import Limits
from tests.campaign.seeds import ROOT, opens, seeds
from tests.campaign.tally import STATE, Tally
from tests.campaign.trained import base
from tests.campaign.worker import Chunk


@pytest.mark.slow
def test_a_thousand_cases(tmp_path: Path) -> None:
    words = ("--cases", "1000", "--jobs", "1", "--seed", "2", "--folder", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "tests.campaign", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No case was faulty." in done.stdout
    state = json.loads((tmp_path / STATE).read_text(encoding="utf-8"))
    assert state["cases"] == 1000
    assert len(state["corpus"]) > 100
    outcomes = state["outcomes"]
    assert {command for command, _, _, _ in outcomes} >= {*OPTIONS} - {"specs"}
    assert {form for _, form, _, _ in outcomes} == {*FORMATS}
    for outcome in (ANSWERED, REFUSED):
        assert sum(count for *_, what, count in outcomes if what == outcome) > 150


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_cases_with_torch(tmp_path: Path) -> None:
    program = sandbox.cnncli()
    material = Material(2, (), base(tmp_path / "base", program))
    start = (ROWS - 1) * ROW
    assert is_trained(start, material)
    reports = [*run_chunks([Chunk(start, start + 40, material)], 1, tmp_path, runner(program, Limits()))]
    assert [report for report in reports if report.faults] == []
    assert {report.command for report in reports} == {"inspect", "probe", "train", "evaluate"}
    assert sum(report.outcome == ANSWERED for report in reports) > 7


def test_there_are_many_seeds() -> None:
    assert len(seeds()) > 100


def test_recipes_have_everything_that_a_recipe_may_say() -> None:
    made = [recipes.made(Random(number), ("output",)) for number in range(2000)]  # noqa: S311 -- to repeat
    found = {word for text in made for word in re.findall(r"\w+", text)}
    records: tuple[type[Record], ...] = (
        Recipe,
        Data,
        Task,
        *TRANSFORMS.values(),
        *LOSSES.values(),
        *OPTIMIZERS.values(),
    )
    assert found >= {*TRANSFORMS, *LOSSES, *OPTIMIZERS, *SCHEDULES} - {"loss"}
    assert found >= {name for record in records for name in record.arguments} - {"loss"}
    spec = "input: [3, 8, 8]\nlayers: [flatten, linear: 10]\ntrain: "
    assert sum(opens(spec + text) for text in made[:200]) > 40


def test_the_page_gets_the_tables_of_a_campaign(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", encoding="utf-8")
    tally = Tally(1)
    tally.outcomes["check", "json", ANSWERED] = 3
    tally.slowest["check"] = (0.25, 2)
    page.write(path, tally)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("before\n<!--")
    assert text.endswith("-->\nafter\n")
    assert "old" not in text
    assert "| `check` | 3 |" in text


def test_the_page_has_a_place_for_them() -> None:
    text = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
    assert text.index(page.BEGIN) < text.index(page.END)
