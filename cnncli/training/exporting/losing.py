"""What a network loses with weights of 8 bits, measured on the held-out data of its run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import torch
from onnx import ModelProto
from torch import Tensor

from cnncli.exporting.onnx.quantizing import quantized
from cnncli.exporting.onnx.running import Session
from cnncli.exporting.subject import Array, Subject
from cnncli.graph.heads import heads_of
from cnncli.recipe.metrics import telling
from cnncli.results.export import Quantized
from cnncli.results.training import Reading
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.feed import Feed
from cnncli.training.data.load import load
from cnncli.training.evaluate import Manner, evaluate, evaluation_bounds
from cnncli.training.exporting.reference import network_of
from cnncli.training.exporting.settings import Settings
from cnncli.training.launch.graphs import recorded_graph
from cnncli.training.runs.run import Run, open_run
from cnncli.training.tasks.building import Learned, clean_of, measuring_objective
from cnncli.training.tasks.objective import Objective
from cnncli.training.tasks.targets import wanted_shapes
from cnncli.training.transforms import held_out_alters

CALIBRATED: Final = 512
"""The most training images that the ranges of values are from."""

_CPU: Final = torch.device("cpu")


class _Measuring(NamedTuple):
    """The data of a run, and what its network is measured by."""

    run: Run
    data: Dataset
    objective: Objective


def of_eight_bits(subject: Subject, model: ModelProto, settings: Settings) -> tuple[ModelProto, Quantized]:
    """Return the model with weights of 8 bits, and what was measured.

    Raises:
        CnncliError: the data of the run cannot be read.
    """
    assert subject.run is not None
    found = _measuring(open_run(subject.run), settings.reading)
    whole = len(model.SerializeToString())
    network = network_of(subject)
    small = quantized(model, _batches(found))
    session = Session(small.model.SerializeToString())

    def forward(inputs: Tensor) -> dict[str, Tensor]:
        outputs = session.run(inputs.numpy())
        return {name: torch.from_numpy(each) for name, each in outputs.items()}

    before, after = _figures(found, network, None), _figures(found, network, forward)
    metric = telling(before)
    return small.model, Quantized(
        layers=small.layers,
        of=small.of,
        calibrated=min(CALIBRATED, found.data.train.count),
        metric=metric,
        images=found.data.test.count,
        before=before[metric],
        after=after[metric],
        whole=whole,
        limit=settings.max_drop,
    )


def _measuring(run: Run, reading: Reading) -> _Measuring:
    """Return what a run was trained on, read again."""
    record, heads = run.record, heads_of(recorded_graph(run))
    settings = record.settings
    data = load(
        settings.data.of(record.data.source),
        record.data.input,
        reading,
        outputs=wanted_shapes(heads, settings),
        holdout=settings.holdout,
    )
    learned = Learned(record.data.columns, clean_of(settings, record.data.input))
    return _Measuring(run, data, measuring_objective(heads, settings, learned))


def _batches(found: _Measuring) -> Iterator[Array]:
    """Yield inputs of the network, of training images all over the data, prepared as held-out ones are."""
    train = found.data.train
    step = max(1, train.count // CALIBRATED)
    chosen = train.chosen(torch.arange(0, train.count, step)[:CALIBRATED])
    feed = Feed(chosen, found.objective.columns, found.run.record.normalization, _CPU, keep=False)
    bounds = evaluation_bounds(chosen.count, feed.image_values, _CPU)
    for batch in feed.in_order(bounds, held_out_alters(found.run.record.settings, chosen.count)):
        yield batch.inputs.numpy()


def _figures(
    found: _Measuring, network: torch.nn.Module, forward: Callable[[Tensor], dict[str, Tensor]] | None
) -> dict[str, float]:
    record, test = found.run.record, found.data.test
    alters = held_out_alters(record.settings, test.count)
    measured = evaluate(
        network, test, record.normalization, _CPU, found.objective, alters, Manner(forward=forward)
    )
    return dict(measured.figures)
