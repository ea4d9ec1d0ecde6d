"""Read ``defaults:``: default arguments for each kind."""

from __future__ import annotations

from cnncli.diagnostics import Diagnostic, Faults, SpecError, did_you_mean
from cnncli.language.description import Vocabulary
from cnncli.language.document import Document
from cnncli.language.nodes import read_arguments
from cnncli.language.scope import Argument
from cnncli.language.tree import Entries, Scalar, Value


def read_defaults(
    document: Document, vocabulary: Vocabulary, faults: Faults
) -> dict[str, dict[str, Argument]]:
    """Return the arguments by kind and name. Errors are added to ``faults``."""
    section = document.section("defaults")
    defaults: dict[str, dict[str, Argument]] = {}
    for kind, value in section.items() if isinstance(section, Entries) else ():
        assert isinstance(section, Entries)
        try:
            defaults[kind] = _of_kind(section.keys_at[kind], value, document, vocabulary, faults)
        except SpecError as error:
            faults.extend(error.diagnostics)
    return defaults


def _of_kind(
    kind: Scalar, value: Value, document: Document, vocabulary: Vocabulary, faults: Faults
) -> dict[str, Argument]:
    kinds = vocabulary.kinds()
    if kind.text not in kinds:
        message = f"unknown kind of layer '{kind.text}'"
        hint = did_you_mean(kind.text, kinds, "kinds")
        raise SpecError(Diagnostic("unknown-kind", message, kind.location, hint=hint))
    main = vocabulary.main_argument(kind.text)
    given = read_arguments(value, main, kind.text, document.scope)
    # Checked here, since a default may never be used.
    known = vocabulary.arguments(kind.text)
    for name in [name for name in given if name not in known]:
        where = (given.pop(name).key or kind).location
        message = f"'{kind.text}' has no argument '{name}'"
        hint = did_you_mean(name, known, "arguments", omits=True)
        faults.add(Diagnostic("unknown-argument", message, where, hint=hint))
    return given
