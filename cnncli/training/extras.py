"""Which ``pip install`` provides a package that a command needs; imports none of them itself."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from cnncli.diagnostics import listing, usage_error

TRAINING_PACKAGES: Final = {
    "torch": "torch",
    "numpy": "numpy",
    "safetensors": "safetensors",
    "PIL": "pillow",
}
"""The packages of the extra [train]: name for import -> name for installation."""


def need_training() -> None:
    """Check that the packages of the extra ``[train]`` are installed.

    Raises:
        UsageError: names the missing packages and the command that installs them.
    """
    need(*TRAINING_PACKAGES, purpose="training and evaluating")


def need(*packages: str, purpose: str, command: str = "pip install 'cnncli[train]'") -> None:
    """Check that ``packages`` (names for import) are installed, without importing them.

    Raises:
        UsageError: names the missing ones and the ``command`` that installs them.
    """
    missing = [TRAINING_PACKAGES.get(package, package) for package in packages if find_spec(package) is None]
    if missing:
        raise usage_error(
            f"{purpose} needs {listing(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed",
            hint=command,
        )
