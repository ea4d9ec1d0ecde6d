"""Block templates: their declarations, and the scope of a use."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple

from cnncli.diagnostics import Diagnostic, Faults, Location, SpecError, did_you_mean, nearest, shortened
from cnncli.language.description import Vocabulary
from cnncli.language.nodes import RESERVED, beside, read_node, written_names
from cnncli.language.readers import Flag
from cnncli.language.scope import Argument, Scope, named
from cnncli.language.tree import Entries, Items, Scalar, Value, describe
from cnncli.limits import MAX_FAULTS

_KEYS: Final = ("args", "layers", "numbered")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")


class Block(NamedTuple):
    """A template: argument names with their defaults (None: required), and the nodes as written.

    ``names`` are the names that are written in ``layers``.
    """

    name: str
    args: Mapping[str, Value | None]
    layers: Items
    numbered: bool
    names: tuple[Scalar, ...]

    @property
    def main_argument(self) -> str | None:
        """The first argument, which gets a bare value."""
        return next(iter(self.args), None)

    def bind(self, given: Mapping[str, Argument], outer: Scope, where: Location) -> Scope:
        """Return the scope inside a use.

        Raises:
            SpecError: with every unknown and every missing argument.
        """
        meant = {nearest(name, self.args) for name in islice(given, MAX_FAULTS) if name not in self.args}
        faults = [
            Diagnostic(
                "unknown-argument",
                f"block '{self.name}' has no argument '{name}'",
                argument.key.location if argument.key else argument.location,
                hint=beside(self.name, name, argument)
                or did_you_mean(name, self.args, "arguments")
                or "it has no arguments",
            )
            for name, argument in islice(given.items(), MAX_FAULTS)
            if name not in self.args
        ]
        faults.extend(
            Diagnostic("missing-argument", f"block '{self.name}' needs '{name}'", where, f"{name}: a value")
            for name, default in self.args.items()
            if default is None and name not in given and name not in meant
        )
        if faults:
            raise SpecError(faults)
        defaults = {
            name: value for name, value in self.args.items() if value is not None and name not in given
        }
        return Scope.with_defaults(given, defaults, outer)


def read_blocks(section: Value | None, kinds: Collection[str], faults: Faults) -> dict[str, Block]:
    """Return the templates under ``blocks:``. Errors are added to ``faults``."""
    blocks: dict[str, Block] = {}
    for name, value in section.items() if isinstance(section, Entries) else ():
        assert isinstance(section, Entries)
        try:
            _check_name(section.keys_at[name], kinds, faults)
            blocks[name] = _read_block(name, value)
        except SpecError as error:
            faults.extend(error.diagnostics)
    return blocks


def _check_name(key: Scalar, kinds: Collection[str], faults: Faults) -> None:
    """Check the name of a block. Characters that are not allowed are added to ``faults``.

    Raises:
        SpecError: the name is taken.
    """
    name = key.text
    if name in kinds or name in RESERVED:
        what = "the name of a kind" if name in kinds else "a reserved key"
        raise SpecError(Diagnostic("block", f"'{name}' is {what}", key.location, "another name"))
    if not _NAME.match(name):
        # Nodes are named after their block.
        message = f"'{shortened(name, 40)}' cannot be the name of a block"
        expected = "letters, digits, '_' and '-', beginning with a letter or a digit"
        faults.add(Diagnostic("block", message, key.location, expected))


def check_kinds(
    layers: Iterable[Value], known: Mapping[str, Collection[str]], vocabulary: Vocabulary, faults: Faults
) -> None:
    """Find misspelled kinds in a block that is never used, branches of joins included.

    ``known`` are all kinds and blocks, each with its arguments.
    """
    for value in layers:
        try:
            written = read_node(value, known)
        except SpecError as error:
            faults.extend(error.diagnostics)
            continue
        if not vocabulary.is_join(written.kind.text):
            continue
        given = written.value
        branches = given.get("branches") if isinstance(given, Entries) else given
        for branch in branches if isinstance(branches, Items) else ():
            if not isinstance(branch, Scalar):
                nodes = branch if isinstance(branch, Items) else (branch,)
                check_kinds(nodes, known, vocabulary, faults)


def _read_block(name: str, value: Value) -> Block:
    if not isinstance(value, Entries):
        expected = "a mapping with 'args' and 'layers'"
        raise SpecError(Diagnostic("block", f"block '{name}' has the wrong form", value.location, expected))
    unknown = [
        Diagnostic(
            "block",
            f"unknown key '{key}'",
            value.keys_at[key].location,
            hint=did_you_mean(key, _KEYS, "keys"),
        )
        for key in value
        if key not in _KEYS
    ]
    if unknown:
        raise SpecError(unknown)
    layers = value.get("layers")
    if not isinstance(layers, Items):
        where = layers.location if layers is not None else value.location
        raise SpecError(Diagnostic("block", f"block '{name}' needs 'layers'", where, "a list of layers"))
    numbered = value.get("numbered")
    flag = Flag().read(named("numbered", numbered, Scope())) if numbered is not None else False
    return Block(name, _read_args(name, value.get("args")), layers, flag, written_names(layers))


def _read_args(name: str, args: Value | None) -> dict[str, Value | None]:
    if args is None or (isinstance(args, Scalar) and args.is_null):
        return {}
    if not isinstance(args, Entries):
        expected = "a mapping from names to defaults"
        message = f"'args' of block '{name}' has the wrong form"
        raise SpecError(Diagnostic("block", message, args.location, expected, describe(args)))
    return {
        key: None if isinstance(value, Scalar) and value.is_null else value for key, value in args.items()
    }
