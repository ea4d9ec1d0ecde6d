"""Import networks of torchvision that cnncli does not ship, and compare what they compute.

Run it with an environment that has torchvision and what cnncli[train] needs:

    python -m venv /tmp/peers
    /tmp/peers/bin/pip install torch torchvision safetensors numpy pillow typer rich pyyaml
    PYTHONPATH=. /tmp/peers/bin/python benchmarks/peers/imports.py

Weights and running statistics are drawn at random: nothing is downloaded, and no layer is trivial.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

from cnncli import import_network
from cnncli.diagnostics import CnncliError

TORCHVISION = (
    *("squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "densenet121", "efficientnet_b0"),
    *("regnet_y_400mf", "mnasnet1_0", "resnext50_32x4d", "wide_resnet50_2", "inception_v3"),
    *("shufflenet_v2_x1_0", "convnext_tiny"),
)
FILE = """
import torch
from torch import nn


def make_model():
    torch.manual_seed(0)
    {make}
    for name, tensor in model.state_dict().items():
        if "running_mean" in name:
            tensor.normal_(0, 0.1)
        if "running_var" in name:
            tensor.uniform_(0.5, 1.5)
    return model
"""


def attempt(name: str, make: str) -> str:
    """Return a row of the table: what was imported of a network, or why it was not."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.py"
        file.write_text(dedent(FILE.format(make=make)))
        size = "3x299x299" if name == "inception_v3" else "3x224x224"
        try:
            found = import_network(f"{file}:make_model", Path(folder) / f"{name}.yaml", input=size)
        except CnncliError as error:
            reasons = dict.fromkeys(each.message.rpartition(": ")[2] for each in error.diagnostics)
            return f"| {name} | refused | | | | {'; '.join(reasons)} |"
        lines = len(found.spec.read_text().splitlines())
        if "-v" in sys.argv:
            print(found.spec.read_text())
        return (
            f"| {name} | {found.params:,} | {found.layers} | {lines} | {found.difference:.0e} | "
            f"{len(found.renamed)} renamed{', ' + found.notes[0][:60] if found.notes else ''} |"
        )


def main() -> None:
    """Print the table."""
    print("| network | parameters | layers | lines | difference | |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    wanted = [each for each in sys.argv[1:] if each != "-v"]
    for name in TORCHVISION:
        if not wanted or name in wanted:
            more = (
                ", transform_input=False, aux_logits=False, init_weights=False"
                if name == "inception_v3"
                else ""
            )
            make = f"import torchvision; model = torchvision.models.{name}(weights=None{more})"
            print(attempt(name, make), flush=True)


if __name__ == "__main__":
    main()
