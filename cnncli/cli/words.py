"""Words of a command line that came from a file name, and what CI has to permit.

A shell replaces ``*`` by file names, and whoever chose a name can begin it with dashes: ``check *.yaml``
would take a file ``--budget=evil.yaml`` for an option, and ``--plugin=evil.py`` would run it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import takewhile
from typing import Final

from cnncli.diagnostics import usage_error

ALLOW_PLUGINS: Final = "CNNCLI_ALLOW_PLUGINS"
"""The environment variable that permits plug-ins in CI."""
_NO: Final = ("", "0", "false")


def refuse_file_names(arguments: Iterable[str]) -> None:
    """Refuse an option that is also the name of a file here; the words after ``--`` are not checked.

    Raises:
        UsageError: one is.
    """
    for word in takewhile(lambda each: each != "--", arguments):
        if word.startswith("-") and os.path.lexists(word):
            raise usage_error(
                f"'{word}' is an option, but also the name of a file here",
                expected="an option with no file of its name: a pattern such as *.yaml may have added it",
                hint=f"for the file, write '--' before the specs, or './{word}'; or name its folder",
            )


def permit_plugins(files: object) -> None:
    """Check that plug-ins may run: in CI only with :data:`ALLOW_PLUGINS`.

    Raises:
        UsageError: they may not.
    """
    if files and _is_set("CI") and not _is_set(ALLOW_PLUGINS):
        raise usage_error(
            "plug-ins are not loaded in CI, where the variable CI is set",
            expected=f"{ALLOW_PLUGINS}=1 in the environment, if nobody else can choose the file or change it",
        )


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() not in _NO
