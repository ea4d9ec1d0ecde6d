"""The text of a spec as people write it: a layer on a line, branches below one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cnncli.language.writer import flow
from cnncli.layers import KINDS


def spec_text(sections: Mapping[str, Any]) -> str:
    """Return the text of a spec from its sections as plain values."""
    found: list[str] = []
    for key, value in sections.items():
        if key == "layers":
            found += ["", "layers:", *_layers(value, 2)]
        elif key == "blocks":
            found += ["", "blocks:"]
            for name, block in value.items():
                found.append(f"  {name}:")
                if "args" in block:
                    found.append(f"    args: {flow(block['args'])}")
                found += ["    layers:", *_layers(block["layers"], 6)]
        elif key == "heads":
            found += ["", "heads:", *(f"  {name}: {flow(head)}" for name, head in value.items())]
        else:
            found.append(f"{key}: {flow(value)}")
    return "\n".join([*found, ""])


def _layers(entries: list[Any], indent: int) -> Iterator[str]:
    for entry in entries:
        yield from _entry(entry, indent)


def _entry(entry: dict[str, Any], indent: int) -> Iterator[str]:
    kind, arguments = next(iter(entry.items()))
    branches = arguments.get("branches") if isinstance(arguments, dict) else None
    nested = branches is not None and any(isinstance(branch, list) for branch in branches)
    space = " " * indent
    if not nested:
        short = {kind: _short(kind, arguments), **{key: value for key, value in entry.items() if key != kind}}
        yield f"{space}- {flow(short)}"
        return
    assert branches is not None
    yield f"{space}- {kind}:"
    yield f"{space}    branches:"
    for branch in branches:
        if isinstance(branch, list):
            first, *rest = _layers(branch, indent + 8)
            yield f"{space}      - {first.lstrip()}"
            yield from rest
        else:
            yield f"{space}      - {flow(branch)}"
    for key, value in arguments.items():
        if key != "branches":
            yield f"{space}    {key}: {flow(value)}"
    yield from (f"{space}  {key}: {flow(value)}" for key, value in entry.items() if key != kind)


def _short(kind: str, arguments: Any) -> Any:
    """Return arguments as a bare value if there is only the main one."""
    declared = KINDS.get(kind)
    main = declared.main_argument if declared is not None else None
    if isinstance(arguments, dict) and [*arguments] == [main] and not isinstance(arguments[main], dict):
        return arguments[main]
    return arguments or None
