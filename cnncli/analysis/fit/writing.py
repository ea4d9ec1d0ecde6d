"""Write a spec with other values for its variables, keeping its text and comments if possible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnncli.algebra import Dim
from cnncli.diagnostics import Faults, SpecError, shortened, usage_error
from cnncli.graph import open_spec, open_text
from cnncli.language.document import Document, load
from cnncli.language.files import exists, is_folder
from cnncli.language.rewriting import with_values
from cnncli.language.tree import same_value
from cnncli.language.writer import to_yaml


def check_new(path: str, size: Sequence[Dim] | None) -> None:
    """Check that the file can be written, before anything is computed.

    Raises:
        UsageError: it exists, is not a file name, its folder does not exist, or an input size is given.
    """
    if size is not None:
        hint = "the new spec has the 'input' of the old one; change it there"
        raise usage_error(
            "a spec cannot be written with another input size",
            expected="an output file or an input size",
            hint=hint,
        )
    file = Path(path)
    if not file.name or path == "-":
        raise usage_error(f"'{path}' is not a file name", expected="a new file, such as narrow.yaml")
    if exists(file):
        raise usage_error(f"'{path}' already exists", expected="a new file")
    if not is_folder(file.parent):
        where = shortened(str(file.parent))
        raise usage_error(f"no such folder: '{where}'", expected="an existing folder for the new file")


def write_with(path: str, spec: str, overrides: Sequence[str]) -> bool:
    """Write the spec with these overrides, and return whether its text, comments included, was kept.

    It is not kept if the spec extends another one, or if an override changes something else than the written
    value of a variable in the file itself.

    Raises:
        UsageError: it cannot be written.
    """
    wanted = open_spec(spec, overrides=overrides).document
    # Only the document: without the overrides its layers need not fit together.
    document = load(spec, (), Faults())
    words = (text.partition("=") for text in overrides)
    text = with_values(document, {name.strip(): word.strip() for name, _, word in words})
    again = _document(text, document.source.name) if text is not None else None
    kept = again is not None and same_value(again.entries, wanted.entries)
    write(path, text if text is not None and kept else to_yaml(wanted))
    return kept


def write(path: str, text: str) -> None:
    """Write the text of a spec to a new file.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        with Path(path).open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise usage_error(f"'{shortened(path)}' cannot be written: {error.strerror}") from None


def _document(text: str, name: str) -> Document | None:
    """Return the document of a text, or None if it is not a spec by itself because it extends another one."""
    try:
        return open_text(text, name=name).document
    except SpecError:
        return None
