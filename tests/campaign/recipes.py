"""Random recipes, made from the declarations: every setting, transform, loss, optimizer and schedule.

Most are valid for some network; whether a loss fits a head is left to chance.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

from cnncli.language.fields import Record
from cnncli.language.nested import ByName, ListOf, Nested, OneOf, Unset
from cnncli.language.readers import Choice, Flag, Number, Reader, Whole
from cnncli.recipe.data import RESIZE_RULES, SOURCES, SourceText
from cnncli.recipe.groups import Group
from cnncli.recipe.losses import BALANCED, EQUAL, LOSSES, ClassWeights
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.start import Start
from cnncli.recipe.tasks import Task, TaskReader
from tests.campaign import words

_ODD: Final = 0.02
"""How often a value is anything."""
_GIVEN: Final = 0.3
"""How often a setting is written."""
_NUMBERS: Final = (0.0, 1e-3, 0.1, 0.3, 0.5, 0.9, 1.0, 2.0, 15.0)
_PATTERNS: Final = ("*", "*1", "conv*", "linear1", "stem", "*.conv1")
_OF_GROUPS: Final = (
    "lr: 0.01",
    "weight_decay: 0",
    "freeze: true",
    "freeze: true, unfreeze_at: 2",
    "lr: 1, weight_decay: 0.1",
)
_STARTS: Final = (
    "weights.safetensors",
    "{from: run, reset: ['linear*']}",
    "{from: a.pth, map: {a: conv1}}",
    "{from: a.pth, key: model}",
)
_WHOLE: Final = (0, 1, 2, 3, 4, 8, 16)
_TEXTS: Final[Mapping[type, tuple[str, ...]]] = {
    SourceText: (*SOURCES, "idx:idx", "npz:data.npz", "folder:folder", *RESIZE_RULES),
    ClassWeights: (EQUAL, BALANCED, "[1, 2, 0.5]", "[1]"),
    Flag: ("true", "false"),
}


def made(random: Random, heads: Sequence[str] = ("output",)) -> str:
    """Return a ``train`` section for a network with these heads, in braces."""
    return _mapping(random, Recipe, heads)


def _mapping(random: Random, record: type[Record], heads: Sequence[str]) -> str:
    given = {
        name: _value(random, declared.reader, declared.default, heads)
        for name, declared in record.arguments.items()
        if name in record.required or random.random() < _GIVEN
    }
    return _braces(given)


def _braces(given: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{name}: {text}' for name, text in given.items())}}}"


def _value(random: Random, reader: Reader[Any], default: object, heads: Sequence[str]) -> str:
    """Return a text for a reader; for one that is not known here its default."""
    if random.random() < _ODD:
        return random.choice((*words.NUMBERS[:30], *words.EXPRESSIONS, *words.FOREIGN))
    if isinstance(reader, Unset):
        return "null" if random.random() < _ODD else _value(random, reader.reader, default, heads)
    if isinstance(reader, ListOf):
        count = random.choice((1, 1, 2, 3, 5))
        return f"[{', '.join(_value(random, reader.each, None, heads) for _ in range(count))}]"
    if isinstance(reader, ByName):
        return _braces({head: _value(random, reader.each, None, heads) for head in heads})
    if isinstance(reader, Nested | OneOf | TaskReader):
        return _records(random, reader, heads)
    if isinstance(reader, Choice):
        return random.choice([*reader.words])
    if isinstance(reader, Whole | Number):
        return _number(random, reader)
    texts = next((texts for each, texts in _TEXTS.items() if isinstance(reader, each)), None)
    return random.choice(texts) if texts else json.dumps(reader.plain(default))


def _records(random: Random, reader: Nested[Any] | OneOf[Any] | TaskReader, heads: Sequence[str]) -> str:
    if isinstance(reader, Nested) and reader.record is Group:
        # Any two settings of it would hardly ever have an effect.
        pattern, setting = random.choice(_PATTERNS), random.choice(_OF_GROUPS)
        return f"{{match: '{pattern}', {setting}}}"
    if isinstance(reader, Nested) and reader.record is Start:
        return random.choice(_STARTS)
    if isinstance(reader, Nested):
        return _mapping(random, reader.record, heads)
    return _task(random, heads) if isinstance(reader, TaskReader) else _one_of(random, reader, heads)


def _one_of(random: Random, reader: OneOf[Any], heads: Sequence[str]) -> str:
    """Return the name of a record, with its main setting, with some of its settings, or alone."""
    name = random.choice([*reader.known])
    record = reader.known[name]
    main = record.main_argument
    form = random.random()
    if form < 0.4 and not record.required:
        return name
    if main is not None and form < 0.6:
        declared = record.arguments[main]
        return f"{{{name}: {_value(random, declared.reader, declared.default, heads)}}}"
    return f"{{{name}: {_mapping(random, record, heads)}}}"


def _task(random: Random, heads: Sequence[str]) -> str:
    """Return a loss, alone or among the other settings of a task."""
    loss = _one_of(random, OneOf("loss", LOSSES), heads)
    if random.random() < 0.5:
        return loss
    beside = {
        name: _value(random, declared.reader, declared.default, heads)
        for name, declared in Task.arguments.items()
        if name != "loss" and random.random() < 0.5
    }
    whole = loss[1:-1] if loss.startswith("{") else f"{loss}: "
    return f"{{{', '.join([whole, *(f'{name}: {text}' for name, text in beside.items())])}}}"


def _number(random: Random, reader: Whole | Number) -> str:
    usual = _WHOLE if isinstance(reader, Whole) else _NUMBERS
    least, most = reader.minimum, reader.maximum
    fitting = [each for each in usual if (least is None or each >= least) and (most is None or each <= most)]
    return f"{random.choice(fitting or usual):g}"
