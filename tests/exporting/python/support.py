"""Exported modules, run in this process."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from torch import nn

from cnncli.exporting.python import python_source
from cnncli.graph import Graph


def module_of(graph: Graph, folder: Path) -> ModuleType:
    """Return the module of a graph."""
    # Python takes a file of the same size, written in the same second, for the one that it has compiled.
    file = folder / f"exported{len([*folder.glob('exported*.py')])}.py"
    file.write_text(python_source(graph))
    name = f"{file.stem}_{folder.name}"
    found = importlib.util.spec_from_file_location(name, file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # where the text of its classes is looked up
    found.loader.exec_module(module)
    return module


def network_of(graph: Graph, folder: Path) -> nn.Module:
    """Return the exported network of a graph."""
    made = module_of(graph._replace(name="it"), folder).It()
    assert isinstance(made, nn.Module)
    return made
