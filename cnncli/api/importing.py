"""Networks of other programs as specs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli import arguments
from cnncli.algebra import whole_shape
from cnncli.diagnostics import usage_error
from cnncli.language.input_size import parse_shape

if TYPE_CHECKING:
    from cnncli.results.importing import Import


def import_network(
    source: str | Path,
    output: str | Path,
    *,
    input: str | Sequence[int] | None = None,  # noqa: A002 - the word that specs use
) -> Import:
    """Write the spec of a network of another program, and its weights beside it.

    Groups of layers that repeat become blocks. What is written is read again; its layers have the shapes and
    the tensors of the source, and its outputs are those of the source, which torch computes if it is there.

    Args:
        source: an ONNX file, or ``file.py:function``, where the function returns a ``torch.nn.Module``: this
            runs the file.
        output: a new file for the spec; the weights get the same name with ``.safetensors``.
        input: the shape of one sample, such as "3x224x224"; not needed for an ONNX file that fixes it.

    Raises:
        CnncliError: the source cannot be read, has operations that no kind expresses, or a file exists.
    """
    word, path, shape = str(source), arguments.path("output", output), _shape(input)
    file, function = _parts(word)
    if function and shape is None:
        raise usage_error("the shape of the input is not known", expected="'input', such as 3x224x224")
    from cnncli.training.new_files import check_new  # noqa: PLC0415

    check_new(path, (".yaml", ".yml"))
    check_new(path.with_suffix(".safetensors"), (".safetensors",))
    _check_installed(python=bool(function))
    from cnncli.training.importing.writing import from_onnx, from_python, written  # noqa: PLC0415

    read = from_python(file, function, shape) if function and shape else from_onnx(file, shape)
    return written(read, word, path)


def _parts(source: str) -> tuple[Path, str]:
    """Return a file, and the function in it; "" for an ONNX file.

    Raises:
        UsageError: it is neither.
    """
    file, colon, function = source.rpartition(":")
    if colon and file.endswith(".py") and function.isidentifier():
        return Path(file), function
    if source.endswith(".onnx"):
        return Path(source), ""
    raise usage_error(
        f"'{source}' cannot be imported",
        expected="an ONNX file, or a Python file and a function: net.py:make_model",
    )


def _shape(given: Any) -> tuple[int, ...] | None:
    """Return the shape of one sample.

    Raises:
        UsageError: it is not a size in numbers.
    """
    if given is None:
        return None
    size = parse_shape(given) if isinstance(given, str) else arguments.input_shape(given)
    if size is None or not all(isinstance(dim, int) for dim in size):
        expected = "sizes such as 3x224x224"
        raise usage_error("an import needs a size in numbers", expected=expected, received=str(given))
    return whole_shape(size)


def _check_installed(*, python: bool) -> None:
    from cnncli.training.extras import need, need_training  # noqa: PLC0415

    if python:
        need_training()
        return
    packages = ("numpy", "onnx", "onnxruntime", "safetensors")
    need(*packages, purpose="importing an ONNX file", command="pip install 'cnncli[export]'")
