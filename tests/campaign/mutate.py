"""Changes of a text, each a small one at a random place."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeAlias

from tests.campaign import words

Mutation: TypeAlias = Callable[[Random, str], str]

MAX_TEXT: Final = 60_000
"""A text is not made longer than this: most cases are meant to be short."""

_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
_WORD = re.compile(r"(?<![\w$])[A-Za-z_]\w*")
_KEY = re.compile(r"\w+(?=:)")
_VALUE = re.compile(r"(?<=: )[^\n,\[\]{}]+")
_ENTRY = re.compile(r"(\w+: )[^,}\[]+")
_ITEM = re.compile(r"^(\s*)- (.+)$")


def mutated(random: Random, text: str, others: Sequence[str]) -> str:
    """Return the text after a few changes; ``others`` are texts to take parts from."""
    for _ in range(random.choice((1, 1, 1, 1, 1, 2, 2, 4))):
        if random.random() < 0.08:
            changed = splice(random, text, random.choice(others))
        else:
            changed = random.choice(TEXTUAL if random.random() < 0.15 else STRUCTURAL)(random, text)
        if len(changed) <= MAX_TEXT:
            text = changed
    return text


# -- bytes and tokens ------------------------------------------------------------------------------


def flip_bits(random: Random, text: str) -> str:
    data = bytearray(text.encode("utf-8", "replace"))
    for _ in range(random.choice((1, 2, 5))):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return data.decode("utf-8", "replace")


def on_tokens(change: Callable[[Random, list[str], int, int], None]) -> Mutation:
    """Return the mutation that changes the list of tokens at two places."""

    def mutation(random: Random, text: str) -> str:
        tokens = _TOKEN.findall(text) or [""]
        change(random, tokens, random.randrange(len(tokens)), random.randrange(len(tokens)))
        return "".join(tokens)

    return mutation


def delete(random: Random, tokens: list[str], i: int, _: int) -> None:
    del tokens[i : i + random.choice((1, 1, 2, 5, 30))]


def duplicate(random: Random, tokens: list[str], i: int, j: int) -> None:
    tokens[i:i] = tokens[j : j + random.choice((1, 3, 10))]


def swap(_: Random, tokens: list[str], i: int, j: int) -> None:
    tokens[i], tokens[j] = tokens[j], tokens[i]


def another_word(_: Random, tokens: list[str], i: int, j: int) -> None:
    tokens[i] = tokens[j]


def replace(random: Random, tokens: list[str], i: int, _: int) -> None:
    tokens[i] = random.choice(words.ANY)


def insert(random: Random, tokens: list[str], i: int, _: int) -> None:
    tokens.insert(i, random.choice(words.ANY))


# -- values, keys and words ------------------------------------------------------------------------


def on_match(pattern: re.Pattern[str], change: Callable[[Random, str], str]) -> Mutation:
    """Return the mutation that changes one of the places that a pattern finds."""

    def mutation(random: Random, text: str) -> str:
        found = [*pattern.finditer(text)]
        if not found:
            return text
        at = random.choice(found)
        return f"{text[: at.start()]}{change(random, at[0])}{text[at.end() :]}"

    return mutation


def other_number(random: Random, number: str) -> str:
    if random.random() < 0.4 and len(number) < 20 and number.lstrip("-").isdigit():
        return str(random.choice((int(number) + 1, int(number) - 1, int(number) * 2, int(number) * 1000)))
    return random.choice(words.NUMBERS)


def other_value(random: Random, value: str) -> str:
    forms: tuple[Callable[[], str], ...] = (
        lambda: random.choice(words.EXPRESSIONS),
        lambda: random.choice(words.NUMBERS),
        lambda: random.choice(words.FOREIGN),
        lambda: f"[{value}, {value}]",
        lambda: f"[{', '.join([value] * random.choice((3, 4, 50, 2000)))}]",
        lambda: f"{{{random.choice(words.KEYS)}: {value}}}",
        lambda: f"{'[' * (depth := random.choice((2, 60, 600)))}{value}{']' * depth}",
        lambda: f"&a {value}",
        lambda: "*a",
        lambda: f"!!python/object:os.system {value}",
        lambda: f'"{value}$width"',
        lambda: value * random.choice((2, 30, 3000)),
    )
    return random.choice(forms)()


def other_key(random: Random, _: str) -> str:
    return random.choice(random.choice((words.KEYS, words.NAMES, words.FOREIGN)))


def other_name(random: Random, word: str) -> str:
    choice = random.random()
    if choice < 0.5:
        return random.choice(words.NAMES)
    if choice < 0.7:
        return random.choice(words.FOREIGN)
    at = random.randrange(len(word) + 1)
    return word[:at] + random.choice(("", "x", "s", "_")) + word[at + random.choice((0, 1)) :]


# -- lines -----------------------------------------------------------------------------------------


def on_lines(change: Callable[[Random, list[str], int], None]) -> Mutation:
    """Return the mutation that changes the list of lines at one of them."""

    def mutation(random: Random, text: str) -> str:
        lines = text.split("\n")
        change(random, lines, random.randrange(len(lines)))
        return "\n".join(lines)

    return mutation


def drop_lines(random: Random, lines: list[str], i: int) -> None:
    del lines[i : i + random.choice((1, 1, 1, 2, 5))]


def copy_lines(random: Random, lines: list[str], i: int) -> None:
    part = lines[i : i + random.choice((1, 1, 2, 4))]
    lines[i:i] = part * random.choice((1, 1, 1, 3, 20, 300))


def move_line(random: Random, lines: list[str], i: int) -> None:
    """Swap two lines that are indented alike."""
    alike = [j for j, line in enumerate(lines) if _indentation(line) == _indentation(lines[i])]
    j = random.choice(alike)
    lines[i], lines[j] = lines[j], lines[i]


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def indent(random: Random, lines: list[str], i: int) -> None:
    lines[i] = lines[i].lstrip() if random.random() < 0.3 else "  " + lines[i]


def repeat(random: Random, lines: list[str], i: int) -> None:
    """Repeat a layer: a node in braces may have more keys beside its kind."""
    found = _ITEM.match(lines[i])
    if found and "{" not in found[2].partition(":")[0]:
        word = found[2] if ":" in found[2] else f"{found[2]}: "
        count = random.choice(("0", "1", "2", "3", "26", "360", "1000", "20000", "10**9", '"depths[0]"'))
        lines[i] = f"{found[1]}- {{{word}, repeat: {count}}}"


def wrap(random: Random, lines: list[str], i: int) -> None:
    """Make a layer the branch of a join."""
    found = _ITEM.match(lines[i])
    if found:
        join = random.choice(("add", "concat", "multiply"))
        branch = f"[{', '.join([found[2]] * random.choice((1, 1, 2, 40)))}]"
        other = random.choice(("identity", "input", branch, "tanh", "{conv: {channels: 4, kernel: 1}}"))
        lines[i] = f"{found[1]}- {join}: [{other}, {branch}]"


def name_node(random: Random, lines: list[str], i: int) -> None:
    found = _ITEM.match(lines[i])
    if found and found[2].count(":") >= 1:
        extra = random.choice(("name: a", "name: conv2", "from: input", "from: a", "name: '0'", "name: a.b"))
        lines[i] = f"{found[1]}- {{{found[2]}, {extra}}}"


def doubling(random: Random, lines: list[str], _: int) -> None:
    """Add variables of which each has the one before twice, the last under a name of the spec."""
    depth = random.choice((3, 10, 25))
    form = random.choice(('"$a{0}$a{0}"', '"a{0} + a{0}"', '"a{0} * a{0}"', "[a{0}, a{0}]", '"a{0} == a{0}"'))
    chain = ", ".join(f"a{each}: {form.format(each - 1)}" for each in range(1, depth))
    at = next((j for j, line in enumerate(lines) if line.startswith("vars: {")), None)
    known = lines.pop(at).removeprefix("vars: {") if at is not None else "width: 8}"
    used = _ENTRY.sub(rf"\g<1>a{depth - 1}", known, count=1)
    lines.insert(0, f"vars: {{a0: {random.choice(('2', 'x', '[1, 2]'))}, {chain}, {used}")


def add_layers(random: Random, lines: list[str], i: int) -> None:
    found = _ITEM.match(lines[i])
    if found:
        lines.insert(i, f"{found[1]}- {random.choice(LAYERS)}")


LAYERS: Final = (
    *(
        "relu",
        "flatten",
        "softmax",
        "globalavgpool",
        "batchnorm",
        "dropout: 0.5",
        "identity",
        "unit",
        "unit: 4",
    ),
    *(
        "conv: {channels: 8, kernel: 3, padding: same, norm: batch, activation: relu}",
        "linear: 10",
        "maxpool: 2",
    ),
    *(
        "conv: {channels: width, kernel: k, stride: 2}",
        "adaptiveavgpool: 7",
        "adaptivemaxpool: 500",
        "upsample: 3",
    ),
    *("{maxpool: {kernel: 1, stride: 1000000000000}, repeat: 26}", "pad: 15000", "crop: 1", "reshape: [-1]"),
    *("avgpool: {kernel: 49999, stride: 1}", "convtranspose: {channels: 4, kernel: 2, stride: 2}", "pad: -1"),
    *("add: [identity, [conv: {channels: 8, kernel: 1}]]", "concat: [identity, identity]", "shortcut: 8"),
    *(
        "maxpool: {kernel: 3, stride: 2, ceil_mode: true}",
        "pixelshuffle: 2",
        "capsules: 4",
        "rbf",
        "layernorm",
    ),
    *("concat: {branches: [input, identity], align: crop}", "localresponsenorm: 5", "medianpool: 3"),
    *("reshape: [1, -1]", "multiply: [identity, [globalavgpool: {keepdims: true}, sigmoid]]", "noise: 0.1"),
)
"""Layers to add anywhere."""


def splice(random: Random, text: str, other: str) -> str:
    """Return the text with a few lines of another one in it."""
    lines, theirs = text.split("\n"), other.split("\n")
    start, at = random.randrange(len(theirs)), random.randrange(len(lines) + 1)
    lines[at:at] = theirs[start : start + random.choice((1, 2, 4, 10))]
    return "\n".join(lines)


TEXTUAL: Final[tuple[Mutation, ...]] = (
    flip_bits,
    *map(on_tokens, (delete, duplicate, swap, another_word, replace, insert)),
    on_lines(indent),
)
"""Mutations that know nothing of the language: most of what they make is refused early."""

STRUCTURAL: Final[tuple[Mutation, ...]] = (
    *(on_match(_NUMBER, other_number),) * 6,
    *(on_match(_VALUE, other_value),) * 2,
    *(on_match(_KEY, other_key), on_match(_WORD, other_name), on_match(_WORD, other_name)),
    *map(on_lines, (drop_lines, copy_lines, move_line, repeat, repeat, wrap, wrap, name_node)),
    *map(on_lines, (doubling, add_layers, add_layers, add_layers)),
)
"""Mutations of numbers, values, names and layers."""
