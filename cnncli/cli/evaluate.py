"""``cnncli evaluate``: measure what a run has trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnncli.cli.common import Form, Format, Plugins, known_size, load_plugins
from cnncli.diagnostics import usage_error
from cnncli.report.show import show
from cnncli.report.terminal import output

if TYPE_CHECKING:
    from cnncli.results.training import Evaluation
    from cnncli.training.data.dataset import Dataset
    from cnncli.training.runs.run import Run


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE", help="Other data: digits, idx:DIR, folder:DIR or npz:FILE; its held-out part."
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Measure a run on held-out data. Shows loss, top-1, top-5 and the figures of each class."""
    from cnncli.report.pages.evaluate import page
    from cnncli.training.extras import need_training

    load_plugins(plugin)
    need_training()
    opened, dataset, figures = _measure(Path(run), data, device)
    show(page(opened.record.name, dataset.name, dataset.classes, figures), form)


def _measure(folder: Path, data: str | None, device: str) -> tuple[Run, Dataset, Evaluation]:
    from cnncli.graph import open_text
    from cnncli.network import compile_graph
    from cnncli.report.pages.train import reading
    from cnncli.training.data.load import load
    from cnncli.training.device import choose_device
    from cnncli.training.evaluate import evaluate
    from cnncli.training.runs.run import open_run
    from cnncli.training.runs.weights import load_weights

    run = open_run(folder)
    if not run.weights.exists():
        received = f"no {run.weights.name} (status: {run.record.status})"
        raise usage_error(
            f"{folder} has no weights to measure",
            expected="a run with an epoch behind it",
            received=received,
            hint=f"cnncli train --resume {folder}",
        )
    graph = open_text(run.record.spec, name=str(run.spec)).graph
    where = choose_device(device)
    settings = run.record.settings
    source = data if data is not None else settings.data
    with reading(output()) as progress:
        dataset = load(source, known_size(graph), settings.fit, progress)
    expected = run.record.data.classes
    if dataset.classes != expected:
        received = f"{len(dataset.classes)} classes: {', '.join(dataset.classes[:12])}"
        message = "the data has other classes than the network was trained on"
        raise usage_error(
            message, expected=f"{len(expected)} classes: {', '.join(expected[:12])}", received=received
        )
    network = compile_graph(graph)
    load_weights(network, run.weights)
    network.to(where)
    return run, dataset, evaluate(network, dataset.test, run.record.normalization, where)
