"""The ``train:`` settings as a run records them, and what may change when it is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cnncli.diagnostics import Faults, Source, SpecError
from cnncli.language.parsing import parse
from cnncli.language.scope import Scope
from cnncli.language.sections import Train
from cnncli.language.tree import Entries


def settings_json(settings: Train) -> dict[str, Any]:
    """The settings as JSON values, in the order of their declaration."""
    values = {name: getattr(settings, name) for name in Train.arguments}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def settings_from_json(recorded: Mapping[str, Any]) -> Train:
    """The settings that :func:`settings_json` wrote, and defaults for those that a newer version added.

    Raises:
        ValueError: for a setting that there is not, or that cannot have its value.
    """
    unknown = [name for name in recorded if name not in Train.arguments]
    if unknown:
        raise ValueError(f"unknown settings {', '.join(unknown)}")
    others = dict(recorded)
    data = others.pop("data", Train.arguments["data"].default)
    if not isinstance(data, str):
        raise ValueError(f"data is {data!r}, which names none")  # noqa: TRY004 - as all that is wrong here
    # Read as a spec's settings are, since JSON is YAML; but a path may hold a $, which no text of a spec may.
    entries = parse(Source("settings", json.dumps(others)), faults := Faults())
    if faults:
        raise SpecError(faults)
    assert isinstance(entries, Entries)
    read = Train.read_entries(entries, Scope())
    return Train(**{name: getattr(read, name) for name in Train.arguments} | {"data": data})


def with_source(settings: Train, source: str) -> Train:
    """The settings with the data named as ``source``, by an absolute path that holds in any folder."""
    return settings_from_json(settings_json(settings) | {"data": source})


def differences(recorded: Train, settings: Train) -> list[str]:
    """What differs in a way that would make a resumed run another one, as ``lr: 0.1, not 0.2``.

    The number of epochs may change (a run may go on for longer), and so may the path of the data: that
    the data is the same is checked by its content.
    """
    before, now = settings_json(recorded), settings_json(settings)
    return [
        f"{name}: {before[name]}, not {value}"
        for name, value in now.items()
        if name not in {"epochs", "data"} and before[name] != value
    ]
