"""A module of PyTorch from a file and the name of a function: this runs the file."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path

from torch import nn

from cnncli.diagnostics import CnncliError, Diagnostic, Location, Source, did_you_mean, usage_error


def load_module(file: Path, function: str) -> nn.Module:
    """Return what a function of a Python file returns.

    Args:
        file: the file, which is run; modules beside it can be imported.
        function: a function or a class without required arguments.

    Raises:
        CnncliError: there is no such file or function, it raises an error, or returns something else.
    """
    if not file.is_file():
        raise usage_error(
            f"no such file: '{file}'", expected="a Python file and a function: net.py:make_model"
        )
    name = f"cnncli_imported_{file.stem}"
    found = importlib.util.spec_from_file_location(name, file.resolve())
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    folder = str(file.resolve().parent)
    sys.path.insert(0, folder)
    try:
        found.loader.exec_module(module)
        made = getattr(module, function, None)
        if made is None:
            names = [
                key for key, value in vars(module).items() if callable(value) and not key.startswith("_")
            ]
            raise usage_error(
                f"{file} has no function '{function}'",
                expected="a function that returns a torch.nn.Module",
                hint=did_you_mean(function, names, "functions"),
            )
        network = made()
    except CnncliError:
        raise
    except (Exception, SystemExit) as error:
        raise _failed(file, function, error) from error
    finally:
        sys.path.remove(folder)
    if not isinstance(network, nn.Module):
        received = type(network).__name__
        message = f"{function} in {file} does not return a module"
        raise usage_error(message, expected="a torch.nn.Module", received=received)
    return network


def _failed(file: Path, function: str, error: BaseException) -> CnncliError:
    """Return the error of a file, with its line if it is known."""
    where = None
    frames = [
        each for each in traceback.extract_tb(error.__traceback__) if each.filename == str(file.resolve())
    ]
    line = error.lineno if isinstance(error, SyntaxError) else frames[-1].lineno if frames else None
    if line:
        where = Location(Source(str(file), file.read_text("utf-8", "replace")), line, 1)
    message = f"{function} in {file} cannot be called: {type(error).__name__}: {error}"
    return CnncliError(Diagnostic("import", message, where))
