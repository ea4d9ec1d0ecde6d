"""Files of weights, first without their numbers: of a run, in safetensors, or a state dict of torch."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cnncli.diagnostics import (
    Diagnostic,
    Proposal,
    UsageError,
    counted,
    did_you_mean,
    listing,
    proposed,
    shortened,
    usage_error,
)
from cnncli.recipe.start import SUFFIXES
from cnncli.results.transfer import Origin
from cnncli.training.procedures.folder import finished_weights, is_pretraining
from cnncli.training.runs.files import METADATA
from cnncli.training.runs.run import open_run
from cnncli.training.runs.weights import check_run, read_tensors
from cnncli.transfer.header import Stored, read_header
from cnncli.transfer.mismatches import as_setting

_SAFE: Final = SUFFIXES[0]


class WeightsFile(NamedTuple):
    """A file of weights: its path, the SHA-256 of its bytes, and its tensors without their numbers.

    ``run`` is the id of the run in whose folder it was found, empty for a file of its own. ``entry`` is the
    key of the state dict among other values that torch saved, empty if there are none.
    """

    path: Path
    sha256: str
    header: Mapping[str, Stored]
    run: str = ""
    entry: str = ""

    @property
    def origin(self) -> Origin:
        """What is recorded of it."""
        return Origin(str(self.path), self.sha256, self.entry)

    def read(self) -> dict[str, Tensor]:
        """Return the tensors, on the CPU.

        Raises:
            UsageError: the file cannot be read, or is a damaged file of a run.
        """
        if self.path.suffix != _SAFE:
            return _state_dict(_loaded(self.path, "cpu"), self.path, self.entry or None)[0]
        try:
            with safe_open(self.path, framework="pt") as file:
                if METADATA not in (file.metadata() or {}):
                    return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        except (SafetensorError, OSError) as error:
            raise usage_error(f"cannot read {self.path}: {error}", expected="a safetensors file") from error
        tensors, metadata = read_tensors(self.path)
        if self.run:
            check_run(self.path, metadata, self.run)
        return tensors


def open_weights(place: str, key: str | None = None) -> WeightsFile:
    """Return the weights of a run, those that ``evaluate`` measures, or those of a file.

    ``key`` chooses one of several state dicts that torch saved together.

    Raises:
        UsageError: there are none, or their file is not one of weights, or has nothing to choose from.
    """
    path = Path(place)
    if key is not None and (path.is_dir() or path.suffix == _SAFE):
        raise _nothing_to_choose(path, key)
    if path.is_dir() and is_pretraining(path):
        path = finished_weights(path)
    if path.is_dir():
        run = open_run(path)
        kept = run.kept(None)
        return WeightsFile(kept, _sha256(kept), read_header(kept), run.record.id)
    if path.suffix not in SUFFIXES or not path.is_file():
        received = "no such file or folder" if not path.exists() else "another file"
        expected = f"the folder of a run, or a file that ends with {listing(SUFFIXES, last=' or ')}"
        raise usage_error(f"{place} has no weights to read", expected=expected, received=received)
    if path.suffix == _SAFE:
        return WeightsFile(path, _sha256(path), read_header(path))
    tensors, entry = _state_dict(_loaded(path, "meta"), path, key)
    header = {
        name: Stored(tuple(each.shape), str(each.dtype).removeprefix("torch."))
        for name, each in tensors.items()
    }
    return WeightsFile(path, _sha256(path), header, entry=entry)


def _loaded(path: Path, device: str) -> Any:
    """Return what torch saved: tensors and plain values, and nothing that would run code.

    Raises:
        UsageError: it is not such a file, or has other values.
    """
    try:
        return torch.load(path, map_location=device, weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # torch raises almost anything for a file of another kind
        raise usage_error(
            f"cannot read {path}: {shortened(str(error).partition(chr(10))[0])}",
            expected="a state dict as torch.save writes it: names and tensors, no other objects",
            hint="torch.save(model.state_dict(), path) writes one; a .safetensors file is read too",
        ) from error


def _state_dict(value: Any, path: Path, key: str | None) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a state dict, and its key among other values; that is empty if it is alone.

    Raises:
        UsageError: it is not one, or there are several and no ``key``, or none with this key.
    """
    if _is_state_dict(value):
        if key is not None:
            raise _nothing_to_choose(path, key)
        return dict(value), ""
    inner = _state_dicts(value)
    if key is not None and key in inner:
        return inner[key], key
    if key is None and len(inner) == 1:
        ((only, tensors),) = inner.items()
        return tensors, only
    if key is not None and inner:
        raise usage_error(
            f"{path} has no state dict called '{key}'",
            expected=listing([*inner], last=" or "),
            received=key,
            hint=did_you_mean(key, inner, "state dicts"),
        )
    if inner:
        raise _to_choose(path, [*inner])
    raise usage_error(
        f"{path} is not a state dict",
        expected="names and tensors, or a mapping with a state dict in it",
        received=f"a {type(value).__name__}",
        hint="torch.save(model.state_dict(), path) writes one",
    )


def _to_choose(path: Path, keys: Sequence[str]) -> UsageError:
    one = Proposal("to begin a training with one of them", ("train", "start", "key"), keys[0])
    fault = Diagnostic(
        "usage",
        f"{path} has {counted(len(keys), 'state dict')}",
        expected="the name of one of them",
        received=listing(keys),
        hint=proposed((one,), as_setting),
        proposals=(one,),
    )
    return UsageError((fault,))


def _state_dicts(value: Any) -> dict[str, dict[str, Tensor]]:
    """Return the state dicts among values that torch saved together, by their keys."""
    if not isinstance(value, Mapping):
        return {}
    return {str(key): dict(each) for key, each in value.items() if _is_state_dict(each)}


def _nothing_to_choose(path: Path, key: str) -> UsageError:
    return usage_error(
        f"{path} has one set of weights, so there is nothing to choose",
        expected="no train.start.key",
        received=key,
    )


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(key, str) and isinstance(each, Tensor) for key, each in value.items())
    )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise usage_error(f"cannot read {path}: {error.strerror}", expected="a file of weights") from error
