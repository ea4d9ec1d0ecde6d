"""Time to write every shipped network as ONNX, beside torch.onnx.export, and what both files compute.

    python benchmarks/export.py [NAME ...] [--rounds N] [--peer-rounds N]

A round writes a network with its weights to a file: with cnncli from the graph, and with torch.onnx.export
(dynamo) with a batch, height and width that vary as far as those of cnncli's file do. Rounds are interleaved,
and medians are shown. Then onnxruntime runs both at several accepted sizes, and the greatest difference from
torch is shown, as a share of the largest output. torch needs the package onnxscript, which cnncli does not;
without it only cnncli is measured. Exits with 1 if cnncli is slower, or if a file of cnncli differs by more
than 1e-5.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import torch

import cnncli
from cnncli.algebra import whole_shape
from cnncli.exporting.accepted import accepted
from cnncli.exporting.onnx.model import describe, model_of
from cnncli.exporting.onnx.serializing import content_of
from cnncli.exporting.subject import Subject, random_batch
from cnncli.language import shipped
from cnncli.language.writer import to_yaml
from cnncli.results.transfer import Origin
from cnncli.training.exporting.reference import difference, outputs_of

CLOSE = 1e-5


class Row(NamedTuple):
    """A network: seconds of both, and what came of both files at sizes that the network accepts."""

    name: str
    own: float
    own_difference: float
    peer: float | None
    peer_says: str


def alive(network: torch.nn.Module) -> torch.nn.Module:
    """Give running statistics values that keep signals alive."""
    for name, tensor in network.named_buffers():
        if name.endswith("running_mean"):
            tensor.normal_(std=0.1)
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    return network.eval()


def write_own(subject: Subject, path: Path) -> None:
    """Write what ``cnncli export --raw`` writes."""
    found = accepted(subject.graph, subject.spec)
    written = model_of(subject, found)
    describe(written.model, subject, found)
    path.write_bytes(content_of(written.model, written.weights))


def write_peer(network: torch.nn.Module, shape: tuple[int, ...], varies: Sequence[int], path: Path) -> None:
    """Write what torch makes of a module, with axes that vary."""
    dims = dict.fromkeys((0, *varies), torch.export.Dim.DYNAMIC)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(
            network,
            (torch.randn(2, *shape),),
            path,
            dynamo=True,
            dynamic_shapes=(dims,),
            external_data=False,
            verbose=False,
        )


def seconds(action: Callable[[], None]) -> float:
    """Return how long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def compared(network: torch.nn.Module, path: Path, shapes: Sequence[tuple[int, ...]]) -> tuple[float, str]:
    """Return the greatest difference, and at how many shapes the file runs."""
    session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    worst, ran = 0.0, 0
    for shape in shapes:
        batch = random_batch(shape)
        wanted = outputs_of(network, batch)
        try:
            outputs = session.run(None, {given.name: batch})
        except Exception as error:  # noqa: BLE001 - onnxruntime raises several kinds
            print(f"{path.name} at {shape}: {type(error).__name__}", file=sys.stderr)
            continue
        found = dict(zip(wanted, outputs, strict=True))
        if any(np.shape(found[name]) != np.shape(each) for name, each in wanted.items()):
            continue
        apart = difference(found, wanted)
        if apart < 1e-3:
            ran += 1
            worst = max(worst, apart)
    return worst, f"{ran} of {len(shapes)}"


def measured(name: str, rounds: int, peer_rounds: int, folder: Path) -> Row:
    """Return the row of a network."""
    loaded = cnncli.load(name)
    torch.manual_seed(0)
    network = alive(loaded.module())
    tensors = {each: value.numpy() for each, value in network.state_dict().items()}
    subject = Subject(loaded.graph, to_yaml(loaded._opened.document), tensors, Origin("w", "0", ""))
    shape = whole_shape(loaded.input_shape)
    found = accepted(subject.graph, subject.spec)
    varies = [2 + axis for axis in range(len(shape) - 1)] if len(found.sizes) == len(shape) - 1 else []
    own, peer = folder / "own.onnx", folder / "peer.onnx"
    own_times, peer_times, says = [], [], ""
    for each in range(rounds):
        own_times.append(seconds(lambda: write_own(subject, own)))
        if each < peer_rounds and not says:
            try:
                peer_times.append(seconds(lambda: write_peer(network, shape, varies, peer)))
            except Exception as error:  # noqa: BLE001 - torch raises almost anything
                says = f"fails: {type(error).__name__}"
    shapes = found.batches(shape)
    worst, ran = compared(network, own, shapes)
    if ran != f"{len(shapes)} of {len(shapes)}":
        worst = float("inf")
    if peer_times and not says:
        apart, ran = compared(network, peer, shapes)
        says = f"{ran} sizes" + (f", {apart:.0e}" if ran[0] != "0" else "")
    peer.unlink(missing_ok=True)
    return Row(name, median(own_times), worst, median(peer_times) if peer_times else None, says)


def main() -> int:
    """Print a row for each network, and what missed its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=sorted(shipped.specs()))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-rounds", type=int, default=3)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    peer_rounds = given.peer_rounds if find_spec("onnxscript") else 0
    print("| network | cnncli, s | difference | torch.onnx.export, s | times as long | its file runs at |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.names:
            row = measured(name, given.rounds, peer_rounds, Path(folder))
            rows.append(row)
            peer = "-" if row.peer is None else f"{row.peer:.2f}"
            ratio = "-" if row.peer is None else f"{row.peer / row.own:.0f}"
            cells = (row.name, f"{row.own:.3f}", f"{row.own_difference:.1e}", peer, ratio, row.peer_says)
            print(f"| {' | '.join(cells)} |", flush=True)
    slower = [row.name for row in rows if row.peer is not None and row.peer < row.own]
    others = [row.name for row in rows if row.own_difference > CLOSE]
    print(f"\nslower than torch: {slower or 'none'}; differing by more than {CLOSE:.0e}: {others or 'none'}")
    return bool(slower or others)


if __name__ == "__main__":
    sys.exit(main())
