"""Runs: continued, measured, asked and compared."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli import arguments
from cnncli.architecture import need_training
from cnncli.diagnostics import CnncliError, listing, usage_error
from cnncli.recipe.devices import AUTO
from cnncli.recipe.metrics import FLIP, HELD_OUT, KEPT, TEST, TTA

if TYPE_CHECKING:
    from cnncli.api.networks import Overrides
    from cnncli.results.predictions import Predicted
    from cnncli.results.runs import Compared, Runs, RunSummary
    from cnncli.results.training import Evaluated, Reading
    from cnncli.training.launch.launch import Launch


def resume(
    run: str | Path,
    *,
    data: str | None = None,
    device: Any = AUTO,
    overrides: Overrides = (),
    reading: Reading = None,
    **settings: Any,
) -> Launch:
    """Open a run; ``start()`` of the result continues from exactly its last checkpoint.

    Args:
        run: the folder of the run.
        data: where the same data is now; the run's own source by default.
        device: "auto", a device such as "cpu" (:mod:`cnncli.recipe.devices`), or a ``torch.device``.
        overrides: settings as texts, ``train.epochs=20``.
        reading: called with (images read, of how many).
        settings: only ``epochs`` may differ from the run's own.

    Raises:
        CnncliError: the folder is not a run, or spec, settings or data are not those of the run.
    """
    need_training()
    from cnncli.training.launch import resuming  # noqa: PLC0415

    texts = (*arguments.overrides("overrides", overrides), *arguments.keywords(settings, "train."))
    source = None if data is None else arguments.text("data", data)
    return resuming.resume(arguments.path("run", run), texts, source, arguments.device(device, AUTO), reading)


def evaluate(
    run: str | Path,
    data: str | None = None,
    *,
    split: str = TEST,
    weights: str | None = None,
    tta: str | None = None,
    output: str | Path | None = None,
    device: Any = AUTO,
    reading: Reading = None,
) -> Evaluated:
    """Evaluate the weights of a run on its held-out data, or on other data.

    Of the run's own data the ``split`` "test" or "val" is measured; of other data its test part, or all of it
    if it has none. Classes are matched by name, and ``notes`` of the result say what was measured.

    Args:
        run: the folder of the run.
        data: a source such as "folder:DIR" (:mod:`cnncli.recipe.data`).
        split: the part of the run's own data.
        weights: those of the "best" epoch or the "last" ones; by default the best ones, if the run has a
            validation part.
        tta: "flip": what is said of an image is the mean of that of the image and of its mirror image.
        output: a CSV file that does not exist yet, for what is predicted of each image.
        device: "auto", a device such as "cpu" (:mod:`cnncli.recipe.devices`), or a ``torch.device``.
        reading: called with (images read, of how many).

    Raises:
        CnncliError: the folder is not a run, it has no weights yet, there is no such part, the data has other
            classes, or the file exists or cannot be written.
    """
    check_weights(weights)
    if split not in HELD_OUT:
        expected = listing([repr(each) for each in HELD_OUT], last=" or ")
        raise usage_error("no such part of the data", expected=expected, received=repr(split))
    if tta is not None and tta not in TTA:
        expected = listing([repr(each) for each in TTA], last=" or ")
        message = "images are not measured together with this"
        raise usage_error(message, expected=expected, received=repr(tta))
    need_training()
    from cnncli.training.launch.evaluating import Wanted, evaluate_run  # noqa: PLC0415

    source = None if data is None else arguments.text("data", data)
    path = None if output is None else arguments.path("output", output)
    wanted = Wanted(source, split, weights, tta == FLIP, path)
    return evaluate_run(arguments.path("run", run), wanted, arguments.device(device, AUTO), reading)


def predict(
    run: str | Path,
    images: str | Path | Iterable[str | Path],
    *,
    weights: str | None = None,
    output: str | Path | None = None,
    device: Any = AUTO,
    reading: Reading = None,
) -> Predicted:
    """Return what the network of a run says of images, which are prepared as for :func:`evaluate`.

    Images that cannot be read are in ``unreadable`` of the result, and all others are predicted.

    Args:
        run: the folder of the run.
        images: image files, folders, and patterns such as "photos/*.jpg".
        weights: those of the "best" epoch or the "last" ones; by default the best ones, if the run has a
            validation part.
        output: a file that does not exist yet: a table for ``.csv``, a picture of the first images and the
            most probable classes of each for ``.png``; or a new folder for masks and pictures.
        device: "auto", a device such as "cpu" (:mod:`cnncli.recipe.devices`), or a ``torch.device``.
        reading: called with (images read, of how many).

    Raises:
        CnncliError: the folder is not a run, it has no weights yet, no image can be read, or the output
            exists or cannot be written.
    """
    check_weights(weights)
    need_training()
    from cnncli.training.launch.predicting import Asked, predict_run  # noqa: PLC0415

    path = None if output is None else arguments.path("output", output)
    asked = Asked(arguments.words("images", images), weights, path)
    return predict_run(arguments.path("run", run), asked, arguments.device(device, AUTO), reading)


def runs(folder: str | Path = "runs") -> Runs:
    """Return the runs in a folder with their settings and figures, and the damaged ones; needs no torch.

    Raises:
        CnncliError: there is no such folder.
    """
    from cnncli.training.runs.listing import runs_in  # noqa: PLC0415

    return runs_in(arguments.path("folder", folder))


def compare_runs(*folders: str | Path) -> Compared:
    """Return several runs and what is different between their recipes, specs and data; needs no torch.

    Raises:
        CnncliError: a folder is not a run, or is damaged.
    """
    from cnncli.training.runs.listing import compare  # noqa: PLC0415

    return compare([arguments.path("folders", each) for each in folders])


def draw_runs(path: str | Path, runs: Iterable[RunSummary]) -> Path:
    """Draw the curves of runs into one picture, a new file that ends in ``.svg`` or ``.png``.

    Raises:
        CnncliError: the file exists or cannot be written, matplotlib is not installed, or no run has a
            finished epoch.
    """
    from cnncli.training.pictures.curves import draw  # noqa: PLC0415

    return draw(arguments.path("path", path), tuple(runs))


def several() -> bool:
    """Return whether this process is one of several that train together, as torchrun starts them."""
    return os.environ.get("WORLD_SIZE", "1") != "1"


def speaks(*, is_lost: bool = False) -> bool:
    """Return whether this process shows an error that it has; imports torch if it is one of several.

    ``is_lost`` says that the error is the end of another process.
    """
    if not several():
        return True
    from cnncli.training.world import joined  # noqa: PLC0415

    try:
        return joined().speaks(is_lost=is_lost)
    except CnncliError:
        return True


def check_weights(weights: str | None) -> None:
    """Check which weights of a run are asked for.

    Raises:
        UsageError: there are none of this name.
    """
    if weights is not None and weights not in KEPT:
        expected = listing([repr(each) for each in KEPT], last=" or ")
        raise usage_error("no such weights", expected=expected, received=repr(weights))
