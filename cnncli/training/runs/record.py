"""``run.json``: what a run was started with, the normalization of its data, and its status."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from cnncli.diagnostics import CnncliError, usage_error
from cnncli.graph.transforms import wrong_transforms
from cnncli.limits import MAX_ENVIRONMENTS, MAX_RECORD_BYTES
from cnncli.recipe.columns import FORMS, PICTURE, Column, class_names
from cnncli.recipe.recipe import Recipe, recipe_from_json
from cnncli.results.runs import Revision
from cnncli.results.training import Outcome
from cnncli.results.transfer import Origin
from cnncli.training.data.recorded import WHOLE_RANGE, Levels, Normalization
from cnncli.training.runs.environment import Environment, current_environment, read_environment
from cnncli.training.runs.files import DIGEST, read_bytes
from cnncli.training.runs.revision import read_revision
from cnncli.training.runs.values import (
    DamagedError,
    figures,
    is_figure,
    members,
    number,
    parse_json,
    several,
    text,
    whole,
)

if TYPE_CHECKING:
    import torch

    from cnncli.training.data.dataset import Dataset

SCHEMA: Final = "cnncli.run/4"

_SMALLEST_DEVIATION: Final = 1e-30
_LARGEST_MEAN: Final = 1e30
"""Images have values from 0 to 1; with these bounds a normalized one is a finite 32-bit number."""

Status = Literal["running", "interrupted", "diverged", "finished"]


@dataclass(frozen=True, slots=True)
class DataRecord:
    """The data of a run: its source, what was done to it, a fingerprint, and the levels of 16-bit images."""

    source: str
    input: tuple[int, ...]
    columns: Mapping[str, Column]
    train_images: int
    val_images: int
    test_images: int
    notes: tuple[str, ...]
    fingerprint: str
    levels: Levels | None

    def as_json(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return asdict(self) | {"columns": {name: each._asdict() for name, each in self.columns.items()}}

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes of the column ``label``; none without one."""
        return class_names(self.columns)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The content of ``run.json``.

    ``id`` is in all files that follow from it, so that those of another run are recognized. ``spec`` is the
    text of the resolved spec, as in ``spec.yaml``, so this file, which is written first and
    atomically, suffices to resume. ``status`` remains "running" after a crash; ``outcome`` is None unless it
    is "finished". ``environments`` has where the run was started, and where it was resumed if that was
    different; ``revision`` is that of the spec when the run was created. ``start`` is the file that the first
    weights were read from, None for random ones.
    """

    id: str
    name: str
    status: Status
    outcome: Outcome | None
    environments: tuple[Environment, ...]
    revision: Revision | None
    start: Origin | None
    settings: Recipe
    data: DataRecord
    normalization: Normalization
    spec: str
    created: str

    def as_json(self) -> dict[str, Any]:
        """Return the record as JSON values, with the schema first and the digest of all others last."""
        values = {
            "environments": [asdict(each) for each in self.environments],
            "revision": None if self.revision is None else self.revision._asdict(),
            "start": None if self.start is None else self.start._asdict(),
            "settings": self.settings.plain(),
            "data": self.data.as_json(),
            "outcome": None if self.outcome is None else asdict(self.outcome),
            "normalization": asdict(self.normalization),
        }
        record = {each.name: values.get(each.name, getattr(self, each.name)) for each in fields(self)}
        return sealed({"schema": SCHEMA} | record)

    def computed_in(self, now: Environment) -> tuple[Environment, ...]:
        """Return the environments of the run if it continues in this one."""
        return self.environments if self.environments[-1] == now else (*self.environments, now)


def new_record(
    name: str,
    spec: str,
    settings: Recipe,
    dataset: Dataset,
    device: torch.device,
    revision: Revision | None = None,
    start: Origin | None = None,
) -> RunRecord:
    """Return the record of a run that is about to start."""
    return RunRecord(
        id=secrets.token_hex(8),
        name=name,
        status="running",
        outcome=None,
        environments=(current_environment(device),),
        revision=revision,
        start=start,
        settings=settings.replaced({"data": settings.data.of(dataset.name)}),
        data=DataRecord(
            source=dataset.name,
            input=dataset.input_shape,
            columns=dataset.columns,
            train_images=dataset.train.count,
            val_images=dataset.val_count,
            test_images=dataset.test.count,
            notes=dataset.notes,
            fingerprint=dataset.fingerprint(),
            levels=dataset.levels,
        ),
        normalization=dataset.normalized(),
        spec=spec,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """Return JSON values together with their digest, in place of the one that they have."""
    bare = {key: each for key, each in value.items() if key != DIGEST}
    return bare | {
        DIGEST: hashlib.sha256(json.dumps(bare, sort_keys=True, allow_nan=False).encode()).hexdigest()
    }


def read_record(path: Path) -> RunRecord:
    """Read ``run.json``.

    Raises:
        UsageError: the file is missing, damaged, changed or from another version of the format.
    """
    content = read_bytes(path, MAX_RECORD_BYTES)
    try:
        value = parse_json(content.decode())
    except (ValueError, RecursionError) as error:
        raise usage_error(
            f"cannot read {path}: {error}", expected="a folder that cnncli train created"
        ) from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise usage_error(f"{path} does not describe a run", expected=f'"schema": "{SCHEMA}"')
    try:
        if value != sealed(value):
            raise DamagedError("its digest is not that of its content")
        return _parse(value)
    except (DamagedError, CnncliError) as error:
        why = error.diagnostics[0].message if isinstance(error, CnncliError) else error
        raise usage_error(
            f"{path} is damaged: {why}",
            expected=f"a complete {SCHEMA}, as cnncli train wrote it",
            hint="a run's settings cannot be changed: start a new run",
        ) from error


def _parse(value: dict[str, Any]) -> RunRecord:
    names = [each.name for each in fields(RunRecord)]
    members(value, "the run", ("schema", *names, DIGEST))
    if value["status"] not in get_args(Status):
        raise DamagedError(f"status {value['status']!r}")
    environments = several(value["environments"], "environments", read_environment)
    if not 1 <= len(environments) <= MAX_ENVIRONMENTS:
        raise DamagedError(f"environments has {len(environments)} items")
    settings = value["settings"]
    if not isinstance(settings, dict):
        raise DamagedError("settings is not a mapping")
    data = _data(value["data"])
    recipe = recipe_from_json(settings)
    for transforms in (recipe.transforms, recipe.corrupt):
        for _, fault in wrong_transforms(transforms, data.input):
            raise DamagedError(fault.message)
    return RunRecord(
        id=text(value["id"], "id"),
        name=text(value["name"], "name"),
        status=value["status"],
        outcome=None if value["outcome"] is None else _outcome(value["outcome"]),
        environments=environments,
        revision=read_revision(value["revision"], "revision"),
        start=None if value["start"] is None else _origin(value["start"]),
        settings=recipe,
        data=data,
        normalization=read_normalization(value["normalization"], data.input),
        spec=text(value["spec"], "spec"),
        created=_moment(value["created"]),
    )


def _outcome(value: Any) -> Outcome:
    found = members(value, "outcome", Outcome.__slots__)
    return Outcome(
        epoch=whole(found["epoch"], "outcome.epoch", 1),
        chosen_by=_figure_name(found["chosen_by"]),
        reason=text(found["reason"], "outcome.reason"),
        figures=figures(found["figures"], "outcome.figures"),
        overfitting=text(found["overfitting"], "outcome.overfitting"),
    )


def _origin(value: Any) -> Origin:
    found = members(value, "start", Origin._fields)
    return Origin(
        text(found["file"], "start.file"),
        text(found["sha256"], "start.sha256"),
        text(found["entry"], "start.entry"),
    )


def _figure_name(value: Any) -> str:
    name = text(value, "outcome.chosen_by")
    if name and not is_figure(name):
        raise DamagedError(f"outcome.chosen_by is {name!r}")
    return name


def _data(value: Any) -> DataRecord:
    found = members(value, "data", DataRecord.__slots__)
    data = DataRecord(
        source=text(found["source"], "data.source"),
        input=several(found["input"], "data.input", partial(whole, least=1)),
        columns=read_columns(found["columns"], "data.columns"),
        train_images=whole(found["train_images"], "data.train_images", 1),
        val_images=whole(found["val_images"], "data.val_images"),
        test_images=whole(found["test_images"], "data.test_images", 1),
        notes=several(found["notes"], "data.notes", text),
        fingerprint=text(found["fingerprint"], "data.fingerprint"),
        levels=None if found["levels"] is None else read_levels(found["levels"], "data.levels"),
    )
    if not data.input:
        raise DamagedError("data.input is empty")
    return data


def read_columns(value: Any, name: str) -> dict[str, Column]:
    """Return the columns of a data set."""
    if not isinstance(value, dict):
        raise DamagedError(f"{name} is not a mapping")
    return {key: _column(each, f"{name}.{key}") for key, each in value.items()}


def _column(value: Any, name: str) -> Column:
    found = members(value, name, Column._fields)
    form = text(found["form"], f"{name}.form")
    if form not in FORMS:
        raise DamagedError(f"{name}.form is {form!r}")
    names = several(found["names"], f"{name}.names", text)
    shape = several(found["shape"], f"{name}.shape", partial(whole, least=1))
    # A picture has a shape and nothing that has a name; all others are the other way around.
    if bool(names) == (form == PICTURE):
        raise DamagedError(f"{name} has {'names' if names else 'no names'}")
    if bool(shape) != (form == PICTURE):
        raise DamagedError(f"{name} has {'a shape' if shape else 'no shape'}")
    return Column(form, names, shape)


def read_levels(value: Any, name: str) -> Levels:
    """Return the levels of 16-bit images."""
    levels = several(value, name, whole)
    if len(levels) != 2 or not WHOLE_RANGE.black <= levels[0] <= levels[1] <= WHOLE_RANGE.white:
        raise DamagedError(f"{name} is not a range of 16-bit values")
    return Levels(*levels)


def read_normalization(value: Any, input_shape: tuple[int, ...]) -> Normalization:
    """Return mean and deviation for each channel of the input (a single one of each for a vector)."""
    found = members(value, "normalization", Normalization.__slots__)
    mean = several(
        found["mean"], "mean", lambda each, name: number(each, name, -_LARGEST_MEAN, _LARGEST_MEAN)
    )
    std = several(
        found["std"], "std", lambda each, name: number(each, name, _SMALLEST_DEVIATION, _LARGEST_MEAN)
    )
    channels = input_shape[0] if len(input_shape) > 1 else 1
    if len(mean) != channels or len(std) != channels:
        raise DamagedError(f"normalization must have {channels} means and deviations")
    return Normalization(mean, std)


def _moment(value: Any) -> str:
    try:
        datetime.fromisoformat(text(value, "created"))
    except ValueError as error:
        raise DamagedError("created is not a time") from error
    return text(value, "created")
