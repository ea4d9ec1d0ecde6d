"""``run.json``: what a run was started with, the normalization of its data, and its status."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import torch

import cnncli
from cnncli.diagnostics import CnncliError, usage_error
from cnncli.recipe.train import Train, settings_from_json, settings_json
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.normalization import Normalization, measure

SCHEMA = "cnncli.run/1"

Status = Literal["running", "interrupted", "diverged", "finished"]


@dataclass(frozen=True, slots=True)
class DataRecord:
    """The data of a run: its source, what was done to it, and a fingerprint of the result."""

    source: str
    input: tuple[int, ...]
    classes: tuple[str, ...]
    train_images: int
    test_images: int
    notes: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The content of ``run.json``.

    ``spec`` is the text of the resolved spec, as in ``spec.yaml``, so this file, which is written first and
    atomically, suffices to resume. ``status`` remains "running" after a crash.
    """

    name: str
    status: Status
    device: str
    settings: Train
    data: DataRecord
    normalization: Normalization
    spec: str
    created: str
    versions: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the record as JSON values, with the schema first."""
        values = {
            "settings": settings_json(self.settings),
            "data": asdict(self.data),
            "normalization": asdict(self.normalization),
        }
        return {"schema": SCHEMA} | {
            each.name: values.get(each.name, getattr(self, each.name)) for each in fields(self)
        }


def new_record(name: str, spec: str, settings: Train, dataset: Dataset, device: torch.device) -> RunRecord:
    """Return the record of a run that is about to start."""
    return RunRecord(
        name=name,
        status="running",
        device=str(device),
        settings=settings.replaced({"data": dataset.name}),
        data=DataRecord(
            source=dataset.name,
            input=dataset.input_shape,
            classes=dataset.classes,
            train_images=dataset.train.count,
            test_images=dataset.test.count,
            notes=dataset.notes,
            fingerprint=dataset.fingerprint(),
        ),
        normalization=measure(dataset.train.images),
        spec=spec,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=current_versions(),
    )


def current_versions() -> dict[str, str]:
    """Return the versions that results may depend on."""
    return {"cnncli": cnncli.__version__, "torch": torch.__version__, "python": platform.python_version()}


def read_record(path: Path) -> RunRecord:
    """Read ``run.json``.

    Raises:
        UsageError: the file is missing, damaged or from another version of the format.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise usage_error(
            f"cannot read {path}: {error}", expected="a folder that cnncli train created"
        ) from error
    if not isinstance(value, dict) or value.pop("schema", None) != SCHEMA:
        raise usage_error(f"{path} does not describe a run", expected=f'"schema": "{SCHEMA}"')
    try:
        return _parse(value)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        why = error.diagnostics[0].message if isinstance(error, CnncliError) else error
        raise usage_error(f"{path} is damaged: {why}", expected=f"a complete {SCHEMA}") from error


def _parse(value: dict[str, Any]) -> RunRecord:
    if value["status"] not in get_args(Status):
        raise ValueError(f"status {value['status']!r}")
    for name in ("spec", "name", "device", "created"):
        if not isinstance(value[name], str):
            raise TypeError(f"{name} is not a string")
    data = _data(value["data"])
    parsed: dict[str, Any] = {
        "settings": settings_from_json(_mapping(value["settings"], "settings")),
        "data": data,
        "normalization": _normalization(value["normalization"], data.input),
    }
    return RunRecord(**(value | parsed))


def _data(value: Any) -> DataRecord:
    parsed: dict[str, Any] = {
        key: tuple(each) if isinstance(each, list) else each for key, each in _mapping(value, "data").items()
    }
    data = DataRecord(**parsed)
    texts = (data.source, data.fingerprint, *_several(data.classes), *_several(data.notes))
    if not all(isinstance(each, str) for each in texts):
        raise TypeError("source, classes, notes and fingerprint must be strings")
    numbers = (data.train_images, data.test_images, *_several(data.input))
    if not data.input or not all(type(each) is int and each > 0 for each in numbers):
        raise TypeError("input, train_images and test_images must be whole numbers above 0")
    return data


def _normalization(value: Any, input_shape: tuple[int, ...]) -> Normalization:
    """Return mean and deviation for each channel of the input (a single one of each for a vector)."""
    mean, std = (tuple(map(float, value[name])) for name in ("mean", "std"))
    channels = input_shape[0] if len(input_shape) > 1 else 1
    if len(mean) != channels or len(std) != channels:
        raise ValueError(f"normalization must have {channels} means and deviations")
    if not all(map(math.isfinite, (*mean, *std))) or min(std) <= 0:
        raise ValueError("normalization needs finite means and deviations above 0")
    return Normalization(mean, std)


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} is not a mapping")
    return value


def _several(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise TypeError(f"{value!r} is not a list")
    return value
