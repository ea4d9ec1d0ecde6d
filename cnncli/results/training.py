"""What training and evaluation report: an epoch, the progress within one, an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from cnncli.analysis.rates import LayerRate
from cnncli.diagnostics import Diagnostic
from cnncli.recipe.columns import Column
from cnncli.results.transfer import Started

Reading: TypeAlias = "Callable[[int, int], None] | None"
"""Called with (done, of how many) while something takes long, such as reading a folder of images."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What is known of one epoch, a line of ``metrics.jsonl``.

    ``epoch`` counts from 1. ``lr`` is the learning rate of the last step; ``seconds`` is the training time
    without the evaluation, and ``images_per_second`` follows from it. ``figures`` are named as
    :mod:`cnncli.recipe.metrics` says: those that begin with ``train`` are means over the epoch's samples,
    measured when each was trained on, while the weights were changing; those that begin with ``val``, or
    with ``test`` if there is no validation part, are of that part after the epoch
    (:func:`cnncli.training.evaluate.evaluate`).
    """

    epoch: int
    lr: float
    seconds: float
    images_per_second: float
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far training is; reported a few times a second at most.

    ``epoch`` counts from 1; ``batch`` of the ``batches`` of this phase are done. ``figures`` are those of the
    epoch's training samples so far; there are none while the test part is measured after all epochs.
    ``images_per_second`` is the rate since the epoch began (or was resumed). ``waiting`` is the share of that
    time in which the loop waited for the next batch (:class:`cnncli.training.pace.Pace`), ``of_peak`` how
    much of the floating-point operations per second of the device is used, None if its peak is not known;
    ``seconds_left`` is an estimate of the time until the last epoch is done, None before the first batch.
    """

    phase: Literal["train", "evaluate"]
    epoch: int
    epochs: int
    batch: int
    batches: int
    figures: Mapping[str, float]
    lr: float
    images_per_second: float
    waiting: float
    of_peak: float | None
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """The figures of one class. ``count`` is the number of its images, or of its pixels in masks.

    precision = share of what was predicted as this class that belongs to it; recall = share of its own that
    was predicted as it; f1 = 2 correct / (count + predicted), of pixels the Dice coefficient; iou = correct /
    (count + predicted - correct). A ratio without a denominator is None.
    """

    count: int
    correct: int
    precision: float | None
    recall: float | None
    f1: float | None
    iou: float | None


@dataclass(frozen=True, slots=True)
class HeadClasses:
    """What was measured of a head that learns classes, in the order of their ``names``.

    ``confusion[true][predicted]`` and the counts are of the ``unit``, ``images`` or ``pixels``.
    """

    names: tuple[str, ...]
    unit: str
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def absent(self) -> tuple[str, ...]:
        """The names of the classes that do not occur."""
        return tuple(
            name for name, of_class in zip(self.names, self.classes, strict=True) if not of_class.count
        )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What :func:`cnncli.training.evaluate.evaluate` measures of ``count`` images.

    ``figures`` are named as in :class:`Epoch`, without the part of the data: ``loss``, ``accuracy``, ``top5``
    for five or more classes, and those of each head if there are several. ``heads`` are those that learn
    classes.
    """

    count: int
    figures: Mapping[str, float]
    heads: Mapping[str, HeadClasses]


class Evaluated(NamedTuple):
    """A network that was measured on data, with the names of the network and the data.

    ``notes`` say which images were measured, which classes have none, and what was done to the images;
    ``part`` is ``val`` for the validation part of a run's own data, otherwise ``test``. ``tta`` is what each
    image was measured together with, ``flip`` for its mirror image, empty for itself alone. ``predictions``
    is the table of what was predicted of each image, if one was written.
    """

    name: str
    data: str
    evaluation: Evaluation
    notes: tuple[str, ...]
    part: str = "test"
    tta: str = ""
    predictions: Path | None = None

    @property
    def figures(self) -> Mapping[str, float]:
        """The figures by their names, such as ``accuracy``."""
        return self.evaluation.figures


class Stage(NamedTuple):
    """Epochs, counted from 1, in which training images have a ``size``, and the FLOPs of training in them.

    The size is None if it is that of the input.
    """

    size: int | None
    first: int
    last: int
    flops: int


class Within(NamedTuple):
    """What a step of each process needs of a ``limit`` of memory, at its ``peak``, both in bytes.

    In another ``precision`` than float32, it needs at most that. Each process's share of a batch is computed
    in ``slices`` of at most ``images``. The segments that are ``recomputed`` cost a
    ``share`` of the FLOPs of a step in addition.
    """

    limit: int
    processes: int
    precision: str
    peak: int
    slices: int
    images: int
    recomputed: tuple[str, ...]
    share: float


class Introduction(NamedTuple):
    """What a training is about to do, shown before the first step; ``folder`` is None if there is no run.

    ``notes`` are about the data, ``spec_notes`` about the spec; ``transforms`` are those of training images,
    in their order, each with its arguments, ``corrupt`` is what happens to inputs only, and ``tasks`` say
    what each head learns. ``ways`` say what is learned in another way than the rest, such as with a rate of
    its own; ``rates`` has the layers if their rates depend on their depth. ``origins`` are the names of the
    settings that are not defaults, by where they come from.
    ``computing`` is how the network is computed, ``update`` what happens to gradients and weights.
    ``penalty`` has the factors of the penalty on weights, ``stop`` says when the training ends
    early, and ``chosen_by`` is the figure of the validation part that chooses the best epoch, all empty
    without. ``stages`` are the sizes of the images if they change, or the whole training if its length are
    FLOPs; ``ends`` is the batch after which its last epoch ends then, 0 if that is whole. ``within`` is what
    was chosen for a limit of memory. ``val_count`` is 0 without a validation part. ``start`` says where the
    first weights came from, None for random ones.

    A run that is ``resumed``, by its folder or by the command that started it, has finished
    ``finished_epochs`` of the ``epochs``, and ``finished_batches`` of the next; ``moved`` is what has changed
    on the machine since then, as ``threads: 4, before 1``. ``ended`` is why such a run ended early, empty if
    it did not: then nothing is left to do. ``epochs_before`` are the ``epochs`` that such a run had before.
    """

    name: str
    device: str
    folder: Path | None
    data: str
    train_count: int
    val_count: int
    test_count: int
    columns: Mapping[str, Column]
    input_shape: tuple[int, ...]
    notes: tuple[str, ...]
    spec_notes: tuple[Diagnostic, ...]
    moved: tuple[str, ...]
    transforms: tuple[str, ...]
    corrupt: tuple[str, ...]
    tasks: tuple[str, ...]
    optimizer: str
    ways: tuple[str, ...]
    rates: tuple[LayerRate, ...]
    lr: float
    schedule: str
    penalty: str
    stop: str
    chosen_by: str
    computing: str
    update: tuple[str, ...]
    stages: tuple[Stage, ...]
    ends: int
    within: Within | None
    start: Started | None
    origins: Mapping[str, tuple[str, ...]]
    batch: int
    seed: int
    epochs: int
    epochs_before: int
    resumed: bool
    finished_epochs: int
    finished_batches: int
    ended: str


class Previewed(NamedTuple):
    """A picture of samples before the transforms, and after them in the first epochs.

    ``rows`` says what the rows of a sample are: first the ``image``, then its targets that are masks or
    pictures, and what the network sees, if that is something else. ``transforms`` and ``corrupt`` are those
    of the recipe.
    """

    path: Path
    samples: int
    epochs: int
    rows: tuple[str, ...]
    transforms: tuple[str, ...]
    corrupt: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training finished.

    ``figures`` are those of the test part, ``test.loss`` and so on, with the weights after ``epoch``,
    counted from 1. Without a validation part that is the last epoch. With one, it is the epoch with the best
    value of ``chosen_by``, such as ``val.accuracy``, otherwise empty, and the test part is measured once,
    here. ``reason`` is why the training ended before its last epoch, empty if it did not. ``overfitting``
    says since when it over-fits, empty if it does not.
    """

    epoch: int
    chosen_by: str
    reason: str
    figures: Mapping[str, float]
    overfitting: str


class Remedy(NamedTuple):
    """Something that helps against over-fitting, and how to turn it on."""

    name: str
    how: str


class Packed(NamedTuple):
    """A data set that was written to a folder: where it came from, what it contains, and its bytes.

    ``val_count`` is 0 without a validation part of its own. ``classes`` are those of the column ``label``;
    ``notes`` say what was done to the images.
    """

    folder: Path
    source: str
    input_shape: tuple[int, ...]
    train_count: int
    val_count: int
    test_count: int
    classes: tuple[str, ...]
    nbytes: int
    notes: tuple[str, ...]


class Trained(NamedTuple):
    """A run after training: its folder, how it ended (``finished`` or ``interrupted``), its epochs.

    ``signal`` is the number of the signal that interrupted it, otherwise None; ``outcome`` is None then.
    ``remedies`` are what the training does not use against over-fitting, if it over-fits.
    """

    run: Path
    status: str
    history: tuple[Epoch, ...]
    signal: int | None = None
    outcome: Outcome | None = None
    remedies: tuple[Remedy, ...] = ()
