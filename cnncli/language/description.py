"""The fully expanded spec: nodes in order, every name resolved, arguments as written."""

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


class NodeSpec(NamedTuple):
    """A node: its dotted name, its kind, the arguments as written, the nodes it reads.

    An input is None if the node it refers to is faulty. ``uses`` are the places, outermost first, where the
    blocks around this node are used.
    """

    name: str
    kind: str
    arguments: Mapping[str, Argument]
    inputs: tuple[str | None, ...]
    location: Location
    uses: tuple[Location, ...]


def same_arguments(arguments: Mapping[str, Argument]) -> tuple[object, ...]:
    """Return a key that is equal for arguments with the same written values and scopes.

    It consists of object identities, so it is valid as long as the arguments exist.
    """
    return tuple((name, id(each.value), id(each.scope)) for name, each in arguments.items())


class HeadSpec(NamedTuple):
    """An output: the node that computes it, and whether it exists in training only."""

    node: str | None
    training_only: bool


class Description(NamedTuple):
    """A spec after expansion.

    ``groups`` describes each prefix of a dotted name: a block, ``conv x3``, ``head``. ``variables`` are the
    symbolic variables; ``input`` and arguments may be formulas in them.
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
    """What expansion must know about the kinds, which are declared in a higher module."""

    def kinds(self) -> Collection[str]:
        """Return the names of all kinds."""

    def main_argument(self, kind: str) -> str | None:
        """Return the argument that gets a bare value."""

    def arguments(self, kind: str) -> Collection[str]:
        """Return all arguments of the kind, shorthand included."""

    def inherits(self, kind: str) -> Mapping[str, Collection[str]]:
        """Return the kinds whose defaults apply to a kind too, each with the arguments concerned."""

    def is_join(self, kind: str) -> bool:
        """Return whether the kind has branches."""

    def takes_shorthand(self, kind: str) -> bool:
        """Return whether the kind accepts shorthand (:mod:`cnncli.language.shorthand`)."""

    def shorthand(self, key: str) -> Mapping[str, str]:
        """Return the words allowed after ``norm`` or ``activation``, each with its kind."""
