"""No input whatever gives a traceback: anything but success and a located message is a bug."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cnncli.algebra import evaluate
from cnncli.analysis.costs.figures import costs
from cnncli.cli.app import application
from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.graph import Opened, open_text
from cnncli.language.tree import Entries
from cnncli.language.writer import to_yaml
from cnncli.report.messages import error_lines
from tests.steps import at_most

SPECS = sorted((Path(__file__).parent.parent.parent / "specs").rglob("*.yaml"))
BLOCKS = """
vars: {width: 8, depths: [2, 1], act: relu, k: 3}
name: net
input: [3, 16, 16]
defaults: {conv: {padding: half, bias: false}}
blocks:
  unit:
    args: {channels: , stride: 1, norm: batch}
    layers:
      - add:
          - - {conv: {channels: channels, kernel: k, stride: stride, norm: $norm, activation: $act}}
            - conv: {channels: channels, kernel: "min(k, 3)", norm: {group: 2}}
          - shortcut: {channels: channels, stride: stride}
      - relu
  stem: {numbered: true, args: {c: &c 8}, layers: [conv: {channels: c, kernel: 3}, relu, maxpool: 2]}
layers:
  - {stem: *c, name: stem}
  - {unit: {channels: width}, repeat: "depths[0]", name: layer1}
  - {unit: {channels: width*2}, first: {stride: 2}, repeat: "depths[1] + 1", name: layer2}
  - concat: {branches: [layer1, identity, [tanh, dropout: 0.1]], align: crop}
  - {globalavgpool: , name: features}
heads:
  digit: [linear: 10]
  aux: {from: layer1, layers: [globalavgpool, linear: 3], training_only: true}
train:
  epochs: 2
  data: {source: digits, resize: pad}
  optimizer: {sgd: {lr: 1e-3}}
  schedule: {cosine: {warmup: 1}}
  tasks: {digit: cross_entropy, aux: {cross_entropy: {smoothing: 0.1}, weight: 0.3}}
budget: {params: 1.2M, macs: 60k, weights_size: 512 KiB}
"""

WORDS = (
    *'[]{}:-,&*!|>#%@`?~$<+"',
    "'",
    "<<",
    "**",
    "//",
    "0",
    "-1",
    "1.5",
    "1e999",
    "999999999999",
    str(2**63),
    "null",
    "no",
    "$width",
    "${",
    "min(",
    "depths[0]",
    "identity",
    "input",
    "repeat",
    "first",
    "from",
    "name",
    "heads",
    "extends",
    "vars",
    "norm",
    "activation",
    "same",
    "padding",
    "fit",
    "reshape",
    "adaptiveavgpool",
    "upsample",
    "groups",
    "concat",
    "branches",
    "unit",
    "width",
    "x" * 300,
    "é",
    "\u2028",
    "\t",
    "\r",
    "\x00",
    "\n",
    "\n  ",
    "\ufeff",
)
TOKEN = re.compile(r"\s+|\w+|[^\w\s]")


def flip_bits(rng: random.Random, text: str) -> str:
    data = bytearray(text.encode("utf-8", "replace"))
    for _ in range(rng.choice([1, 2, 5])):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data.decode("utf-8", "replace")


def on_tokens(
    change: Callable[[random.Random, list[str], int, int], None],
) -> Callable[[random.Random, str], str]:
    def mutation(rng: random.Random, text: str) -> str:
        tokens = TOKEN.findall(text) or [""]
        change(rng, tokens, rng.randrange(len(tokens)), rng.randrange(len(tokens)))
        return "".join(tokens)

    return mutation


def delete(rng: random.Random, tokens: list[str], i: int, _: int) -> None:
    del tokens[i : i + rng.choice([1, 1, 2, 5, 30])]


def duplicate(rng: random.Random, tokens: list[str], i: int, j: int) -> None:
    tokens[i:i] = tokens[j : j + rng.choice([1, 3, 10])]


def swap(_: random.Random, tokens: list[str], i: int, j: int) -> None:
    tokens[i], tokens[j] = tokens[j], tokens[i]


def replace(rng: random.Random, tokens: list[str], i: int, _: int) -> None:
    tokens[i] = rng.choice(WORDS)


def insert(rng: random.Random, tokens: list[str], i: int, _: int) -> None:
    tokens.insert(i, rng.choice(WORDS))


def another_word(_: random.Random, tokens: list[str], i: int, j: int) -> None:
    tokens[i] = tokens[j]


MUTATIONS = (flip_bits, *map(on_tokens, (delete, duplicate, swap, replace, replace, insert, another_word)))


def mutants(seed: int, count: int) -> Iterator[str]:
    texts = [BLOCKS, *(path.read_text(encoding="utf-8") for path in SPECS)]
    rng = random.Random(seed)  # noqa: S311 -- chance to repeat, not to keep secret
    for _ in range(count):
        text = rng.choice((BLOCKS, rng.choice(texts)))
        for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
            text = rng.choice(MUTATIONS)(rng, text)
        yield text


def outcome(text: str, *unknown: str) -> Opened | None:
    """Opens a text; what is raised other than a message, and a message that cannot be shown, fails."""
    opened: Opened | None = None
    found: tuple[Diagnostic, ...] = ()
    try:
        with at_most(2_000_000):
            opened = open_text(text, name="net.yaml", unknown=unknown)
            costs(opened.graph)
    except CnncliError as error:
        found = error.diagnostics
    assert opened is not None or found
    assert all(each.message for each in found)
    assert all(line.text.isprintable() for line in error_lines(found))
    return opened


def check_written_back(opened: Opened) -> None:
    """The text that a run keeps means the same network."""
    again = open_text(to_yaml(opened.document))
    assert [node[:8] for node in again.graph.nodes] == [node[:8] for node in opened.graph.nodes]
    assert [note.message for note in again.graph.notes] == [note.message for note in opened.graph.notes]
    same = again.graph._replace(nodes=(), source=opened.graph.source, notes=opened.graph.notes)
    assert same == opened.graph._replace(nodes=())
    assert (again.train, again.budget) == (opened.train, opened.budget)


def check_unknown(text: str, opened: Opened) -> int:
    """The formulas in a variable are at its own value what there is in numbers; for how many variables."""
    variables = opened.document.entries.get("vars")
    checked = 0
    for name in variables if isinstance(variables, Entries) else ():
        unknown = outcome(text, name)
        own = opened.document.scope.result(name) if unknown is not None else 0
        if unknown is None or not isinstance(own, int) or own < 1:
            continue  # it is used where a formula is not accepted, or symbols do not stand for it
        at = {name: own}
        assert all(evaluate(bound.condition, at) for bound in unknown.graph.bounds), text
        formulas, numbers = (costs(each.graph).training_totals for each in (unknown, opened))
        assert [evaluate(each, at) for each in formulas] == [*numbers], text
        checked += 1
    return checked


def check_mutants(seed: int, count: int) -> None:
    good = checked = 0
    for text in mutants(seed, count):
        opened = outcome(text)
        if opened is not None:
            good += 1
            check_written_back(opened)
            checked += check_unknown(text, opened)
    assert checked > good // 20
    # Of mutants that all are nonsense, one would learn little.
    assert good > count // 25


def test_the_unharmed_specs() -> None:
    opened = outcome(BLOCKS)
    assert opened is not None
    check_written_back(opened)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_mutated_specs(seed: int) -> None:
    check_mutants(seed, 300)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_mutated_specs(seed: int) -> None:
    check_mutants(seed, 5_000)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.sampled_from(WORDS),
        st.sampled_from(["relu", "conv", "add", "unit", "linear", "3", "[1, 2]"]),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.sampled_from(WORDS), st.sampled_from(["conv", "kernel", "channels", "layers", "args"])
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
SECTIONS = ("name", "extends", "input", "vars", "defaults", "blocks", "layers", "heads", "train", "budget")


def as_yaml(value: object) -> str:
    """YAML of what may hold any text, quoted and unquoted alike."""
    if isinstance(value, list):
        return f"[{', '.join(map(as_yaml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{as_yaml(key)}: {as_yaml(each)}' for key, each in value.items())}}}"
    return str(value)


@pytest.mark.slow
@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(SECTIONS), VALUES, max_size=6))
def test_sections_that_hold_anything(sections: dict[str, Any]) -> None:
    outcome("".join(f"{key}: {as_yaml(value)}\n" for key, value in sections.items()))


@settings(max_examples=150)
@given(VALUES)
def test_a_layer_that_is_anything(value: object) -> None:
    outcome(
        f"{BLOCKS.replace('layers:' + chr(10), 'layers:' + chr(10) + '  - ' + as_yaml(value) + chr(10), 1)}"
    )


@settings(max_examples=150)
@given(st.text(alphabet=st.sampled_from("ab1 +-*/%()[]<>=!,.'\"$_iforenx\\\n"), max_size=40))
def test_an_expression_that_is_anything(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    outcome(
        f"vars: {{a: 3, b: [1, 2], i: {quoted}}}\n"
        f"input: [3, 8, 8]\nlayers: [conv: {{channels: {quoted}, kernel: i}}]"
    )


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_a_text_that_is_anything(text: str) -> None:
    outcome(text)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(st.text(max_size=20), max_size=2), st.one_of(st.none(), st.text(max_size=12)))
def test_options_that_are_anything(overrides: list[str], size: str | None) -> None:
    options = [word for each in overrides for word in ("--set", each)]
    options += ["--input", size] if size is not None else []
    run_cli(["inspect", str(SPECS[0]), *options])


@pytest.mark.slow
@pytest.mark.parametrize("command", ["inspect", "check"])
def test_the_command_line(command: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    for text in mutants(7, 40):
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        run_cli([command, str(path)])


def run_cli(arguments: list[str]) -> None:
    done = CliRunner().invoke(application(), arguments)
    assert done.exit_code in (0, 1, 2)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
