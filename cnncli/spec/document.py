"""A spec file as written: its sections after ``extends`` and ``--set``, each still located."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from cnncli.diagnostics import Diagnostic, Location, Source, SpecError, UsageError, did_you_mean, usage_error
from cnncli.spec.scope import Scope
from cnncli.spec.tree import MAX_BYTES, Entries, Items, Scalar, Value, describe, parse

_SECTIONS: Final[dict[str, tuple[type, str]]] = {
    "name": (Scalar, "a text"),
    "extends": (Scalar, "the file to start from, beside this one"),
    "input": (Items, "a list: [channels, height, width] or [features]"),
    "vars": (Entries, "a mapping from names to values"),
    "defaults": (Entries, "a mapping from kinds to arguments"),
    "blocks": (Entries, "a mapping from names to blocks"),
    "layers": (Items, "a list of layers"),
    "heads": (Entries, "a mapping from names to heads"),
    "train": (Entries, "a mapping of training settings"),
    "budget": (Entries, "a mapping from figures to their limits"),
}
_SUFFIXES: Final = (".yaml", ".yml")
_MAX_EXTENDS: Final = 16


class Document(NamedTuple):
    """The merged sections of a spec, and the scope in which its variables stand."""

    name: str
    source: Source
    entries: Entries
    scope: Scope

    def section(self, key: str) -> Value | None:
        """What stands under a key, or None."""
        return self.entries.get(key)

    @property
    def start(self) -> Location:
        """The first line of the file, for faults that have no better place."""
        return Location(self.source, 1, 1, max(len(self.source.line(1)), 1))


def load(path: str | Path, overrides: Iterable[str] = ()) -> Document:
    """The document in a file, with ``extends`` followed and ``var=value`` overrides applied.

    Raises:
        UsageError: there is no such file, it cannot be read, or an override names no variable.
        SpecError: with every fault of the top level: YAML, unknown sections, sections of a wrong form.
    """
    source = read_source(path)
    return from_source(source, overrides, folder=Path(path).parent)


def from_source(source: Source, overrides: Iterable[str] = (), folder: Path | None = None) -> Document:
    """As :func:`load`, from a text; ``folder`` is where ``extends`` looks, if that is allowed."""
    entries = _merged(source, folder, ())
    entries = _overridden(entries, list(overrides))
    variables = entries.get("vars")
    scope = Scope.of(variables) if isinstance(variables, Entries) else Scope()
    name = entries.get("name")
    text = name.text if isinstance(name, Scalar) else Path(source.name).stem
    return Document(text, source, entries, scope)


def read_source(path: str | Path) -> Source:
    """The text of a file.

    Raises:
        UsageError: there is no such file, or it cannot be read as UTF-8 text.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise usage_error(f"'{path}' is a folder", expected="a spec file (.yaml)")
        if path.stat().st_size > MAX_BYTES:
            raise usage_error(f"'{path}' is too large", expected=f"at most {MAX_BYTES // 2**20} MiB")
        return Source(str(path), path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise usage_error(f"there is no file '{path}'", hint=_neighbour_hint(path)) from None
    except UnicodeDecodeError as error:
        received = f"byte 0x{error.object[error.start]:02x} at position {error.start}"
        raise usage_error(f"'{path}' is not UTF-8 text", expected="UTF-8 text", received=received) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise usage_error(f"'{path}' cannot be read: {reason}") from None


def _neighbour_hint(path: Path) -> str:
    try:
        names = [each.name for each in path.parent.iterdir() if each.suffix in _SUFFIXES]
    except OSError:
        return ""
    return did_you_mean(path.name, names) if names else ""


def _merged(source: Source, folder: Path | None, chain: tuple[Path, ...]) -> Entries:
    root = parse(source)
    if not isinstance(root, Entries):
        expected = "a mapping with 'input' and 'layers'"
        raise SpecError(
            Diagnostic("spec", "this is not a spec", root.location, expected, describe(root))
        )
    _check_sections(root)
    base = root.get("extends")
    if base is None:
        return root
    assert isinstance(base, Scalar)
    # A file that gives no name has its own file's name, not that of the file it starts from.
    return _base(base, folder, chain).without("name").merged(root).without("extends")


def _base(written: Scalar, folder: Path | None, chain: tuple[Path, ...]) -> Entries:
    where = written.location
    if folder is None:
        raise SpecError(Diagnostic("extends", "a spec that is no file cannot extend one", where))
    if not written.text.endswith(_SUFFIXES) or Path(written.text).is_absolute():
        expected = "a relative path that ends in .yaml"
        raise SpecError(Diagnostic("extends", f"cannot extend '{written.text}'", where, expected))
    path = folder / written.text
    resolved = path.resolve()
    if resolved in chain:
        raise SpecError(Diagnostic("extends", f"'{written.text}' extends itself in a circle", where))
    if len(chain) >= _MAX_EXTENDS:
        raise SpecError(Diagnostic("limit", f"more than {_MAX_EXTENDS} files extend one another", where))
    try:
        source = read_source(path)
    except UsageError as error:
        first = error.diagnostics[0]
        raise SpecError(Diagnostic("extends", first.message, where, first.expected, first.received, first.hint)) from None
    return _merged(source, path.parent, (*chain, resolved))


def _check_sections(root: Entries) -> None:
    faults: list[Diagnostic] = []
    for key, value in root.items():
        if key not in _SECTIONS:
            hint = did_you_mean(key, _SECTIONS)
            faults.append(Diagnostic("unknown-section", f"unknown section '{key}'", root.keys_at[key].location, hint=hint))
            continue
        form, expected = _SECTIONS[key]
        empty = isinstance(value, Scalar) and value.is_null
        if not isinstance(value, form) or empty:
            faults.append(
                Diagnostic("section", f"'{key}' has the wrong form", value.location, expected, describe(value))
            )
    if faults:
        raise SpecError(faults)


def _overridden(entries: Entries, overrides: list[str]) -> Entries:
    if not overrides:
        return entries
    variables = entries.get("vars")
    known = variables if isinstance(variables, Entries) else None
    pairs: dict[str, Value] = {}
    keys: dict[str, Scalar] = {}
    for text in overrides:
        name, separator, value = text.partition("=")
        if not separator or not name.strip():
            raise usage_error(f"--set {text}", expected="var=value", hint="--set width=32")
        name = name.strip()
        if known is None or name not in known:
            what = "this spec has no variables" if known is None else f"this spec has no variable '{name}'"
            raise usage_error(f"--set {text}: {what}", hint=did_you_mean(name, known or ()))
        source = Source("--set", text)
        pairs[name] = _override_value(source, text, value)
        keys[name] = Scalar(name, True, source, 1, 1, len(name))
    assert known is not None
    over = Entries(pairs, keys, (known.location.source, *known.location[1:3], 1))
    merged = known.merged(over)
    return Entries({**entries.pairs, "vars": merged}, entries.keys_at, (*entries.location[:3], 1))


def _override_value(source: Source, text: str, value: str) -> Value:
    if value.lstrip().startswith(("[", "{", '"', "'")):
        return parse(Source(source.name, value))
    stripped = value.strip()
    if not stripped:
        raise usage_error(f"--set {text}: there is no value", expected="var=value")
    return Scalar(stripped, True, source, 1, text.index("=") + 2, len(stripped))

