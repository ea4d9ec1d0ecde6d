"""The recipes of other tools in docs/recipes: each can be trained, and has the rates of the original."""

from __future__ import annotations

from pathlib import Path

import pytest

import cnncli
from cnncli.recipe.clipping import ClipNorm
from cnncli.recipe.optimizers import LAMB, Adam
from cnncli.recipe.penalty import Penalty
from cnncli.recipe.recipe import Recipe, recipe_from_json
from cnncli.training.optimization.schedule import Moment, learning_rate

DOCS = Path(__file__).parents[2] / "docs"
RECIPES = sorted((DOCS / "recipes").glob("*.yaml"))
SPEC = """
input: [3, 32, 32]
layers: [conv: {channels: 4, kernel: 3, stride: 2, norm: batch, activation: relu}, globalavgpool, linear: 10]
"""


def read(name: str) -> Recipe:
    settings = cnncli.loads(SPEC).recipe(recipe_file=DOCS / "recipes" / name)
    values: dict[str, object] = {}
    for each in settings:
        inside = values
        for key in each.path[1:-1]:
            inside = inside.setdefault(key, {})  # type: ignore[assignment]
        inside[each.path[-1]] = each.value
    return recipe_from_json(values)


def rates(recipe: Recipe, steps: int) -> list[float]:
    """The learning rate of the first step of each epoch, and of the last one."""
    warmup = round((recipe.course.warmup or 0) * steps)
    whole = recipe.epochs * steps
    places = [*range(0, whole, steps), whole - 1]
    moments = [Moment(step, whole, steps, warmup) for step in places]
    return [learning_rate(recipe.optimizer.lr, recipe.course, moment) for moment in moments]


def test_every_file_is_in_the_document() -> None:
    text = (DOCS / "training.md").read_text("utf-8")
    assert len(RECIPES) == 2
    assert all(f"(recipes/{path.name})" in text for path in RECIPES)


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_training_begins_with_it(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    network = cnncli.loads(SPEC, overrides={"train.batch": 16, "train.data.limit": 0.05})
    found = network.dry_run("digits", recipe_file=path, device="cpu", batch=16)
    assert found.tried.tried == 6


def test_keras_example() -> None:
    recipe = read("keras_cifar10_resnet.yaml")
    assert recipe.optimizer == Adam(lr=1e-3, eps=1e-7)
    assert recipe.penalty == Penalty(l2=2e-4)

    def keras(epoch: int) -> float:
        return 1e-3 * (1e-3 if epoch > 160 else 1e-2 if epoch > 120 else 1e-1 if epoch > 80 else 1)

    assert rates(recipe, 7)[:-1] == pytest.approx([keras(epoch) for epoch in range(200)])


def test_timms_procedure_a3() -> None:
    recipe = read("resnet50_a3.yaml")
    assert recipe.optimizer == LAMB(lr=8e-3, weight_decay=0.02)
    assert recipe.clip == ClipNorm(most=1.0)
    found = rates(recipe, 625)
    assert max(found) == pytest.approx(8e-3)
    assert found.index(max(found)) == 5
    assert found[-1] < 1e-8
