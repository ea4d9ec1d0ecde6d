"""Pictures of what a run has learned, drawn once when it is finished."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

from cnncli.graph import Graph
from cnncli.graph.heads import heads_of
from cnncli.network import build_network
from cnncli.recipe.computing import UNCOMPILED
from cnncli.recipe.metrics import TEST, VAL
from cnncli.recipe.recipe import Recipe
from cnncli.training.computing import choose_computing
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.normalization import unnormalized
from cnncli.training.evaluate import Manner, evaluate
from cnncli.training.pictures.confusion import confusion
from cnncli.training.predicting.worst import Worst
from cnncli.training.runs.files import write_bytes
from cnncli.training.runs.run import Run
from cnncli.training.tasks.building import Learned, clean_of, measuring_objective
from cnncli.training.transforms import held_out_alters

_PICTURE_AXES = 3
_CHANNELS = (1, 3)


def draw_pictures(graph: Graph, dataset: Dataset, settings: Recipe, run: Run, device: torch.device) -> None:
    """Draw which classes are confused, and the samples that are predicted worst, into the folder of a run.

    They are of the validation part, if there is one, and otherwise of the test part: who looks at them may
    change something. Without matplotlib nothing is drawn.

    Raises:
        CnncliError: a file cannot be written.
    """
    if find_spec("matplotlib") is None:
        return
    part, split = (TEST, dataset.test) if dataset.val is None else (VAL, dataset.val)
    with torch.random.fork_rng(devices=[]):  # initial weights are drawn, and replaced at once
        network = build_network(graph)
    run.load(network, run.kept(None))
    computing = choose_computing(settings, device, network)
    computing.place(network)
    learned = Learned(dataset.columns, clean_of(settings, dataset.input_shape), device=device)
    objective = measuring_objective(heads_of(graph), settings, learned)
    worst = Worst(objective)
    manner = Manner(listeners=(worst,), forward=computing._replace(compiled=UNCOMPILED).forward(network))
    normalization = run.record.normalization
    alters = held_out_alters(settings, split.count)
    measured = evaluate(network, split, normalization, device, objective, alters, manner=manner)
    if measured.heads:
        write_bytes(run.confusion, confusion(measured.heads, part))

    def images(inputs: Tensor) -> Tensor:
        return unnormalized(normalization, inputs)

    if _has_worst(graph):
        write_bytes(run.worst, worst.picture(f"{graph.name}: the largest losses of the {part} part", images))


def has_pictures(graph: Graph, run: Run) -> bool:
    """Return whether the last of the pictures was drawn."""
    return run.worst.exists() if _has_worst(graph) else run.confusion.exists()


def _has_worst(graph: Graph) -> bool:
    """Return whether the inputs of a network can be shown."""
    return len(graph.input) == _PICTURE_AXES and graph.input[0] in _CHANNELS
