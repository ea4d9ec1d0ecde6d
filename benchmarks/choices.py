"""Measure choices in ARCHITECTURE.md.

They are: own columns, YAML events, zeros in a convolution with a table, no cycle collection in analysis
commands, no teardown at the end of the program.

    python benchmarks/choices.py

Medians of interleaved rounds: ten thousand rows, a spec of ten thousand layers, C3 of LeNet-5 on a batch of
64, forward and backward, and whole processes of ``cnncli inspect``. What is timed inside this process runs
without cycle collection, as in the commands.
"""

from __future__ import annotations

import gc
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table as RichTable

from cnncli.diagnostics import Faults, Source
from cnncli.language.parsing import parse
from cnncli.report.text.columns import Column, Table, render

ROWS = 10_000
ROUNDS = 5
CELLS = [["conv1", "conv", "64x224x224", "1,792", "86,704,128", "3,211,264"] for _ in range(ROWS)]
SPEC = "input: [3, 32, 32]\nlayers:\n" + "  - conv: {channels: 8, kernel: 3, padding: same}\n" * ROWS

INSPECT = "from cnncli.cli import program; program()"
COLLECTING = f"import gc; gc.disable = gc.enable; {INSPECT}"
TORN_DOWN = "from cnncli.cli import main; main()"


def rich_table() -> None:
    """Draw a table with rich."""
    table = RichTable(box=None)
    for number in range(6):
        table.add_column(str(number), justify="right" if number > 2 else "left")
    for row in CELLS:
        table.add_row(*row)
    Console(file=io.StringIO(), width=100, force_terminal=True).print(table)


def own_columns() -> None:
    """Draw the same table with cnncli.report.text.columns."""
    cells = zip(*CELLS, strict=True)
    columns = tuple(Column(str(number), column, right=number > 2) for number, column in enumerate(cells))
    "\n".join(line.text for line in render(Table(columns), 100))


def yaml_nodes() -> None:
    """Compose PyYAML's nodes, which would still have to be converted to located values."""
    yaml.compose(SPEC, Loader=yaml.CSafeLoader)


def yaml_events() -> None:
    """Build located values from the parser's events."""
    parse(Source("long.yaml", SPEC), Faults())


def table_convolutions() -> dict[str, Callable[[], None]]:
    """Return C3 of LeNet-5 as it is built, and as a sum of one convolution for each connection."""
    import torch

    from cnncli.graph import open_spec
    from cnncli.network import build_network

    graph = open_spec("lenet5_1998").graph
    layer: Any = next(node.layer for node in graph.nodes if node.name == "C3")
    module = build_network(graph).get_submodule("C3")
    x = torch.randn(64, 6, 14, 14, requires_grad=True)
    copies = [channel for row in layer.table for channel in row]
    counts = [len(row) for row in layer.table]

    def with_zeros() -> None:
        module(x).sum().backward()

    def one_by_one() -> None:
        kernels = module.get_parameter("weight").unsqueeze(1)
        each = torch.nn.functional.conv2d(x[:, copies], kernels, groups=len(copies))
        torch.stack([part.sum(1) for part in each.split(counts, 1)], 1).sum().backward()

    return {"table, with its zeros": with_zeros, "table, without": one_by_one}


def inspecting(code: str, spec: str) -> Callable[[], None]:
    """Return a process that inspects a spec: this code, which reads the arguments of the command line."""
    command = [sys.executable, "-c", code, "inspect", spec]

    def process() -> None:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    return process


def main() -> None:
    """Measure and print."""
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.yaml"
        path.write_text(SPEC, encoding="utf-8")
        measure(str(path))


def measure(long_spec: str) -> None:
    """Measure all choices and print medians; ``long_spec`` is the path of a file with :data:`SPEC`."""
    processes = {
        f"inspect, {ROWS:,} layers": inspecting(INSPECT, long_spec),
        f"inspect, {ROWS:,} layers, with cycle collection": inspecting(COLLECTING, long_spec),
        "inspect lenet5": inspecting(INSPECT, "lenet5"),
        "inspect lenet5, with teardown": inspecting(TORN_DOWN, "lenet5"),
    }
    contenders = (
        processes
        | {
            f"rich.table, {ROWS:,} rows": rich_table,
            f"report.text.columns, {ROWS:,} rows": own_columns,
            f"yaml.compose, {ROWS:,} layers": yaml_nodes,
            f"language.parsing, {ROWS:,} layers": yaml_events,
        }
        | table_convolutions()
    )
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, work in contenders.items():
            seconds[name].append(timed(work))
    for name, measured in seconds.items():
        print(f"{statistics.median(measured):7.4f} s  {name}")


def timed(work: Callable[[], None]) -> float:
    """Return the seconds that a call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
