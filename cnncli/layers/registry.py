"""The kinds there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeVar

from cnncli.layers.kind import CRITERIA, Kind

K = TypeVar("K", bound=type[Kind[Any]])

KINDS: Final[dict[str, type[Kind[Any]]]] = {}
_RULES: Final = ("check", "output", "parameters", "macs", "operations", "connections", "windows", "saved")
_SUGAR: Final[dict[str, dict[str, str]]] = {"norm": {}, "activation": {}}


def layer(name: str, *, norm: str = "", activation: bool = False) -> Callable[[K], K]:
    """Register a kind under ``name``.

    ``norm`` is the word by which ``norm:`` means this kind; ``activation`` says that the name
    itself may stand after ``activation:``. A kind without a rule for some figure is refused here,
    so that no figure is ever silently 0.
    """

    def register(kind: K) -> K:
        missing = [rule for rule in _RULES if getattr(kind, rule) is getattr(Kind, rule)]
        if missing or not kind.__doc__:
            raise TypeError(f"kind '{name}' lacks {', '.join(missing) or 'a docstring'}")
        if kind.criterion not in CRITERIA:
            raise TypeError(
                f"kind '{name}' has the criterion '{kind.criterion}'; there is {', '.join(CRITERIA)}"
            )
        if name in KINDS:
            raise TypeError(f"there is a kind '{name}' already")
        kind.keyword = name
        kind.family = kind.__dict__.get("family", kind.__module__.rpartition(".")[2])
        KINDS[name] = kind
        if norm:
            _SUGAR["norm"][norm] = name
        if activation:
            _SUGAR["activation"][name] = name
        return kind

    return register


class KindVocabulary:
    """What the expansion of a spec asks about kinds (:class:`cnncli.language.description.Vocabulary`)."""

    def kinds(self) -> Collection[str]:
        return KINDS.keys()

    def main_argument(self, kind: str) -> str | None:
        declared = KINDS.get(kind)
        return declared.main_argument() if declared else None

    def arguments(self, kind: str) -> Collection[str]:
        return KINDS[kind].words()

    def is_join(self, kind: str) -> bool:
        declared = KINDS.get(kind)
        return declared is not None and declared.joins

    def takes_sugar(self, kind: str) -> bool:
        return KINDS[kind].sugar

    def sugar(self, key: str) -> Mapping[str, str]:
        return _SUGAR[key]
