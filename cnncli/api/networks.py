"""Specs that are read, as networks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from cnncli import algebra, arguments
from cnncli.algebra import Dim, Expr, is_symbol
from cnncli.api.extending import load_plugins
from cnncli.architecture import Architecture
from cnncli.diagnostics import usage_error
from cnncli.graph import all_sizes
from cnncli.layers import shape_text
from cnncli.loaded import Origin

if TYPE_CHECKING:
    from cnncli.analysis.costs.overview import Overview
    from cnncli.analysis.specs import Entry
    from cnncli.language.selection import Selection


Overrides: TypeAlias = "str | Iterable[str] | Mapping[str, Any]"
"""Texts such as ``width=32`` and ``train.epochs=20``, or a mapping with such keys."""
Input: TypeAlias = "str | Sequence[Dim] | None"
"""A size such as ``(3, 224, 224)`` or ``"3x224x224"``; with symbols ``"3xHxW"``."""


def load(
    spec: str | Path,
    *,
    input: Input = None,  # noqa: A002 - the word that specs use
    symbolic: bool | str | Iterable[str] = False,
    overrides: Overrides = (),
    plugins: str | Path | Iterable[str | Path] = (),
    **variables: Any,
) -> Architecture:
    """Read a spec file, or a shipped spec by its name.

    Args:
        spec: a path, or a name that :func:`specs` lists.
        input: another input size; symbols give formulas.
        symbolic: True for formulas over all input sizes, or the names of variables to keep as symbols.
        overrides: of variables and settings, ``{"width": 32, "train.epochs": 20}``, or texts as of ``--set``.
        plugins: Python files that add kinds of layers; they are run.
        variables: other values for the variables of the spec: ``classes=10``.

    Raises:
        SpecError: the spec is wrong; lists all of its errors with their places.
        UsageError: the file does not exist, or an argument is wrong.
    """
    load_plugins(plugins)
    origin = Origin(arguments.text("spec", spec), None)
    return _architecture(origin, input, symbolic, overrides, variables)


def loads(
    text: str,
    *,
    name: str = "<text>",
    input: Input = None,  # noqa: A002 - the word that specs use
    symbolic: bool | str | Iterable[str] = False,
    overrides: Overrides = (),
    plugins: str | Path | Iterable[str | Path] = (),
    **variables: Any,
) -> Architecture:
    """Read a spec from a string, as :func:`load` does from a file; ``extends`` is not available.

    ``name`` is what messages call it.

    Raises:
        SpecError: the spec is wrong; lists all of its errors with their places.
        UsageError: an argument is wrong.
    """
    load_plugins(plugins)
    origin = Origin(arguments.text("name", name), arguments.text("text", text))
    return _architecture(origin, input, symbolic, overrides, variables)


def symbol(name: str) -> Expr:
    """Return an unknown whole number, for an axis of the input whose size is not known.

    Raises:
        UsageError: it is not a name that formulas may have.
    """
    if not is_symbol(arguments.text("name", name)):
        expected = "letters from a to z, digits and underscores, and not a Python keyword"
        raise usage_error(f"{name!r} cannot be the name of a symbol", expected=expected)
    return algebra.symbol(name)


def select(words: str | Iterable[str]) -> Selection:
    """Return the spec files that paths, folders, patterns and names of shipped specs refer to.

    Raises:
        UsageError: a folder or a pattern contains no spec.
    """
    from cnncli.language.selection import select  # noqa: PLC0415

    return select(arguments.words("specs", words))


def spec_names() -> Collection[str]:
    """Return the names of the shipped specs and of their families, without reading any."""
    from cnncli.language import shipped  # noqa: PLC0415

    return (shipped.specs() | shipped.families()).keys()


def compare(files: str | Path | Iterable[str | Path], *, batch: int = 1, **how: Any) -> tuple[Overview, ...]:
    """Return costs and depth of several networks; ``how`` are further arguments of :func:`load`.

    Raises:
        CnncliError: a file or an argument is wrong.
    """
    return tuple(load(file, **how).overview(batch) for file in arguments.words("files", files))


def specs() -> tuple[Entry, ...]:
    """Return the shipped specs with their papers and figures."""
    from cnncli.analysis.specs import catalog  # noqa: PLC0415

    return catalog()


def _architecture(
    origin: Origin,
    size: Input,
    symbolic: bool | str | Iterable[str],
    overrides: Overrides,
    variables: Mapping[str, Any],
) -> Architecture:
    wanted: Any = arguments.size(size)
    texts = (*arguments.overrides("overrides", overrides), *arguments.keywords(variables))
    if isinstance(symbolic, bool):
        return Architecture(origin, _unknown_sizes(wanted) if symbolic else wanted, texts)
    unknown = arguments.words("symbolic", symbolic)
    given = {text.partition("=")[0].strip() for text in texts}
    for name in unknown:
        if name in given:
            raise usage_error(f"'{name}' cannot be both set and symbolic", expected="one of them")
    return Architecture(origin, wanted, texts, unknown)


def _unknown_sizes(size: Any) -> Any:
    """Return an input size with symbols: the one that is asked for, if it has some, or the spec's own.

    Raises:
        UsageError: it is given in numbers.
    """
    if size is None:
        return all_sizes
    if all(isinstance(dim, int) for dim in size):
        received = shape_text(size)
        raise usage_error("every input size is given", expected="symbols, such as 3xHxW", received=received)
    return size
