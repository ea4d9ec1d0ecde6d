"""The registry of kinds, by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeVar

from cnncli.language.nodes import RESERVED
from cnncli.language.shorthand import ACTIVATION, NORM, SHORTHAND
from cnncli.layers.kind import Kind
from cnncli.recipe.criteria import CRITERIA

K = TypeVar("K", bound=type[Kind[Any]])

KINDS: Final[dict[str, type[Kind[Any]]]] = {}
_RULES: Final = ("check", "output", "parameters", "macs", "operations", "neurons", "connections", "windows")
_WORDS: Final[dict[str, dict[str, str]]] = {key: {} for key in SHORTHAND}


def layer(name: str, *, norm: str = "", activation: bool = False) -> Callable[[K], K]:
    """Register a kind under ``name``.

    ``norm`` is the word for this kind after ``norm:``; ``activation`` allows the name itself after
    ``activation:``. A kind with a missing rule is refused, so that no figure is ever silently 0.

    Raises:
        TypeError: a rule or the docstring is missing, the criterion is unknown, or the name is taken.
    """

    def register(kind: K) -> K:
        missing = [rule for rule in _RULES if getattr(kind, rule) is getattr(Kind, rule)]
        if missing or not kind.__doc__:
            raise TypeError(f"kind '{name}' lacks {', '.join(missing) or 'a docstring'}")
        if kind.criterion not in CRITERIA:
            raise TypeError(
                f"kind '{name}' has an unknown criterion '{kind.criterion}'; known: {', '.join(CRITERIA)}"
            )
        if name in KINDS:
            raise TypeError(f"kind '{name}' is already registered")
        if not name.isidentifier() or name in RESERVED:
            raise TypeError(f"a kind cannot be called '{name}': one word is needed that no key of a node is")
        kind.keyword = name
        kind.family = kind.__dict__.get("family", kind.__module__.rpartition(".")[2])
        KINDS[name] = kind
        for key, word in ((NORM, norm), (ACTIVATION, name if activation else "")):
            if word:
                _WORDS[key][word] = name
        return kind

    return register


class KindVocabulary:
    """What expanding a spec needs to know about kinds (:class:`cnncli.language.description.Vocabulary`)."""

    def kinds(self) -> Collection[str]:
        return KINDS.keys()

    def main_argument(self, kind: str) -> str | None:
        declared = KINDS.get(kind)
        return declared.main_argument if declared else None

    def arguments(self, kind: str) -> Collection[str]:
        return KINDS[kind].words()

    def inherits(self, kind: str) -> Mapping[str, Collection[str]]:
        return KINDS[kind].inherits

    def is_join(self, kind: str) -> bool:
        declared = KINDS.get(kind)
        return declared is not None and declared.joins

    def takes_shorthand(self, kind: str) -> bool:
        return KINDS[kind].shorthand

    def shorthand(self, key: str) -> Mapping[str, str]:
        return _WORDS[key]
