"""Kinds of layers, and the plug-ins that add some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cnncli import arguments
from cnncli.diagnostics import Diagnostic
from cnncli.layers import KINDS, Kind
from cnncli.layers.plugins import load_file, load_installed


def kinds() -> Mapping[str, type[Kind[Any]]]:
    """Return the kinds of layers by name, those of loaded plug-ins included."""
    return dict(KINDS)


def load_plugins(files: str | Path | Iterable[str | Path]) -> None:
    """Run Python files that add kinds of layers.

    Raises:
        UsageError: a file cannot be read, or running it fails.
    """
    for file in arguments.words("plugins", files):
        load_file(file)


def load_installed_plugins() -> tuple[Diagnostic, ...]:
    """Import the kinds of layers that installed packages add; return a warning if some are skipped.

    A spec with an unknown kind does so by itself. Plug-ins in the working folder are skipped.

    Raises:
        UsageError: one of them cannot be imported.
    """
    return load_installed().notes
