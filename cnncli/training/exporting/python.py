"""One Python file that needs torch alone, with its weights beside it; it is run before it gets its name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from safetensors.numpy import save

from cnncli.algebra import whole_shape
from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.exporting.accepted import accepted
from cnncli.exporting.python import python_source
from cnncli.exporting.subject import SAFETENSORS, Array, Subject, random_batch
from cnncli.results.export import Compared, Exported
from cnncli.training.exporting.reference import Reference
from cnncli.training.exporting.settings import Settings
from cnncli.training.new_files import check_new, write_new

CLOSE: Final = 1e-5
"""A difference, in shares of the largest value of an output, that is one of rounding."""

_BATCHES: Final = (1, 3)

_RUN: Final = """
import importlib.util, pathlib, sys, torch
folder = pathlib.Path(sys.argv[1])
found = importlib.util.spec_from_file_location("network", folder / "network.py")
module = importlib.util.module_from_spec(found)
found.loader.exec_module(module)
network, given = module.load(), module.read_tensors(folder / "given.safetensors")
for name, batch in given.items():
    with torch.inference_mode():
        outputs = network(batch)
    named = outputs if isinstance(outputs, dict) else {"output": outputs}
    for key, each in named.items():
        each.contiguous().numpy().tofile(folder / f"{name}.{key}.out")
"""
"""The program that runs an exported file in a process without cnncli."""


def write(subject: Subject, path: Path, settings: Settings) -> Exported:
    """Write the network as a module of PyTorch, and its weights as a safetensors file of the same name.

    Raises:
        CnncliError: a kind of a plug-in, the file computes something else, or one of them cannot be written.
    """
    beside = path.with_suffix(SAFETENSORS)
    check_new(beside, (SAFETENSORS,))
    text, weights = python_source(subject.graph).encode(), save(dict(subject.tensors))
    compared = tuple(_compared(subject, text, weights))
    write_new(beside, weights)
    write_new(path, text)
    return Exported(
        name=subject.name,
        format="python",
        file=path,
        size=len(text),
        weights=subject.origin,
        tensors=len(subject.tensors),
        sizes=accepted(subject.graph, subject.spec).sizes,
        compared=compared,
        notes=(f"weights beside it: {beside}",),
    )


def _compared(subject: Subject, text: bytes, weights: bytes) -> Iterator[Compared]:
    """Yield how different the file's outputs are from the network's.

    Raises:
        CnncliError: it does not run, or computes something else.
    """
    shape = whole_shape(subject.graph.input)
    batches = {f"batch{size}": random_batch((size, *shape)) for size in _BATCHES}
    reference = Reference(subject)
    wanted = {name: reference.outputs(batch) for name, batch in batches.items()}
    found = _run(text, weights, batches, wanted)
    for name, batch in batches.items():
        apart = reference.difference(batch, found[name])
        if apart > CLOSE and not reference.is_rounding(batch, found[name]):
            raise _fault(subject, f"outputs that differ by {apart:.1e} of the largest")
        yield Compared(batch.shape, apart)


def _run(
    text: bytes, weights: bytes, batches: dict[str, Array], wanted: dict[str, dict[str, Array]]
) -> dict[str, dict[str, Array]]:
    """Return the outputs that a file computes in a process of its own."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "network.py").write_bytes(text)
        (folder / "network.safetensors").write_bytes(weights)
        (folder / "given.safetensors").write_bytes(save(batches))
        command = [sys.executable, "-I", "-c", _RUN, name]
        # What runs is the text that was written here, by the Python that runs this.
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise CnncliError(Diagnostic("export", f"the exported file does not run: {reason}"))
        return {
            batch: {
                key: np.fromfile(folder / f"{batch}.{key}.out", np.float32).reshape(each.shape)
                for key, each in outputs.items()
            }
            for batch, outputs in wanted.items()
        }


def _fault(subject: Subject, received: str) -> CnncliError:
    message = f"{subject.name}: the file computes something else than the network, so it was not written"
    hint = "please report this with the spec: it is a fault of cnncli"
    return CnncliError(Diagnostic("export", message, None, "the outputs of the network", received, hint))
