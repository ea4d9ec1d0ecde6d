"""The fully expanded spec: nodes in order, every name resolved, arguments still as written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, Protocol

from cnncli.algebra import Dim
from cnncli.diagnostics import Location, Source
from cnncli.language.scope import Argument

INPUT: Final = "input"
"""The name by which nodes refer to the network's input."""
OUTPUT: Final = "output"
"""The name of the only output of a spec without heads."""


SUGAR: Final = ("norm", "activation")
"""Arguments that become nodes of their own, in this order."""


class NodeSpec(NamedTuple):
    """One node: its dotted name, its kind, the arguments as written, the nodes it reads.

    An input is None where the node it would name is itself at fault.
    ``uses`` are the places, outermost first, where blocks were used that led to this node.
    """

    name: str
    kind: str
    arguments: Mapping[str, Argument]
    inputs: tuple[str | None, ...]
    location: Location
    uses: tuple[Location, ...]


def same_arguments(arguments: Mapping[str, Argument]) -> tuple[object, ...]:
    """What two sets of arguments have in common that were written in one place and mean the same.

    It holds for as long as the arguments are kept: it is made of identities.
    """
    return tuple((name, id(each.value), id(each.scope)) for name, each in arguments.items())


class HeadSpec(NamedTuple):
    """One output: the node that gives it, and whether it exists in training only."""

    node: str | None
    training_only: bool


class Description(NamedTuple):
    """A spec after expansion. ``groups`` names what stands behind each prefix of a dotted name.

    ``variables`` are those that are kept as symbols; ``input`` and arguments may then be formulas of them.
    """

    name: str
    source: Source
    input: tuple[Dim, ...]
    input_at: Location
    nodes: tuple[NodeSpec, ...]
    heads: Mapping[str, HeadSpec]
    groups: Mapping[str, str]
    variables: tuple[str, ...] = ()


class Vocabulary(Protocol):
    """What expansion must know of the kinds of layers, which live above it."""

    def kinds(self) -> Collection[str]:
        """The names of all kinds."""

    def main_argument(self, kind: str) -> str | None:
        """The argument that a bare value is given to."""

    def arguments(self, kind: str) -> Collection[str]:
        """All that may be given to the kind, sugar included."""

    def is_join(self, kind: str) -> bool:
        """Whether the kind takes branches."""

    def takes_sugar(self, kind: str) -> bool:
        """Whether ``norm`` and ``activation`` may stand among the kind's arguments."""

    def sugar(self, key: str) -> Mapping[str, str]:
        """The words that ``norm`` or ``activation`` may be, and the kind that each stands for."""
