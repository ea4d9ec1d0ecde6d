"""How one node is written: its kind, what is given to it, and the reserved keys beside it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from cnncli.diagnostics import Diagnostic, Location, SpecError, did_you_mean, nearest, shortened
from cnncli.language.reserved import MODULE_NAMES
from cnncli.language.scope import Argument, Scope, interpolate
from cnncli.language.tree import Entries, Items, Scalar, Value, describe

RESERVED: Final = ("name", "from", "repeat", "first")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_][A-Za-z0-9_-]*)*\Z")
_WORDS: Final = frozenset({"input", "identity"})
_MAX_NAME: Final = 200


class Written(NamedTuple):
    """A node as it stands in the file."""

    kind: Scalar
    value: Value | None
    name: Scalar | None = None
    source: Value | None = None
    repeat: Value | None = None
    first: Value | None = None


def read_node(value: Value, known: Collection[str]) -> Written:
    """What a node says; ``known`` are the kinds and blocks there are.

    Raises:
        SpecError: this is no node, or its kind is not known.
    """
    if isinstance(value, Scalar):
        if value.is_null:
            raise _fault("node", "there is no layer here", value.location, "a kind of layer")
        _check_kind(value, known)
        return Written(value, None)
    if isinstance(value, Items):
        hint = "a list of layers stands only in the branches of concat, add and multiply"
        raise _fault("node", "a list is no layer", value.location, "a kind of layer", hint=hint)
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


def kind_of(value: Value) -> str:
    """The word that stands where a node's kind should, whatever else is wrong with the node."""
    if isinstance(value, Scalar):
        return value.text
    return next((key for key in value if key not in RESERVED), "") if isinstance(value, Entries) else ""


def read_name(scalar: Scalar, scope: Scope) -> str:
    """A node's name, with ``$var`` replaced.

    Raises:
        SpecError: it is no name, or one of the words that mean something else.
    """
    name = interpolate(scalar, scope)
    if len(name) > _MAX_NAME or not _NAME.match(name):
        expected = "letters, digits, '_' and '-', joined by dots"
        raise _fault("name", f"'{name[:40]}' is no name", scalar.location, expected)
    reserved = next((part for part in name.split(".") if part in MODULE_NAMES or part.startswith("_")), None)
    if reserved is not None:
        message = f"'{reserved}' is reserved by torch.nn.Module, which every network is"
        raise _fault("name", message, scalar.location, "another name")
    if name in _WORDS:
        raise _fault("name", f"'{name}' means something else here", scalar.location, "another name")
    return name


def read_arguments(given: Value | None, main: str | None, kind: str, scope: Scope) -> dict[str, Argument]:
    """The arguments given to a kind or block: a mapping, or one value for its main argument.

    Raises:
        SpecError: a bare value came and there is no main argument.
    """
    if given is None or (isinstance(given, Scalar) and given.is_null):
        return {}
    if isinstance(given, Entries):
        return {key: Argument(value, scope, given.keys_at[key]) for key, value in given.items()}
    if main is None:
        message = f"'{kind}' takes no bare value"
        raise _fault("argument", message, given.location, "named arguments or nothing", describe(given))
    return {main: Argument(given, scope)}


def _kind_key(entries: Entries, known: Collection[str]) -> Scalar:
    keys = [key for key in entries if key not in RESERVED]
    if not keys:
        raise _fault("node", "this layer has no kind", entries.location, "one key that is a kind of layer")
    if len(keys) == 1:
        return entries.keys_at[keys[0]]
    kind = next((key for key in keys if key in known), keys[0])
    faults = [_extra_key(entries, kind, key) for key in keys if key != kind]
    raise SpecError(faults)


def _extra_key(entries: Entries, kind: str, key: str) -> Diagnostic:
    meant = nearest(key, RESERVED)
    hint = f"did you mean '{meant}'?" if meant else f"arguments go inside: {kind}: {{{key}: ...}}"
    where = entries.keys_at[key].location
    expected = "one kind, and beside it only name, from, repeat and first"
    return Diagnostic("node", f"'{key}' cannot stand beside '{kind}'", where, expected, hint=hint)


def _check_kind(kind: Scalar, known: Collection[str]) -> None:
    if kind.text not in known:
        hint = did_you_mean(kind.text, known)
        raise _fault(
            "unknown-kind", f"unknown kind of layer '{shortened(kind.text)}'", kind.location, hint=hint
        )


def _text(entries: Entries, key: str) -> Scalar | None:
    value = entries.get(key)
    if value is None or (isinstance(value, Scalar) and not value.is_null):
        return value
    raise _fault(key, f"'{key}' has the wrong form", value.location, "a text", describe(value))


def _fault(
    code: str, message: str, where: Location, expected: str = "", received: str = "", hint: str = ""
) -> SpecError:
    return SpecError(Diagnostic(code, message, where, expected, received, hint))
