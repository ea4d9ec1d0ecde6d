"""What the network of a run says of images that somebody gives it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor

from cnncli.algebra import whole_shape
from cnncli.diagnostics import Diagnostic, UsageError, usage_error
from cnncli.graph.heads import heads_of
from cnncli.network import build_network
from cnncli.recipe.computing import UNCOMPILED
from cnncli.recipe.recipe import Recipe
from cnncli.results.predictions import Answer, Predicted
from cnncli.results.training import Reading
from cnncli.training.computing import Forward, choose_computing
from cnncli.training.data.dataset import Split
from cnncli.training.data.feed import Feed
from cnncli.training.data.normalization import unnormalized
from cnncli.training.data.recorded import WHOLE_RANGE
from cnncli.training.data.sources.named_files import named_files
from cnncli.training.data.sources.pictures import Attempt, Pictures
from cnncli.training.data.sources.reading_notes import conversion_notes, decoder_notes
from cnncli.training.device import choose_device
from cnncli.training.evaluate import evaluation_bounds
from cnncli.training.kept_memory import memory_kept
from cnncli.training.launch.graphs import recorded_graph
from cnncli.training.predicting import figure, table
from cnncli.training.predicting.answers import answers, labels_of
from cnncli.training.predicting.figure import Figure, check_figure
from cnncli.training.predicting.maps import Maps
from cnncli.training.predicting.shown import Output, Shown
from cnncli.training.predicting.table import Predictions, check_table
from cnncli.training.runs.run import Run, open_run
from cnncli.training.tasks.building import Learned, clean_of, measuring_objective
from cnncli.training.tasks.objective import Objective, by_head
from cnncli.training.transforms import held_out_alters, margin_notes

_LEAST_READ: Final = 64
_READ_TOGETHER: Final = 1024
_READ_VALUES: Final = 1 << 22
"""Files that are read at a time, at least and at most, and the values that all of them have, about."""


class Asked(NamedTuple):
    """What is asked for: the names of images, weights as in an evaluation, and a file or folder to write."""

    words: tuple[str, ...]
    weights: str | None = None
    output: Path | None = None


def predict_run(folder: Path, asked: Asked, device: str, reading: Reading = None) -> Predicted:
    """Return what the network of a run says of images, which it gets as it was measured on them.

    Files that cannot be read are reported in the result. What a recipe does under ``corrupt`` is not done to
    these images: they are what the network sees.

    Raises:
        CnncliError: there is no such run, it has no weights yet, none of the images can be read, or the
            output cannot be written.
    """
    run = open_run(folder)
    kept = run.kept(asked.weights)
    files = named_files(asked.words)
    predictor = _predictor(run, kept, choose_device(device))
    output = None if asked.output is None else _output(asked.output, predictor, files.paths)
    found = _Found(faults=[*files.faults])
    step = min(_READ_TOGETHER, max(_LEAST_READ, _READ_VALUES // predictor.values))
    for start in range(0, len(files.paths), step):
        paths = files.paths[start : start + step]
        progress = None if reading is None else _from(reading, start, len(files.paths))
        pictures = predictor.pictures(paths)
        read = pictures.attempt(progress)
        found.add(read)
        for shown in predictor.shown([paths[number] for number in read.kept], read.pixels, pictures.shape):
            found.answers += shown.answers
            if output is not None:
                output.took(shown)
    if not found.answers:
        raise UsageError(found.faults)
    pictured = 0 if output is None else output.finish([answer.image for answer in found.answers])
    notes = (*files.notes, *found.notes(), *margin_notes(predictor.settings), *_corrupt(run.record.settings))
    of_table = output.notes if isinstance(output, Predictions) else ()
    return Predicted(
        name=run.record.name,
        weights=kept,
        answers=tuple(found.answers),
        unreadable=tuple(found.faults),
        notes=(*notes, *of_table),
        written=asked.output,
        pictured=pictured,
    )


@dataclass(eq=False, slots=True)
class _Found:
    """What came of all files."""

    answers: list[Answer] = field(default_factory=list)
    faults: list[Diagnostic] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)
    warned: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    def add(self, read: Attempt) -> None:
        """Add what came of some of them."""
        self.faults += [fault for _, fault in sorted(read.faults.items())]
        self.changes.update(read.changes)
        self.warned += read.warned
        self.printed += read.printed

    def notes(self) -> tuple[str, ...]:
        """Return what was done to images, and what decoders say."""
        done = conversion_notes(self.changes, len(self.answers))
        return (*done, *decoder_notes(self.warned, tuple(self.printed)))


@dataclass(frozen=True, eq=False, slots=True)
class _Predictor:
    """A network with its weights, and all that images need on their way to it."""

    run: Run
    forward: Forward
    objective: Objective
    settings: Recipe
    input: tuple[int, ...]
    device: torch.device

    @property
    def values(self) -> int:
        """The number of values of an image as it is read."""
        return torch.Size(self.input).numel()

    def pictures(self, paths: Sequence[Path]) -> Pictures:
        """Return files that are read as those that the network was measured on."""
        levels = self.run.record.data.levels or WHOLE_RANGE
        return Pictures.prepare(tuple(paths), self.input, self.settings.data.resize, levels)

    def shown(self, paths: Sequence[Path], pixels: Tensor, shape: tuple[int, int, int]) -> Iterator[Shown]:
        """Yield batches of images with what the network says of them.

        Args:
            paths: of n images.
            pixels: uint8 [n, *the spec's input].
            shape: that of an image, (channels, height, width), without its margin if it has one.

        Raises:
            UsageError: an output is not a finite number.
        """
        record = self.run.record
        feed = Feed(Split(pixels, {}), {}, record.normalization, self.device, keep=False)
        bounds = evaluation_bounds(len(paths), self.values, self.device)
        batches = feed.in_order(bounds, held_out_alters(self.settings, len(paths)))
        margin = self.settings.data.margin
        size = (shape[0], *(side - 2 * margin for side in shape[1:]))
        with torch.inference_mode(), memory_kept(self.device):
            for (start, end), batch in zip(bounds, batches, strict=True):
                outputs, some = by_head(self.forward(batch.inputs)), paths[start:end]
                if not all(bool(each.isfinite().all()) for each in outputs.values()):
                    message = "outputs of the network are not numbers, so they predict nothing"
                    raise usage_error(message, expected="finite outputs", hint="did the training diverge?")
                labels = labels_of(self.objective, record.data.columns, some)
                said = answers(self.objective, some, outputs, labels)
                images = unnormalized(record.normalization, batch.inputs).reshape(-1, *size)
                yield Shown(some, images, outputs, labels, said)


def _corrupt(settings: Recipe) -> Iterator[str]:
    if settings.corrupt:
        steps = ", ".join(map(str, settings.corrupt))
        yield f"taken for what the network sees, so not corrupted as in training, by {steps}"


def _predictor(run: Run, weights: Path, device: torch.device) -> _Predictor:
    record, graph = run.record, recorded_graph(run)
    settings = record.settings.replaced({"corrupt": []})
    learned = Learned(record.data.columns, clean_of(record.settings, record.data.input), device=device)
    network = build_network(graph)
    run.load(network.eval(), weights)
    computing = choose_computing(settings, device, network)
    computing.place(network)
    shape, margin = whole_shape(graph.input), settings.data.margin
    return _Predictor(
        run=run,
        forward=computing._replace(compiled=UNCOMPILED).forward(network),
        objective=measuring_objective(heads_of(graph), record.settings, learned),
        settings=settings,
        input=(*shape[:1], *(side + 2 * margin for side in shape[1:])),
        device=device,
    )


def _output(path: Path, predictor: _Predictor, paths: Sequence[Path]) -> Output:
    """Return what writes a table, a picture, or masks and pictures into a folder.

    Raises:
        CnncliError: it cannot be written, or the network says nothing of the kind.
    """
    objective = predictor.objective
    if path.suffix.lower() == table.SUFFIX:
        check_table(path)
        return Predictions(objective, path)
    if path.suffix.lower() == figure.SUFFIX:
        check_figure(path)
        return Figure(objective, path, predictor.pictures(paths).shape, predictor.run.record.name)
    return Maps(objective, path, paths)


def _from(reading: Callable[[int, int], None], start: int, count: int) -> Callable[[int, int], None]:
    """Return what is called with the files read of some, and calls with those of all ``count``."""
    return lambda done, _: reading(start + done, count)
