"""Trained networks with fewer channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli import arguments
from cnncli.api.networks import load
from cnncli.api.run_folders import check_weights, evaluate
from cnncli.architecture import need_training
from cnncli.diagnostics import usage_error

if TYPE_CHECKING:
    from cnncli.results.shrinking import Shrunk
    from cnncli.training.launch.launch import Launch


def shrink(
    run: str | Path,
    limits: Mapping[str, int | str],
    output: str | Path,
    *,
    weights: str | None = None,
    tuned: str | Path | None = None,
    epochs: int | None = None,
    training: Callable[[Launch], object] | None = None,
) -> Shrunk:
    """Remove the least important channels of a trained network, until it is within limits.

    Channels that shapes tie together, such as those of the branches of an ``add``, are removed together.
    Importance is the norm of the weights that compute a channel, relative to its layer. No removed channel
    would fit beside those that are left.

    Args:
        run: the folder of the run.
        limits: the most that figures of a budget may be: ``{"params": "1M"}``.
        output: a new file for the spec, such as ``small.yaml``; the weights are written beside it, into
            ``small.safetensors``.
        weights: those of the "best" epoch or the "last" ones; by default those that ``evaluate`` measures.
        tuned: the folder of a new run, in which the smaller network is trained by the recipe of the run.
        epochs: how many of them; as many as the recipe says by default.
        training: called with the training; it has to be started there.

    Raises:
        CnncliError: there is no such run, a limit cannot be met, or is met already, or a file exists or
            cannot be written.
    """
    check_weights(weights)
    if epochs is not None and tuned is None:
        raise usage_error("epochs without a training", expected="the folder of a run for it")
    need_training()
    from cnncli.training.launch.shrinking import files_of, smaller  # noqa: PLC0415
    from cnncli.training.runs.place import planned_folder  # noqa: PLC0415

    folder, path = arguments.path("run", run), arguments.path("output", output)
    files_of(path)
    place = None if tuned is None else arguments.path("tuned", tuned)
    if place is not None:
        planned_folder(place, folder.name)
    found = smaller(folder, limits, weights)
    result = found.written(path, folder, evaluate(folder, weights=weights).figures)
    if place is None:
        return result
    settings: dict[str, Any] = {} if epochs is None else {"epochs": arguments.whole("epochs", epochs)}
    launch = load(result.spec).begin(run=place, start={"from": str(result.weights)}, **settings)
    (training or _start)(launch)
    return result._replace(run=place, tuned=evaluate(place).figures[result.metric])


def _start(launch: Launch) -> None:
    launch.start()
