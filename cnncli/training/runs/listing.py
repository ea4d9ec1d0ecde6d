"""Reading runs to list and to compare them: their records and figures, without torch and without weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnncli.diagnostics import CnncliError, Faults, Source, usage_error
from cnncli.language.parsing import parse
from cnncli.language.tree import Entries, Items, Scalar, Value
from cnncli.limits import MAX_RUNS
from cnncli.recipe.recipe import Recipe
from cnncli.results.runs import Compared, Damaged, Runs, RunSummary
from cnncli.training.runs.differences import differing
from cnncli.training.runs.files import check_regular
from cnncli.training.runs.history import read_history
from cnncli.training.runs.names import METRICS, RECORD, SPEC
from cnncli.training.runs.record import read_record


def runs_in(folder: Path) -> Runs:
    """Return the runs in a folder, in the order in which they began; a run itself is a list of one.

    Raises:
        UsageError: there is no such folder, or it has too many runs.
    """
    if not folder.is_dir():
        raise usage_error(f"no such folder: {folder}", expected="a folder with runs, or a run")
    try:
        found = [folder] if _has_record(folder) else sorted(filter(_has_record, folder.iterdir()))
    except OSError as error:
        raise usage_error(f"cannot read {folder}: {error.strerror}") from error
    if len(found) > MAX_RUNS:
        expected, received = f"at most {MAX_RUNS:,}", f"{len(found):,}"
        raise usage_error(f"{folder} has too many runs", expected=expected, received=received)
    runs, damaged = [], []
    for each in found:
        try:
            runs.append(read_run(each))
        except CnncliError as error:
            damaged.append(Damaged(each, error.diagnostics[0].message))
    return Runs(tuple(sorted(runs, key=lambda run: run.created)), tuple(damaged))


def compare(folders: Sequence[Path]) -> Compared:
    """Compare runs.

    Raises:
        UsageError: one of the folders is not a run, or is damaged.
    """
    runs = tuple(map(read_run, folders))
    specs = [_plain_spec(each) for each in runs]
    first = runs[0]
    changed = any(
        each.fingerprint != first.fingerprint and each.settings["data"] == first.settings["data"]
        for each in runs
    )
    return Compared(runs, dict(differing([each.settings for each in runs])), dict(differing(specs)), changed)


def read_run(folder: Path) -> RunSummary:
    """Read the record and the figures of a run.

    Raises:
        UsageError: it is not a run, or is damaged.
    """
    record_path, metrics = folder / RECORD, folder / METRICS
    if not _has_record(folder):
        received = "a folder without run.json" if folder.is_dir() else "no such folder"
        expected = "a folder that cnncli train created"
        raise usage_error(f"{folder} is not a run", expected=expected, received=received)
    check_regular(metrics)
    record, history = read_record(record_path), read_history(metrics)
    if record.status == "finished" and not history:
        raise usage_error(f"{metrics} has no epochs of a finished run", expected="a line for each")
    written = [path.stat().st_mtime for path in (record_path, metrics) if path.exists()]
    return RunSummary(
        folder=folder,
        name=record.name,
        status=record.status,
        created=record.created,
        changed=max(written),
        data=record.data.source,
        fingerprint=record.data.fingerprint,
        epochs=record.settings.epochs,
        history=history,
        outcome=record.outcome,
        revision=record.revision,
        settings=record.settings.plain(),
        spec=record.spec,
    )


def _has_record(folder: Path) -> bool:
    """Return whether something has the name of a record, which reading it may find to be something else."""
    try:
        (folder / RECORD).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # a folder that may not be entered
        return True
    return True


def _plain_spec(run: RunSummary) -> dict[str, Any]:
    """Return the spec of a run without its recipe, as JSON values.

    Raises:
        SpecError: it is not YAML.
    """
    found = _plain(parse(Source(str(run.folder / SPEC), run.spec), Faults()))
    if not isinstance(found, dict):
        return {}
    own = {key: value for key, value in found.items() if key not in (Recipe.keyword, "name")}
    return own | {"git revision": None if run.revision is None else str(run.revision)}


def _plain(value: Value) -> Any:
    if isinstance(value, Entries):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, Items):
        return [_plain(each) for each in value]
    assert isinstance(value, Scalar)
    return None if value.is_null else value.text
