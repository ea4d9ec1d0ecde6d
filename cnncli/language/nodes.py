"""Read one node as written: its kind, its arguments, and the reserved keys next to the kind."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from cnncli.diagnostics import Diagnostic, Location, SpecError, did_you_mean, nearest, shortened
from cnncli.language.reserved import MODULE_NAMES, PYTHON_WORDS, TRACED_NAMES
from cnncli.language.scope import Argument, Scope, interpolate, named
from cnncli.language.tree import Entries, Items, Scalar, Value, brief, describe
from cnncli.limits import MAX_NAME

RESERVED: Final = ("name", "from", "repeat", "first")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_][A-Za-z0-9_-]*)*\Z")
_WORDS: Final = frozenset({"input", "identity"})


class Written(NamedTuple):
    """A node as written: its kind or block, the value of that key, and the reserved keys."""

    kind: Scalar
    value: Value | None
    name: Scalar | None = None
    source: Value | None = None
    repeat: Value | None = None
    first: Value | None = None


def read_node(value: Value, known: Mapping[str, Collection[str]]) -> Written:
    """Read a node; ``known`` are all kinds and blocks, each with its arguments.

    Raises:
        SpecError: this is not a node, or its kind is unknown.
    """
    if isinstance(value, Scalar):
        if value.is_null:
            raise _fault("node", "a layer is missing here", value.location, "a kind of layer")
        _check_kind(value, known)
        return Written(value, None)
    if isinstance(value, Items):
        hint = "only branches of concat, add and multiply can be lists of layers"
        raise _fault("node", "a list is not a layer", value.location, "a kind of layer", hint=hint)
    kind = _kind_key(value, known)
    _check_kind(kind, known)
    return Written(
        kind,
        value[kind.text],
        _text(value, "name"),
        value.get("from"),
        value.get("repeat"),
        value.get("first"),
    )


def written_names(layers: Items) -> tuple[Scalar, ...]:
    """Return the values of ``name`` in a list of layers, branches of joins included but not blocks."""
    return tuple(_names_in(layers))


def _names_in(value: Value | None) -> Iterator[Scalar]:
    if isinstance(value, Items):
        for each in value:
            yield from _names_in(each)
    elif isinstance(value, Entries):
        name = value.get("name")
        if isinstance(name, Scalar):
            yield name
        for key, given in value.items():
            if key not in RESERVED:
                branches = given.get("branches") if isinstance(given, Entries) else given
                yield from _names_in(branches if isinstance(branches, Items) else None)


def kind_of(value: Value) -> str:
    """Return the word in the place of a node's kind, even if the node is faulty."""
    if isinstance(value, Scalar):
        return value.text
    return next((key for key in value if key not in RESERVED), "") if isinstance(value, Entries) else ""


def read_name(scalar: Scalar, scope: Scope) -> str:
    """Read a node's name, with ``$var`` replaced.

    Raises:
        SpecError: it is not a name, or is reserved.
    """
    name = interpolate(scalar, scope)
    if len(name) > MAX_NAME:
        expected = f"at most {MAX_NAME} characters"
        raise _fault("name", f"the name '{shortened(name, 40)}' is too long", scalar.location, expected)
    if not _NAME.match(name):
        expected = "letters, digits, '_' and '-', joined by dots"
        raise _fault("name", f"'{shortened(name, 40)}' is not a name", scalar.location, expected)
    for part in name.split("."):
        reason = _reserved(part)
        if reason:
            raise _fault("name", f"'{part}' cannot be a name: {reason}", scalar.location, "another name")
    if name in _WORDS:
        raise _fault("name", f"'{name}' is a reserved name", scalar.location, "another name")
    return name


def _reserved(part: str) -> str:
    """Return why a part of a name is reserved, or nothing."""
    if part.startswith("_"):
        return "names that begin with '_' are reserved for torch.nn.Module's own state"
    if part in MODULE_NAMES:
        return f"torch.nn.Module has an attribute '{part}', which the layer would replace"
    if part in TRACED_NAMES:
        return f"traced and exported networks have an attribute '{part}', which the layer would replace"
    if part in PYTHON_WORDS:
        return "it is reserved in Python, and torch.fx writes a network as Python code"
    return ""


def read_arguments(given: Value | None, main: str | None, kind: str, scope: Scope) -> dict[str, Argument]:
    """Return the arguments given to a kind or block: a mapping, or one value for its main argument.

    Raises:
        SpecError: a bare value is given and there is no main argument.
    """
    if given is None or (isinstance(given, Scalar) and given.is_null):
        return {}
    if isinstance(given, Entries):
        return {key: Argument(value, scope, given.keys_at[key]) for key, value in given.items()}
    if main is None:
        message = f"'{kind}' does not accept a bare value"
        raise _fault("argument", message, given.location, "named arguments, or nothing", describe(given))
    return {main: named(main, given, scope)}


def beside(kind: str, name: str, argument: Argument) -> str:
    """Return a hint for a key of the node that is written among the arguments; empty for other names."""
    if name not in RESERVED:
        return ""
    return f"'{name}' is written beside '{kind}': {{{kind}: ..., {name}: {brief(argument.value)}}}"


def _kind_key(entries: Entries, known: Mapping[str, Collection[str]]) -> Scalar:
    keys = [key for key in entries if key not in RESERVED]
    if not keys:
        raise _fault("node", "this layer has no kind", entries.location, "a key that is a kind of layer")
    if len(keys) == 1:
        return entries.keys_at[keys[0]]
    kind = next((key for key in keys if key in known), keys[0])
    faults = [_extra_key(entries.keys_at[key], kind, known) for key in keys if key != kind]
    raise SpecError(faults)


def _extra_key(extra: Scalar, kind: str, known: Mapping[str, Collection[str]]) -> Diagnostic:
    key = extra.text
    arguments = known.get(kind, ())
    expected = "one kind, and next to it only name, from, repeat and first"
    message, hint = f"unknown key '{key}' next to '{kind}'", did_you_mean(key, RESERVED, "keys")
    if key in known:
        message = f"this layer has two kinds, '{kind}' and '{key}'"
        hint = "each layer is an entry of the list"
    elif key in arguments:
        message, hint = f"'{key}' belongs inside '{kind}'", f"{kind}: {{{key}: ...}}"
    elif not nearest(key, RESERVED):
        meant = nearest(key, arguments)
        hint = f"did you mean {kind}: {{{meant}: ...}}?" if meant else hint
    return Diagnostic("node", message, extra.location, expected, hint=hint)


def _check_kind(kind: Scalar, known: Collection[str]) -> None:
    if kind.text not in known:
        hint = did_you_mean(kind.text, known, "kinds and blocks")
        if kind.text.startswith("$"):
            hint = "a variable cannot be a kind; a block can, and a file that extends this one can replace it"
        raise _fault(
            "unknown-kind", f"unknown kind of layer '{shortened(kind.text)}'", kind.location, hint=hint
        )


def _text(entries: Entries, key: str) -> Scalar | None:
    value = entries.get(key)
    if value is None or (isinstance(value, Scalar) and not value.is_null):
        return value
    raise _fault(key, f"'{key}' has the wrong form", value.location, "a string", describe(value))


def _fault(
    code: str, message: str, where: Location, expected: str = "", received: str = "", hint: str = ""
) -> SpecError:
    return SpecError(Diagnostic(code, message, where, expected, received, hint))
