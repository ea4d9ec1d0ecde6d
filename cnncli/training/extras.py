"""Saying which ``pip install`` gives a package that a command needs; imports nothing heavy itself."""

from __future__ import annotations

from importlib.util import find_spec

from cnncli.diagnostics import listing, usage_error

# Package as it is imported -> as it is installed; all that the extra [train] brings for training.
TRAINING_PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "safetensors": "safetensors",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
}


def need_training() -> None:
    """Check that all of the extra ``[train]`` is installed, before a module that imports it is.

    Raises:
        UsageError: naming the packages that are missing and the command that installs them.
    """
    need(*TRAINING_PACKAGES, purpose="training and evaluating")


def need(*packages: str, purpose: str) -> None:
    """Check that ``packages`` (as they are imported) can be found; finding them imports nothing.

    Raises:
        UsageError: naming those that are missing and the command that installs them.
    """
    missing = [TRAINING_PACKAGES.get(package, package) for package in packages if find_spec(package) is None]
    if missing:
        raise usage_error(
            f"{purpose} needs {listing(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed",
            hint="pip install 'cnncli[train]'",
        )
