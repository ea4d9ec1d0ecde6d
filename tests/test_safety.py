"""Nothing loads code from data: a stranger's spec, weights or data set must be safe to open. JSON is JSON.

Like the test of the architecture, the checker is a function over source text, and a second test
proves that each of its rules can fail.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cnncli"

CODE_FROM_TEXT = frozenset({"eval", "exec", "compile"})

UNPICKLERS = frozenset({"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"})

# Constructors of arbitrary objects, or loaders of code, whatever their arguments.
FORBIDDEN = frozenset(
    {
        *(f"yaml.{load}{all_}" for load in ("load", "full_load", "unsafe_load") for all_ in ("", "_all")),
        *(f"yaml.{kind}Loader" for kind in ("", "C", "Full", "CFull", "Unsafe", "CUnsafe")),
        "torch.hub.load",
        "torch.jit.load",
    }
)

# Calls that are safe with this keyword given as this literal.
SAFE_ONLY_WITH: dict[str, tuple[str, bool]] = {"torch.load": ("weights_only", True)}

# Functions that write NaN and Infinity, which are not JSON, unless this keyword is given as this literal.
SAFE_ONLY_WITH |= {f"json.{name}": ("allow_nan", False) for name in ("dump", "dumps", "JSONEncoder")}

# Calls that are safe unless this keyword is there and is not this literal.
SAFE_UNLESS = {"numpy.load": ("allow_pickle", False)}


def dangers(source: str) -> list[str]:
    """What in ``source`` could run code out of data, as ``line: what``."""
    tree = ast.parse(source)
    names = imported_names(tree)
    safe = {id(call.func) for call in ast.walk(tree) if isinstance(call, ast.Call) and is_safe(call, names)}
    return [
        f"{getattr(node, 'lineno', 1)}: {what}"
        for node in ast.walk(tree)
        if id(node) not in safe
        for what in danger(node, names)
    ]


def danger(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    """The dangers of this one node."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] in UNPICKLERS)
    elif isinstance(node, ast.ImportFrom):
        if (node.module or "").split(".")[0] in UNPICKLERS:
            yield node.module or ""
    elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        name = dotted(node, names)
        plain = name.removeprefix("builtins.")
        if plain in CODE_FROM_TEXT or name in FORBIDDEN or name in SAFE_ONLY_WITH:
            yield name
    elif isinstance(node, ast.Call):
        name = dotted(node.func, names)
        if name in SAFE_UNLESS and not keyword_is(node, *SAFE_UNLESS[name], absent=True):
            yield name


def is_safe(call: ast.Call, names: dict[str, str]) -> bool:
    """Whether this is a dangerous function called with the keyword that makes it safe."""
    name = dotted(call.func, names)
    return name in SAFE_ONLY_WITH and keyword_is(call, *SAFE_ONLY_WITH[name], absent=False)


def keyword_is(call: ast.Call, keyword: str, value: object, *, absent: bool) -> bool:
    """Whether the keyword is given as this literal; ``absent`` where it is not given at all."""
    for each in call.keywords:
        if each.arg == keyword:
            return isinstance(each.value, ast.Constant) and each.value.value is value
    return absent


def imported_names(tree: ast.AST) -> dict[str, str]:
    """The local names that imports bind, each with what it stands for: ``{"np": "numpy"}``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """The full name that ``node`` refers to, imports undone; empty where it is not a plain name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return ""


def test_nothing_in_the_package_runs_code_from_data() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert files
    found = [f"{path}:{each}" for path in files for each in dangers(path.read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "exec('pass')",
        "run = eval",
        "list(map(exec, lines))",
        "import builtins\nbuiltins.eval('1')",
        "from builtins import eval as read\nread('1')",
        "compile(text, 'spec', 'eval')",
        "import pickle",
        "from pickle import loads",
        "import joblib",
        "def f():\n    import cloudpickle.compat",
        "import yaml\nyaml.load(text, Loader)",
        "import yaml as y\ny.load(text, Loader=y.SafeLoader)",
        "from yaml import load\nload(text)",
        "import yaml\nyaml.unsafe_load_all(text)",
        "import yaml\nclass Reader(yaml.FullLoader): ...",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "import torch\ntorch.load(path, weights_only=flag)",
        "from torch import load as read\nread(path)",
        "import torch\nread = torch.load",
        "import torch\ntorch.hub.load(repo, model)",
        "import json\njson.dumps(value)",
        "import json\njson.JSONEncoder(indent=2)",
        "import json\njson.dump(value, file, allow_nan=True)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import numpy as np\nnp.load(path, allow_pickle=flag)",
    ],
)
def test_each_rule_can_fail(source: str) -> None:
    assert dangers(source)


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "import torch\ntorch.compile(model)",
        "import re\nre.compile('x')",
        "import torch\ntorch.load(path, weights_only=True)",
        "import numpy as np\nnp.load(path)",
        "import numpy as np\nnp.load(path, allow_pickle=False)",
        "import json\njson.dumps(value, indent=2, allow_nan=False)",
        "import yaml\nyaml.safe_load(text)",
        "import yaml\nyaml.compose(text, Loader=yaml.SafeLoader)",
        "from safetensors.torch import load_file\nload_file(path)",
    ],
)
def test_safe_calls_pass(source: str) -> None:
    assert dangers(source) == []
