"""A network's weights as a safetensors file, and how a file differs from what a network needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from cnncli.diagnostics import Diagnostic, UsageError, counted, listing, usage_error
from cnncli.layers import shape_text
from cnncli.limits import MAX_TENSORS_NAMED
from cnncli.training.runs.files import DIGEST, METADATA, check_regular, digest, write_tensors
from cnncli.training.runs.values import parse_json


class NotWholeError(UsageError):
    """A file is missing or cannot be read, or its content is not what was written."""


RUN: Final = "run"
"""The key of the id of a run in the metadata of its files."""


def network_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Return the state dict as separate copies on the CPU; tied tensors are stored under each name."""
    return on_cpu(network.state_dict())


def on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return separate copies of tensors, contiguous and on the CPU."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


def save_weights(network: nn.Module, path: Path, *, run: str, epochs: int, batches: int) -> None:
    """Write the state dict atomically, with the id of the run, the whole epochs and further batches."""
    write_tensors(path, network_tensors(network), {RUN: run, "epochs": epochs, "batches": batches})


def load_weights(network: nn.Module, path: Path, run: str | None = None) -> None:
    """Load the weights in ``path`` into a network.

    Raises:
        UsageError: the file is missing, damaged or changed, it is not of the ``run`` with this id, or its
            tensors are not the network's; names all that are missing, unexpected or of another shape. The
            network is not changed.
    """
    tensors, metadata = read_tensors(path)
    if run is not None:
        check_run(path, metadata, run)
    fill(network, tensors, str(path))


def check_run(path: Path, metadata: Mapping[str, Any], run: str) -> None:
    """Check that a file was written by the run in whose folder it is.

    Raises:
        UsageError: it was not.
    """
    if metadata.get(RUN) != run:
        raise usage_error(
            f"{path} is a file of another run",
            expected="the file that this run wrote",
            received="the file of a run with another id",
            hint="put the file back, or start a new run",
        )


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a file that :func:`~.files.write_tensors` wrote, on the CPU, and its metadata.

    Raises:
        NotWholeError: the file is missing, cannot be read or was changed.
        UsageError: it is not a regular file, or not one of a run.
    """
    check_regular(path)
    if not path.exists():
        raise _not_whole(f"no such file: {path}")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            header = file.metadata() or {}
        written, _, text = header.get(METADATA, " {}").partition(" ")
        metadata = parse_json(text)
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise _not_whole(f"cannot read {path}: {error}", expected="a safetensors file") from error
    if not written:
        raise usage_error(
            f"{path} is not a file of a run",
            expected="the file as cnncli train wrote it",
            received="no digest",
        )
    if written != digest(text, tensors) or not isinstance(metadata, dict):
        raise _not_whole(
            f"{path} is damaged: its digest is not that of its content",
            expected="the file as cnncli train wrote it",
            received=f"another content under {DIGEST} {written}",
        )
    return tensors, metadata


def _not_whole(message: str, *, expected: str = "", received: str = "") -> NotWholeError:
    return NotWholeError(Diagnostic("usage", message, expected=expected, received=received))


def fill(network: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Copy ``tensors`` into the state of a network, after checking that they match it and are finite.

    Raises:
        UsageError: names the tensors that do not match, or have values that are not finite; none is copied.
    """
    state = network.state_dict()
    faults = []
    missing = [name for name in state if name not in tensors]
    unexpected = [name for name in tensors if name not in state]
    if missing:
        faults.append(f"{len(missing)} missing: {listing(missing, MAX_TENSORS_NAMED)}")
    if unexpected:
        faults.append(f"{len(unexpected)} unexpected: {listing(unexpected, MAX_TENSORS_NAMED)}")
    reshaped = [
        f"{name} is {_form(tensors[name])} instead of {_form(value)}"
        for name, value in state.items()
        if name in tensors and _form(tensors[name]) != _form(value)
    ]
    if reshaped:
        faults.append(f"{len(reshaped)} of another shape: {listing(reshaped, MAX_TENSORS_NAMED)}")
    if faults:
        raise usage_error(
            f"the weights in {where} are not this network's: {'; '.join(faults)}",
            expected=f"the {len(state)} tensors of the network",
            received=counted(len(tensors), "tensor"),
            hint="was the spec changed since they were saved?",
        )
    unsound = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if unsound:
        raise usage_error(
            f"the weights in {where} are not finite: {listing(unsound, MAX_TENSORS_NAMED)}",
            expected="finite numbers, as cnncli train saves them",
            received=f"infinite values or NaN in {len(unsound)} of {counted(len(tensors), 'tensor')}",
        )
    network.load_state_dict(tensors)


def _form(tensor: Tensor) -> str:
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{shape_text(tuple(tensor.shape))} {kind}" if tensor.ndim else f"a single {kind}"
