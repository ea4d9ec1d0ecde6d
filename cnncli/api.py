"""What ``import cnncli`` offers, and what the command line calls.

Nothing here imports torch before a module, a training or a measurement is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from cnncli import algebra, arguments
from cnncli.algebra import Dim, Expr, is_symbol
from cnncli.analyzed import Layer
from cnncli.architecture import Architecture, need_training
from cnncli.diagnostics import CnncliError, Diagnostic, listing, usage_error
from cnncli.graph import all_sizes
from cnncli.layers import KINDS, Kind, shape_text
from cnncli.layers.plugins import load_file, load_installed
from cnncli.loaded import Origin
from cnncli.recipe.devices import AUTO
from cnncli.recipe.metrics import FLIP, HELD_OUT, KEPT, TEST, TTA
from cnncli.recipe.recipe import Recipe, with_overrides

if TYPE_CHECKING:
    from cnncli.analysis.costs.overview import Overview
    from cnncli.analysis.specs import Entry
    from cnncli.language.selection import Selection
    from cnncli.results.predictions import Predicted
    from cnncli.results.runs import Compared, Runs, RunSummary
    from cnncli.results.survey import Survey
    from cnncli.results.training import Evaluated, Packed, Reading
    from cnncli.training.launch.launch import Launch

__all__ = [
    "Architecture",
    "Input",
    "Layer",
    "Overrides",
    "compare",
    "compare_runs",
    "draw_runs",
    "evaluate",
    "kinds",
    "load",
    "load_installed_plugins",
    "load_plugins",
    "loads",
    "need_training",
    "pack",
    "predict",
    "resume",
    "runs",
    "select",
    "spec_names",
    "specs",
    "survey",
    "symbol",
]

Overrides: TypeAlias = "str | Iterable[str] | Mapping[str, Any]"
"""Texts such as ``width=32`` and ``train.epochs=20``, or a mapping with such keys."""
Input: TypeAlias = "str | Sequence[Dim] | None"
"""A size such as ``(3, 224, 224)`` or ``"3x224x224"``; with symbols ``"3xHxW"``."""


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


def load(
    spec: str | Path,
    *,
    input: Input = None,  # noqa: A002 - the word that specs use
    symbolic: bool | str | Iterable[str] = False,
    overrides: Overrides = (),
    plugins: str | Path | Iterable[str | Path] = (),
    **variables: Any,
) -> Architecture:
    """Read a spec file, or a shipped spec by its name.

    Args:
        spec: a path, or a name that :func:`specs` lists.
        input: another input size; symbols give formulas.
        symbolic: True for formulas over all input sizes, or the names of variables to keep as symbols.
        overrides: of variables and settings, ``{"width": 32, "train.epochs": 20}``, or texts as of ``--set``.
        plugins: Python files that add kinds of layers; they are run.
        variables: other values for the variables of the spec: ``classes=10``.

    Raises:
        SpecError: the spec is wrong; lists all of its errors with their places.
        UsageError: the file does not exist, or an argument is wrong.
    """
    load_plugins(plugins)
    origin = Origin(arguments.text("spec", spec), None)
    return _architecture(origin, input, symbolic, overrides, variables)


def loads(
    text: str,
    *,
    name: str = "<text>",
    input: Input = None,  # noqa: A002 - the word that specs use
    symbolic: bool | str | Iterable[str] = False,
    overrides: Overrides = (),
    plugins: str | Path | Iterable[str | Path] = (),
    **variables: Any,
) -> Architecture:
    """Read a spec from a string, as :func:`load` does from a file; ``extends`` is not available.

    ``name`` is what messages call it.

    Raises:
        SpecError: the spec is wrong; lists all of its errors with their places.
        UsageError: an argument is wrong.
    """
    load_plugins(plugins)
    origin = Origin(arguments.text("name", name), arguments.text("text", text))
    return _architecture(origin, input, symbolic, overrides, variables)


def symbol(name: str) -> Expr:
    """Return an unknown whole number, for an axis of the input whose size is not known.

    Raises:
        UsageError: it is not a name that formulas may have.
    """
    if not is_symbol(arguments.text("name", name)):
        expected = "letters from a to z, digits and underscores, and not a Python keyword"
        raise usage_error(f"{name!r} cannot be the name of a symbol", expected=expected)
    return algebra.symbol(name)


def load_plugins(files: str | Path | Iterable[str | Path]) -> None:
    """Run Python files that add kinds of layers.

    Raises:
        UsageError: a file cannot be read, or running it fails.
    """
    for file in arguments.words("plugins", files):
        load_file(file)


def load_installed_plugins() -> tuple[Diagnostic, ...]:
    """Import the kinds of layers that installed packages add; return a warning if some are skipped.

    A spec with an unknown kind does so by itself. Plug-ins in the working folder are skipped.

    Raises:
        UsageError: one of them cannot be imported.
    """
    return load_installed().notes


def select(words: str | Iterable[str]) -> Selection:
    """Return the spec files that paths, folders, patterns and names of shipped specs refer to.

    Raises:
        UsageError: a folder or a pattern contains no spec.
    """
    from cnncli.language.selection import select  # noqa: PLC0415

    return select(arguments.words("specs", words))


def spec_names() -> Collection[str]:
    """Return the names of the shipped specs and of their families, without reading any."""
    from cnncli.language import shipped  # noqa: PLC0415

    return (shipped.specs() | shipped.families()).keys()


def compare(files: str | Path | Iterable[str | Path], *, batch: int = 1, **how: Any) -> tuple[Overview, ...]:
    """Return costs and depth of several networks; ``how`` are further arguments of :func:`load`.

    Raises:
        CnncliError: a file or an argument is wrong.
    """
    return tuple(load(file, **how).overview(batch) for file in arguments.words("files", files))


def specs() -> tuple[Entry, ...]:
    """Return the shipped specs with their papers and figures."""
    from cnncli.analysis.specs import catalog  # noqa: PLC0415

    return catalog()


def kinds() -> Mapping[str, type[Kind[Any]]]:
    """Return the kinds of layers by name, those of loaded plug-ins included."""
    return dict(KINDS)


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
    _check_weights(weights)
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
    _check_weights(weights)
    need_training()
    from cnncli.training.launch.predicting import Asked, predict_run  # noqa: PLC0415

    path = None if output is None else arguments.path("output", output)
    asked = Asked(arguments.words("images", images), weights, path)
    return predict_run(arguments.path("run", run), asked, arguments.device(device, AUTO), reading)


def _check_weights(weights: str | None) -> None:
    """Check which weights of a run are asked for.

    Raises:
        UsageError: there are none of this name.
    """
    if weights is not None and weights not in KEPT:
        expected = listing([repr(each) for each in KEPT], last=" or ")
        raise usage_error("no such weights", expected=expected, received=repr(weights))


def survey(source: str, *, sheet: str | Path | None = None, reading: Reading = None) -> Survey:
    """Read all images of a data source in their own sizes, and return what there is.

    Args:
        source: a source such as "folder:DIR" (:mod:`cnncli.recipe.data`).
        sheet: a PNG file that does not exist yet, for a contact sheet with some images of each class.
        reading: called with (images read, of how many).

    Raises:
        CnncliError: the source does not exist, or has no image that can be read.
    """
    need_training()
    from cnncli.training.data.survey import survey as found  # noqa: PLC0415

    path = None if sheet is None else arguments.path("sheet", sheet)
    return found(arguments.text("source", source), path, reading)


def pack(
    source: str,
    folder: str | Path,
    size: str | Sequence[int],
    *,
    overrides: Overrides = (),
    reading: Reading = None,
) -> Packed:
    """Decode data once, into files that trainings map into memory: their source is ``packed:FOLDER``.

    :meth:`Architecture.pack` does so for the input and the targets of a spec.

    Args:
        source: such as "folder:DIR" (:mod:`cnncli.recipe.data`).
        folder: a new folder, which is created whole or not at all.
        size: the shape that images get, such as "3x224x224".
        overrides: settings as texts: ``train.data.resize=pad``.
        reading: called with (images read, of how many).

    Raises:
        CnncliError: the data cannot be read or converted, or the folder is not empty or cannot be written.
    """
    need_training()
    from cnncli.training.launch.packing import pack_shaped  # noqa: PLC0415

    how = with_overrides(Recipe(), arguments.overrides("overrides", overrides)).data
    shape = _size(size)
    if shape is None or not all(isinstance(dim, int) for dim in shape):
        expected = "a size in numbers, such as 3x224x224"
        raise usage_error("packed images have one size", expected=expected, received=str(size))
    data = how.of(arguments.text("source", source))
    return pack_shaped(algebra.whole_shape(shape), data, arguments.path("folder", folder), reading)


def _architecture(
    origin: Origin,
    size: Input,
    symbolic: bool | str | Iterable[str],
    overrides: Overrides,
    variables: Mapping[str, Any],
) -> Architecture:
    wanted: Any = _size(size)
    texts = (*arguments.overrides("overrides", overrides), *arguments.keywords(variables))
    if isinstance(symbolic, bool):
        return Architecture(origin, _unknown_sizes(wanted) if symbolic else wanted, texts)
    unknown = arguments.words("symbolic", symbolic)
    given = {text.partition("=")[0].strip() for text in texts}
    for name in unknown:
        if name in given:
            raise usage_error(f"'{name}' cannot be both set and symbolic", expected="one of them")
    return Architecture(origin, wanted, texts, unknown)


def _size(size: Any) -> tuple[Dim, ...] | None:
    if size is None:
        return None
    if not isinstance(size, str):
        return arguments.input_shape(size)
    from cnncli.language.input_size import parse_shape  # noqa: PLC0415

    return parse_shape(size)


def _unknown_sizes(size: Any) -> Any:
    """Return an input size with symbols: the one that is asked for, if it has some, or the spec's own.

    Raises:
        UsageError: it is given in numbers.
    """
    if size is None:
        return all_sizes
    if all(isinstance(dim, int) for dim in size):
        received = shape_text(size)
        raise usage_error("every input size is given", expected="symbols, such as 3xHxW", received=received)
    return size
