"""Writing a spec with other values for its variables, its text and comments kept where that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnncli.algebra import Dim
from cnncli.diagnostics import Faults, SpecError, usage_error
from cnncli.graph import open_spec, open_text
from cnncli.language.document import Document, load
from cnncli.language.rewriting import with_values
from cnncli.language.tree import same_value
from cnncli.language.writer import to_yaml


def check_new(path: str, size: Sequence[Dim] | None) -> None:
    """Refuse a file that cannot be written, before anything is computed.

    Raises:
        UsageError: it exists, is not a file name, or its folder does not exist.
    """
    if size is not None:
        hint = "'input:' in the spec is what the new one will have"
        raise usage_error("--output cannot go with --input", expected="one of them", hint=hint)
    file = Path(path)
    if not file.name or path == "-":
        raise usage_error(f"--output '{path}' is no file", expected="a new file, such as narrow.yaml")
    if file.exists() or file.is_symlink():
        raise usage_error(f"'{path}' exists already", expected="a new file: nothing is overwritten")
    if not file.parent.is_dir():
        raise usage_error(f"there is no folder '{file.parent}'", expected="a folder for the new file")


def write_with(path: str, spec: str, overrides: Sequence[str]) -> bool:
    """Write the spec with these overrides; whether its text, comments included, could be kept.

    That cannot be where the file does not say all by itself, or not in words of its own.

    Raises:
        UsageError: it cannot be written.
    """
    wanted = open_spec(spec, overrides=overrides).document
    # Only its text: without the overrides its layers need not fit.
    document = load(spec, (), Faults())
    words = (text.partition("=") for text in overrides)
    text = with_values(document, {name.strip(): word.strip() for name, _, word in words})
    again = _document(text, document.source.name) if text is not None else None
    kept = again is not None and same_value(again.entries, wanted.entries)
    try:
        with Path(path).open("x", encoding="utf-8", newline="") as file:
            file.write(text if text is not None and kept else to_yaml(wanted))
    except OSError as error:
        raise usage_error(f"'{path}' cannot be written: {error.strerror}") from None
    return kept


def _document(text: str, name: str) -> Document | None:
    """What a text says as a spec, or None where it is none by itself: it extends another one."""
    try:
        return open_text(text, name=name).document
    except SpecError:
        return None
