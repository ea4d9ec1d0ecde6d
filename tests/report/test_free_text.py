"""Free text from strangers, through every command and format: nothing of it is code, markup or a command."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt
from PIL import Image
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.layers import KINDS
from cnncli.report.show import FORMATS
from cnncli.report.text import escapes

LINKS = "@team #12 GH-7 https://e.vil www.e.vil a@b.co ~~x~~ $x$ a/b#3 !4 &#64;team &5"
HOSTILE = (
    f"::error file=x::{LINKS}",
    "##vso[task.setvariable variable=x]y ##[error]z ##teamcity[x] <script>alert(1)</script><img src=x>",
    "\x1b[31m\x1b]0;t\x07 \x7f\x85\x9b \u202eabc\u2066 a\u2028b\ufeff \u200b\r\n::error::b \U000e0041",
    "![i](//e.vil) [l](//e.vil) `c` *b* _i_ | x <b>",
    "- l",
    "1. l",
    "# h",
)
COMMANDS = (
    "inspect {}",
    "inspect {} --receptive-field --shifts --fully-connected --batch 2",
    "inspect {} --symbolic",
    "inspect {} lenet5 --side-by-side",
    "check {}",
    "check {} lenet5",
    "sizes {}",
    "memory {}",
    "memory {} --input 1xHxW",
    "fit {} --vary width --limit params=1k",
)
SPEC = """
name: {name}
input: [1, 8, 8]
vars: {{width: 2, text: {variable}}}
layers: [{{conv: {{channels: width, kernel: 3}}, name: {node}}}, flatten, {{linear: 3, name: l}}]
budget: {{params: {budget}}}
paper: {{authors: {paper}, year: 1999, title: {paper}, figures: {paper}}}
"""
PLAIN = {"name": "n", "variable": "t", "node": "c", "budget": "10", "paper": "p"}


def printed(*arguments: str) -> Iterator[str]:
    """What a command prints to standard output and to standard error."""
    result = CliRunner().invoke(application(), arguments)
    assert result.exit_code in (0, 1, 2), (arguments, result.exception)
    assert not isinstance(result.exception, Exception), result.exception
    yield from (result.stdout, result.stderr)


def check(text: str, form: str) -> None:
    """Check an output in one format, or the messages of any, in the format ``table``."""
    for line in text.replace("\N{NO-BREAK SPACE}", " ").split("\n"):
        assert line.isprintable(), line
        assert not line.lstrip().startswith("::"), line
        assert not re.search(r"##\w*\[", line), line
    if text and form == "json":
        json.loads(text, parse_constant=pytest.fail)
    if form == "markdown":
        check_elements(
            MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
        )
    if form == "html":
        check_elements(text, {"div", "style", "details", "summary"})


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"class", "style"}

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside != "style":
            self.texts.append(data)


def check_elements(html: str, more: frozenset[str] | set[str] = frozenset()) -> None:
    parser = Elements()
    parser.feed(html)
    shown = {"h2", "h3", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "br", "span"}
    assert parser.tags <= shown | more
    if not more:  # GitHub and GitLab look for these in the texts between tags, after Markdown has been read
        for text in parser.texts:
            assert not re.search(r"@\w|#\d|://|www\.\w|\$.|GH-\d|&\d|!\d", text), text


def quoted_yaml(text: str) -> str:
    return str(yaml.safe_dump(text, default_style='"', width=10_000)).strip()


def written(path: str, **texts: str) -> str:
    quoted = {key: quoted_yaml(value.replace("$", "$$")) for key, value in texts.items()}
    Path(path).write_text(SPEC.format_map(PLAIN | quoted), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("slot", PLAIN)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_texts_of_a_spec(text: str, slot: str, form: str) -> None:
    path = written("net.yaml", **{slot: text})
    for command in COMMANDS:
        out, said = printed(*command.format(path).split(), "--format", form)
        check(out, form)
        check(said, "table")


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_names_of_files(text: str, form: str) -> None:
    path = written(f"{text.replace('/', '')}.yaml")
    for command in COMMANDS:
        first, _, rest = command.partition(" {}")
        out, said = printed(*first.split(), *rest.split(), "--format", form, "--", path)
        check(out, form)
        check(said, "table")
    Path(path).write_text("input: [1]\nlayers: [wrong]\n")
    for command in ("inspect", "check", "train", "memory", "sizes"):
        for each in printed(command, "--", path):
            check(each, "table")


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_words_of_a_command_line(text: str) -> None:
    written("net.yaml")
    for option in ("--set", "--input", "--format", "--depth", "--symbolic", "--plugin", f"--{text}"):
        for each in printed("inspect", "net.yaml", option, text):
            check(each, "table")
    for command in ("evaluate", "layers", "probe", text, "train --resume", "train net.yaml --data"):
        for each in printed(*(command.split() if command != text else [text]), "--", text):
            check(each, "table")
    for option in ("--data", "--run", "--recipe", "--device", "--resume"):
        for each in printed("train", option, f"{text}\0"):
            check(each, "table")


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_training_and_its_evaluation(text: str) -> None:
    safe = text.replace("/", "")
    for number, name in enumerate((safe, "other", "third")):
        folder = Path("photos", name)
        folder.mkdir(parents=True)
        for picture in range(6):
            pixels = np.full((8, 8), 40 * number + picture, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{picture}{safe}.png")
    path = written("net.yaml", name=text)
    settings = (
        "--data",
        "folder:photos",
        "--set",
        "train.epochs=1",
        "--set",
        "train.batch=4",
        "--device",
        "cpu",
    )
    out, said = printed("train", path, *settings, "--run", f"./{safe}")
    assert said == ""
    assert "measure it again with" in out
    check(out, "table")
    for form in FORMATS:
        out, said = printed("evaluate", f"./{safe}", "--format", form, "--device", "cpu")
        assert (bool(out), said) == (True, "")
        check(out, form)


PLUGIN = """
from cnncli.language.fields import arg
from cnncli.language.readers import Number
from cnncli.layers import FromInput, layer

class Square(FromInput):
    alpha: float = arg(Number(0), {text}, default=1.0)
    work = 1

Square.__doc__ = {text}
Square.family = {text}
layer("hostile", activation=True)(Square)
"""


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_documents_of_plug_ins(text: str) -> None:
    Path("plugin.py").write_text(PLUGIN.format(text=ascii(text)))
    try:
        for form in FORMATS:
            for words in ([], ["hostile"]):
                out, said = printed("layers", *words, "--plugin", "plugin.py", "--format", form)
                assert (bool(out), said) == (True, "")
                check(out, form)
    finally:
        KINDS.pop("hostile", None)
    Path("broken.py").write_text(f"raise ValueError({text!a})")
    for each in printed("layers", "--plugin", "broken.py"):
        check(each, "table")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_is_lost(text: str) -> None:
    letters = escapes.printable(text)
    rendered = (
        MarkdownIt("commonmark", {"html": True}).enable("strikethrough").render(escapes.markdown_line(text))
    )
    parser = Elements()
    parser.feed(rendered)
    assert "".join("".join(parser.texts).split()) == "".join(letters.split())
    document = json.dumps({"a": text}, ensure_ascii=False)
    assert json.loads(escapes.json_text(document)) == {"a": text}
    parser = Elements()
    parser.feed(escapes.html(text))
    assert "".join(parser.texts) == letters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("::error::x", ": :error::x"),
        ("  ::error::x", "  : :error::x"),
        ("a ::error::x", "a ::error::x"),
        ("a.yaml:3:4: error: x", "a.yaml:3:4: error: x"),
        ("a ##vso[x", "a # #vso[x"),
        ("###[x", "## #[x"),
        ("## a [b]", "## a [b]"),
        ("a\tb\nc", "a b\N{REPLACEMENT CHARACTER}c"),
    ],
)
def test_what_controls_a_log_is_broken_and_all_else_stays(text: str, expected: str) -> None:
    assert escapes.shown(text) == expected


def test_letters_of_all_scripts_stay() -> None:
    word = "größe 網絡 σ² 😀"
    assert escapes.printable(word) == escapes.shown(word) == escapes.markdown(word) == word
    assert escapes.json_text(json.dumps(word, ensure_ascii=False)) == f'"{word}"'
