"""Reading specs from texts, and finding one fault among what is reported."""

from __future__ import annotations

from textwrap import dedent

import pytest

from cnncli.diagnostics import CnncliError, Diagnostic, Location
from cnncli.graph import Graph, Node, Opened, open_text
from cnncli.report.messages import error_lines

INPUT = "input: [3, 8, 8]\n"


def spec(text: str) -> str:
    """A spec over a 3x8x8 input, unless the text has an input of its own."""
    text = dedent(text).lstrip("\n")
    return text if text.startswith("input:") or "\ninput:" in text else INPUT + text


def opened(text: str, *overrides: str) -> Opened:
    return open_text(spec(text), name="net.yaml", overrides=overrides)


def graph(text: str, *overrides: str) -> Graph:
    return opened(text, *overrides).graph


def nodes(text: str, *overrides: str) -> dict[str, Node]:
    return {node.name: node for node in graph(text, *overrides).nodes}


def names(text: str, *overrides: str) -> list[str]:
    return [node.name for node in graph(text, *overrides).nodes]


def kinds(text: str, *overrides: str) -> list[str]:
    return [node.kind for node in graph(text, *overrides).nodes]


def layer(text: str, *overrides: str) -> Node:
    """The one node of a spec."""
    (node,) = graph(text, *overrides).nodes
    return node


def faults(text: str, *overrides: str) -> tuple[Diagnostic, ...]:
    """What is wrong with a spec; nothing being wrong fails the test."""
    with pytest.raises(CnncliError) as caught:
        opened(text, *overrides)
    return caught.value.diagnostics


def fault(text: str, *overrides: str) -> Diagnostic:
    """The one thing that is wrong with a spec."""
    found = faults(text, *overrides)
    assert len(found) == 1, [each.message for each in found]
    return found[0]


def pointed(diagnostic: Diagnostic) -> str:
    """The text over the carets."""
    assert diagnostic.location is not None
    return under(diagnostic.location)


def under(where: Location) -> str:
    line = where.source.line(where.line)
    return line[where.column - 1 : where.column - 1 + where.width]


def rendered(text: str, *overrides: str) -> str:
    """The messages as a person sees them."""
    return "\n".join(line.text for line in error_lines(faults(text, *overrides))) + "\n"
