"""Kinds from outside the package: installed ones by entry point, local ones by ``--plugin``.

A spec never names code. A plug-in is loaded only if it is installed, or if its file is named on the command
line.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cnncli.diagnostics import Diagnostic, UsageError, listing, usage_error
from cnncli.language.reading import tree_of
from cnncli.layers.registry import KINDS

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "cnncli.layers"
_LOADED: Final[dict[Path, bytes]] = {}
"""The files that were loaded, with their contents."""


class Installed(NamedTuple):
    """Whether installed packages added kinds, and which plug-ins were skipped."""

    added: bool
    skipped: Sequence[str]

    @property
    def notes(self) -> tuple[Diagnostic, ...]:
        """A warning, if there are plug-ins that were skipped."""
        if not self.skipped:
            return ()
        message = f"plug-ins in the working folder are not loaded: {listing(self.skipped)}"
        hint = "install them in another folder, or name their file as a plug-in"
        return (Diagnostic("plugin", message, hint=hint, level="warning"),)


def load_installed() -> Installed:
    """Import what installed packages offer under ``cnncli.layers``.

    ``python -m cnncli`` and ``PYTHONPATH=.`` put the working folder among those of the packages. Whatever
    calls itself installed there, or elsewhere in the git repository around it, is skipped: a checkout of
    someone else's would run it.

    Raises:
        UsageError: one of them cannot be imported.
    """
    # Imported here because reading the metadata of all installed packages is slow and rarely needed.
    from importlib.metadata import entry_points  # noqa: PLC0415

    before = len(KINDS)
    skipped: list[str] = []
    for entry in entry_points(group=GROUP):
        if _lies_here(entry):
            skipped.append(entry.name)
            continue
        try:
            entry.load()
        except (Exception, SystemExit) as error:
            raise _broken(entry.name, error) from error
    return Installed(len(KINDS) > before, skipped)


def load_file(path: str) -> None:
    """Import a local file that registers kinds; once, however often it is named.

    Raises:
        UsageError: there is no such file, it cannot be imported, or it has changed since it was.
    """
    file = Path(path)
    if not _is_python(file):
        raise usage_error(f"no such plug-in: '{path}'", expected="a Python file that registers kinds")
    try:
        place, content = file.resolve(), file.read_bytes()
    except OSError as error:
        raise _broken(path, error) from error
    if place in _LOADED:
        if _LOADED[place] == content:
            return
        raise usage_error(f"the plug-in '{path}' has changed since it was loaded", hint="restart Python")
    name = f"cnncli_plugin_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _broken(path, error) from error
    _LOADED[place] = content


def _lies_here(entry: EntryPoint) -> bool:
    """Return whether the package of an entry point lies in the working tree, outside of the environment."""
    if entry.dist is None:
        return False
    import site  # noqa: PLC0415

    folder = Path(str(entry.dist.locate_file(""))).resolve()
    environment = (Path(sys.prefix).resolve(), Path(site.getuserbase()).resolve())
    return folder.is_relative_to(tree_of(Path.cwd())) and not any(map(folder.is_relative_to, environment))


def _is_python(file: Path) -> bool:
    try:
        return file.suffix == ".py" and file.is_file()
    except OSError:
        return False  # such as a name that is too long


def _broken(name: str, error: BaseException) -> UsageError:
    return usage_error(f"the plug-in '{name}' cannot be loaded: {type(error).__name__}: {error}")
