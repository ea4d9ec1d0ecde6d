"""A training by several processes: whether all of them are about to do the same."""

from __future__ import annotations

import hashlib
import json

from cnncli.diagnostics import usage_error
from cnncli.recipe.recipe import Recipe
from cnncli.training.data.dataset import Dataset
from cnncli.training.world import World


def check_alike(world: World, settings: Recipe, dataset: Dataset) -> None:
    """Wait until all processes have read their data, and check that it is that of the first one.

    Raises:
        UsageError: this process has other data or other settings.
    """
    if world.size == 1:
        return
    recipe = json.dumps(settings.plain(), allow_nan=False, sort_keys=True)
    own = (dataset.fingerprint(), hashlib.sha256(recipe.encode()).hexdigest())
    first = world.told(" ".join(own)).split()
    for what, mine, other in zip(("data", "settings"), own, first, strict=True):
        if mine != other:
            raise usage_error(
                f"process {world.rank} has other {what} than process 0",
                expected="the same command and the same data on all machines",
                received=dataset.name if what == "data" else "other settings",
            )
    world.wait()


def check_named(world: World, *, is_named: bool) -> None:
    """Check that a training that torchrun may restart can be found again.

    Raises:
        UsageError: it has no name.
    """
    if world.restarts and not is_named:
        raise usage_error(
            f"torchrun restarts this training up to {world.restarts} times, but would not find its folder",
            expected="a folder for the run, which the same command continues",
            received="no folder, so that each start would make a new one",
        )
