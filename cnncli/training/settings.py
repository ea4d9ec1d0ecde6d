"""The ``train:`` settings as a run records them, and what may change when it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnncli.spec.sections import Train


def settings_json(settings: Train) -> dict[str, Any]:
    """The settings as JSON values, in the order of their declaration."""
    values = {name: getattr(settings, name) for name in Train.arguments}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def settings_from_json(recorded: Mapping[str, Any]) -> Train:
    """The settings that :func:`settings_json` wrote, and defaults for those that a newer version added.

    Raises:
        ValueError: for a setting that there is not.
    """
    unknown = [name for name in recorded if name not in Train.arguments]
    if unknown:
        raise ValueError(f"unknown settings {', '.join(unknown)}")
    return Train(**recorded)


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
