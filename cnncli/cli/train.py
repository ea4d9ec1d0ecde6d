"""``cnncli train``: train a spec's network, in a run folder that survives being stopped."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnncli.cli.common import (
    Overrides,
    Plugins,
    known_shape,
    known_size,
    load_plugins,
    setting_changes,
)
from cnncli.diagnostics import usage_error
from cnncli.graph import Graph, Opened, open_spec, read_train
from cnncli.language.sections import Train
from cnncli.layers import shape_text
from cnncli.report.terminal import Screen, output, printable

if TYPE_CHECKING:
    from cnncli.training.data.dataset import Dataset
    from cnncli.training.loop import Outcome
    from cnncli.training.runs.run import Run


def command(
    spec: Annotated[
        str | None,
        typer.Argument(
            metavar="SPEC",
            help="A spec file, or a name that 'cnncli specs' lists (not with --resume).",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="digits, idx:DIR, folder:DIR or npz:FILE.")
    ] = None,
    epochs: Annotated[str | None, typer.Option(metavar="N", help="Passes over the training data.")] = None,
    batch: Annotated[str | None, typer.Option(metavar="N", help="Samples in one step.")] = None,
    lr: Annotated[str | None, typer.Option(metavar="X", help="Peak learning rate.")] = None,
    seed: Annotated[
        str | None, typer.Option(metavar="N", help="Seed of weights, shuffling and dropout.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    run: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder of the run; runs/NAME-N if not given.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with the run in this folder.")
    ] = None,
    settings: Annotated[
        str | None, typer.Option(metavar="FILE", help="A YAML file of settings, in place of the spec's own.")
    ] = None,
    overrides: Overrides = None,
    plugin: Plugins = None,
) -> None:
    """Train a network. What the options leave open comes from the spec's 'train' section."""
    load_plugins(plugin)
    gc.enable()
    changes = setting_changes(epochs=epochs, batch=batch, lr=lr, seed=seed) | (
        {} if data is None else {"data": data}
    )
    if resume is not None:
        if any((spec, run, settings, overrides)):
            hint = f"cnncli train --resume {resume}"
            raise usage_error("--resume takes spec, settings and folder from the run", hint=hint)
        outcome = _resume(Path(resume), changes, device)
    elif spec is not None:
        opened = open_spec(spec, overrides=overrides or ())
        chosen = (read_train(settings) if settings is not None else opened.train).replaced(changes)
        outcome = _begin(opened, chosen, device, Path(run) if run is not None else None)
    else:
        raise usage_error("there is nothing to train", expected="a spec, or --resume RUN")
    if outcome.signal is not None:
        raise typer.Exit(128 + outcome.signal)


def _begin(opened: Opened, settings: Train, device: str, folder: Path | None) -> Outcome:
    from cnncli.training.extras import need_training

    need_training()
    from cnncli.language.writer import to_yaml
    from cnncli.network import compile_graph
    from cnncli.training.device import choose_device
    from cnncli.training.loop import seed_weights
    from cnncli.training.runs.run import create_run
    from cnncli.training.session import check_trainable
    from cnncli.training.tasks.objective import check_vectors

    where = choose_device(device)
    check_vectors({name: known_shape(output.shape) for name, output in opened.graph.outputs.items()})
    dataset = _load(settings, opened.graph)
    seed_weights(settings.seed)
    network = compile_graph(opened.graph)
    check_trainable(network, dataset, settings)
    text = to_yaml(opened.document)
    run = create_run(
        folder, name=opened.graph.name, spec=text, settings=settings, dataset=dataset, device=where
    )
    return _train(opened.graph, network, dataset, settings, run, where)


def _resume(folder: Path, changes: dict[str, Any], device: str) -> Outcome:
    from cnncli.training.extras import need_training

    need_training()
    from cnncli.graph import open_text
    from cnncli.network import compile_graph
    from cnncli.training.device import choose_device
    from cnncli.training.loop import seed_weights
    from cnncli.training.runs.run import check_resumable, open_run

    run = open_run(folder)
    settings = run.record.settings.replaced(changes)
    graph = open_text(run.record.spec, name=str(run.spec)).graph
    where = choose_device(device)
    dataset = _load(settings, graph)
    check_resumable(run, spec=run.record.spec, settings=settings, dataset=dataset)
    seed_weights(settings.seed)
    return _train(graph, compile_graph(graph), dataset, settings, run, where)


def _load(settings: Train, graph: Graph) -> Dataset:
    from cnncli.report.pages.train import reading
    from cnncli.training.data.load import load

    with reading(output()) as progress:
        return load(settings.data, known_size(graph), settings.fit, progress)


def _train(graph: Graph, network: Any, dataset: Dataset, settings: Train, run: Run, device: Any) -> Outcome:
    from cnncli.report.pages.train import TrainingView
    from cnncli.report.text.numbers import percent
    from cnncli.training.loop import train

    screen = output()
    _introduce(screen, graph, dataset, settings, run, device)
    with TrainingView(screen) as view:
        outcome = train(network, dataset, settings, run, device=device, observer=view)
    screen.line()
    if outcome.status == "interrupted":
        screen.line(f"interrupted; go on with: cnncli train --resume {run.folder}", "note")
        return outcome
    last = outcome.history[-1]
    screen.line(f"test accuracy {percent(last.test_accuracy)}, loss {last.test_loss:.6f}", "good")
    screen.line(f"measure it again with: cnncli evaluate {run.folder}", "note")
    return outcome


def _introduce(
    screen: Screen, graph: Graph, dataset: Dataset, settings: Train, run: Run, device: Any
) -> None:
    """Say what is about to happen, and every adaptation made to the data."""
    screen.line(f"{printable(graph.name)} on {device}, run folder {run.folder}", "title")
    counts = f"{dataset.train.count:,} images to train on, {dataset.test.count:,} held out"
    fitted = f"{len(dataset.classes)} classes, input {shape_text(graph.input)}"
    screen.line(f"{printable(settings.data)}: {counts}, {fitted}")
    for note in dataset.notes:
        screen.line(f"  {printable(note)}", "note")
    schedule = f"{settings.schedule} schedule" if settings.schedule != "constant" else "constant"
    how = (
        f"{settings.optimizer}, lr {settings.lr:g} ({schedule}), batch {settings.batch}, seed {settings.seed}"
    )
    screen.line(how, "note")
    screen.line()
    screen.flush()
