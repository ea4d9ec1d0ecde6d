"""Random command lines: every command, every format, options with usual and with odd values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Final, NamedTuple, TypeAlias

from tests.campaign import words
from tests.campaign.case import FORMAT, FORMATS, SPEC


class Given(NamedTuple):
    """What a command line may refer to."""

    names: list[str]
    """The variables of the spec."""
    axes: int
    symbols: bool
    """Whether an input size may have symbols in this command."""


Option: TypeAlias = Callable[[Random, Given], list[str]]
"""The words of an option."""

SHIPPED: Final = ("lenet5", "unet", "capsnet", "alexnet", "small_resnet", "lecture/small", "nothing", "vgg16")
_VARS = re.compile(r"^vars:(.*(?:\n .*)*)", re.MULTILINE)
_NAME = re.compile(r"(?<![\w.$])([A-Za-z_]\w{0,20})(?=: )")
_INPUT = re.compile(r"^input: \[([^\]\n]*)\]", re.MULTILINE)
_SIZES = (
    *words.listed("1x28x28 3x32x32 3x224x224 1xHxW 3xHxW 3xHxH 3xHx224 CxHxW 8xL 1xDxHxW 16 N 32x32 3x0x0"),
    *words.listed(
        "1x3x32x32 3x1x1 1xinxW -1x3x3 3x1000000000000x2 3x\uff11\uff12x4 x 3x 3XHXW 3x3.5x2 3x[H]xW"
    ),
    *("3xifxNone", "HxHxH", "3x32x32x32x32", "3,32,32", "3 x 32 x 32", "", f"1x{'9' * 5000}x2"),
)
_AMOUNTS = (
    *words.listed("1M 2G 60k 8GiB 10MiB 0 -1 1e9 1e999 nan \uff11\uff12"),
    "",
    f"{'1' * 5000}!",
    "5 kB",
)
_FIGURES = (*words.listed("params macs memory weights_size depth flops layers parms neurons"), "")


def command_line(random: Random, text: str) -> tuple[str, ...]:
    """Return the words after ``cnncli`` for a spec in ``net.yaml``."""
    size = _INPUT.search(text)
    variables = _VARS.search(text)
    names = _NAME.findall(variables[1][:2000]) if variables else []
    command = random.choices((*WEIGHTS,), (*WEIGHTS.values(),))[0]
    axes = len(size[1].split(",")) if size else 3
    given = Given(names or ["width"], axes, command in ("inspect", "sizes", "memory"))
    line = [command, *SUBJECTS.get(command, _spec)(random, given)]
    for option, chance in OPTIONS[command].items():
        if random.random() < chance:
            line += option(random, given)
    if random.random() < 0.75:
        line += [FORMAT, random.choice(FORMATS)]
    return tuple(_odd(random, line) if random.random() < 0.02 else line)


def _odd(random: Random, given: list[str]) -> list[str]:
    """Return the command line with a word left out, repeated or replaced."""
    at = random.randrange(1, len(given) + 1)
    odd = random.choice(
        (*words.FOREIGN, "--", "--help", "--version", "--format", "xml", "--nothing", *given)
    ).replace("\x00", "")
    there = given[at : at + 1]
    return [*given[:at], *random.choice(([], there * 2, [odd], [odd, *there])), *given[at + 1 :]]


def _spec(random: Random, _: Given) -> list[str]:
    return ["--", SPEC] if random.random() < 0.01 else [SPEC]


def _specs(random: Random, given: Given) -> list[str]:
    """Several specs now and then."""
    if random.random() < 0.85:
        return _spec(random, given)
    return [
        SPEC,
        *random.choice((("lenet5",), (SPEC,), ("nothing.yaml",), ("*.yaml",), (".",), ("lenet5", "alexnet"))),
    ]


def _kind(random: Random, _: Given) -> list[str]:
    return (
        [random.choice((*words.NAMES, *words.NAMES, *words.FOREIGN, *words.KEYS))]
        if random.random() < 0.9
        else []
    )


def _nothing(_: Random, __: Given) -> list[str]:
    return []


def _vary(random: Random, given: Given) -> list[str]:
    chosen = random.choices(given.names, k=random.choice((1, 1, 1, 1, 2)))
    return [SPEC, *(word for name in chosen for word in ("--vary", name))]


def _of(option: str, *values: str) -> Option:
    return lambda random, _: [option, random.choice(values)]


def _flag(option: str) -> Option:
    return lambda _, __: [option]


def _set(random: Random, given: Given) -> list[str]:
    name = random.choice(
        (
            *given.names,
            *given.names,
            "train.batch",
            "train.optimizer",
            "train.optimizer.sgd.lr",
            "train.optimizer.adamw",
            "train.schedule.linear.warmup",
            "train.data",
            "train.data.resize",
            "train.tasks.output.weight",
            "train.tasks",
            "budget.params",
            "input",
            "nothing",
        )
    )
    usual = ("8", "2", "4", "1", "16", "[1, 2]", "adamw", "relu", "width")
    value = random.choice((*words.NUMBERS, *words.EXPRESSIONS) if random.random() < 0.4 else usual)
    return ["--set", f"{name}={value}" if random.random() < 0.95 else name]


def _symbolic(random: Random, given: Given) -> list[str]:
    return [
        "--symbolic",
        *random.choice(
            ((), (), (random.choice(given.names),), (",".join(random.choices(given.names, k=2)),))
        ),
    ]


def _limit(random: Random, _: Given) -> list[str]:
    usual = random.choice(("params=1M", "params=60k", "macs=2G", "macs=100k", "memory=8GiB", "memory=10MiB"))
    odd = f"{random.choice(_FIGURES)}={random.choice(_AMOUNTS)}"
    return ["--limit", usual if random.random() < 0.8 else odd]


_COUNT = (
    *words.listed("1 2 3 8 32") * 5,
    *words.listed("7 64 525 100000 0 -1 1.5 x 1e3"),
    *("9" * 4400, str(2**63)),
)


def _input(random: Random, given: Given) -> list[str]:
    """An input size, mostly with as many axes as the spec's."""
    if random.random() < 0.15:
        return ["--input", random.choice(_SIZES)]
    unknown = ("H", "W", "L", "32", "H") if given.symbols else ("64",)
    numbers = random.choice((("8", "9", "16"), ("16", "32", "33", "224"), unknown))
    channels = random.choice(("1", "3", "3", "8"))
    return ["--input", "x".join([channels, *random.choices(numbers, k=max(given.axes - 1, 0))])]


WEIGHTS: Final[Mapping[str, float]] = {
    "inspect": 36,
    "check": 14,
    "sizes": 16,
    "memory": 15,
    "fit": 13,
    "layers": 3,
    "specs": 0.05,
}
"""How often a command is chosen."""

SUBJECTS: Final[Mapping[str, Option]] = {
    "inspect": _specs,
    "check": _specs,
    "fit": _vary,
    "layers": _kind,
    "specs": _nothing,
}

OPTIONS: Final[Mapping[str, Mapping[Option, float]]] = {
    "inspect": {
        _input: 0.2,
        _of("--batch", *_COUNT): 0.1,
        _set: 0.15,
        _of("--depth", *_COUNT): 0.1,
        _flag("--fully-connected"): 0.12,
        _flag("--receptive-field"): 0.25,
        _flag("--shifts"): 0.2,
        _flag("--side-by-side"): 0.05,
        _symbolic: 0.2,
    },
    "check": {_input: 0.15, _set: 0.2, _of("--budget", "budget.yaml", SPEC, "nothing.yaml", ".", ""): 0.2},
    "sizes": {_input: 0.3, _set: 0.15, _of("--near", *_COUNT): 0.4},
    "memory": {
        _input: 0.3,
        _set: 0.15,
        _of("--batch", *_COUNT): 0.2,
        _of("--fit-into", *_AMOUNTS): 0.25,
        _of("--dtype", "float32", "float16", "bfloat16", "float64", "int8", "", "fp16"): 0.25,
    },
    "fit": {_input: 0.2, _set: 0.15, _limit: 0.9, _of("--output", "new.yaml", SPEC, "a/b.yaml", ""): 0.1},
    "layers": {},
    "specs": {},
}
"""Each option and how often it is given."""
