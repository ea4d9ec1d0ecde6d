"""Messages as a person sees them, for the mistakes that people make.

Each file under ``golden/`` holds a wrong spec and, after a line of dashes, what cnncli says about it.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from pathlib import Path

import pytest

import cnncli
from cnncli.diagnostics import CnncliError, Diagnostic, Location, Related, Source, usage_error
from cnncli.graph import open_text
from cnncli.report.messages import error_lines

GOLDEN = Path(__file__).parent / "golden"
MARK = "-" * 78 + "\n"


def shown(*diagnostics: Diagnostic) -> list[str]:
    return [line.text for line in error_lines(diagnostics)]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_what_is_said_about_a_mistake(path: Path) -> None:
    text, expected = path.read_text(encoding="utf-8").split(MARK)
    with pytest.raises(CnncliError) as caught:
        open_text(text, name="net.yaml")
    assert "".join(f"{line}\n" for line in shown(*caught.value.diagnostics)) == expected


def test_there_are_enough_of_them() -> None:
    assert len(list(GOLDEN.glob("*.txt"))) >= 15


OPTION = re.compile(r"(?:^|[ '`]|(?<!var)\()--[a-z]")  # not a variable of a style sheet
OF_COMMANDS = frozenset(
    {
        "report/pages/cut.py",
        "report/pages/fit.py",
        "report/pages/import_.py",
        "report/pages/identify.py",
        "report/pages/look.py",
        "report/pages/mirror.py",
        "report/pages/pack.py",
        "report/pages/predict.py",
        "report/pages/pretrain.py",
        "report/pages/shrink.py",
        "report/pages/train.py",
        "language/overrides.py",
        "recipe/origins.py",
    }
)
"""Files whose texts only the command line shows, or that tell options from arguments of Python calls."""


def options_named(code: str) -> list[str]:
    """The strings of a file, other than docstrings, that name an option of the command line."""
    nodes = [*ast.walk(ast.parse(code))]
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [node for node in nodes if isinstance(node, ast.Constant) and id(node) not in docstrings]
    return [text.value for text in texts if isinstance(text.value, str) and OPTION.search(text.value)]


def test_messages_below_the_command_line_name_settings_and_not_options() -> None:
    folder = Path(cnncli.__file__).parent
    found = {
        path.relative_to(folder).as_posix(): options_named(path.read_text(encoding="utf-8"))
        for path in folder.rglob("*.py")
        if "cli" not in path.relative_to(folder).parts
    }
    assert {name: texts for name, texts in found.items() if texts and name not in OF_COMMANDS} == {}
    assert all(found[name] for name in OF_COMMANDS)


def test_an_option_in_a_message_is_noticed() -> None:
    code = '"""Of ``--set``."""\nhint = f"a smaller --lr than {lr}"\nstyle = "color:var(--ink)"\n'
    assert options_named(code) == ["a smaller --lr than "]


def at(text: str, column: int, width: int = 1, line: int = 1) -> Location:
    return Location(Source("a.yaml", text), line, column, width)


def test_the_caret_stands_under_its_stretch() -> None:
    assert shown(Diagnostic("x", "wrong", at("layers: reul", 9, 4))) == [
        "a.yaml:1:9: error: wrong",
        "    1 | layers: reul",
        "      |         ^^^^",
    ]


@pytest.mark.parametrize(
    ("before", "blank"), [("größe: ", 7), ("日本: ", 6), ("e\u0301: ", 3), ("\t: ", 3), ("\x1b[1m: ", 6)]
)
def test_the_caret_stands_right_below_letters_of_any_width(before: str, blank: int) -> None:
    lines = shown(Diagnostic("x", "wrong", at(f"{before}ab", len(before) + 1, 2)))
    assert lines[2] == "      | " + " " * blank + "^^"


@pytest.mark.parametrize("column", [1, 60, 500, 999])
def test_a_long_line_is_shown_around_the_place(column: int) -> None:
    text = "".join(chr(ord("a") + i % 26) for i in range(1000))
    _, line, caret = shown(Diagnostic("x", "wrong", at(text, column, 2)))
    assert len(line) < 120
    start = caret.index("^")
    assert line[start : start + caret.count("^")] == text[column - 1 : column + 1]


@pytest.mark.parametrize("letter", ["a", "本", "e\u0301"])
@pytest.mark.parametrize("column", [1, 30, 60, 80, 300, 999, 1000, 5000])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_an_excerpt_fits_the_terminal_and_its_caret_is_below_the_place(
    letter: str, column: int, width: int
) -> None:
    text = (letter * 1000)[: column - 1] + "X" + (letter * 1000)[column:1000]
    found = Diagnostic("x", "wrong", at(text, column, 700))
    _, line, caret = [line.text for line in error_lines([found], width)]
    assert columns(line) <= width
    assert len(caret) <= width
    before = columns(line[: line.index("X")] if column <= len(text) else line)
    assert caret.index("^") == before


def columns(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def test_a_message_is_wrapped_on_a_terminal() -> None:
    words = " ".join(["word"] * 50)
    found = Diagnostic("x", words, at("ab", 1), words, words, words, (Related(words, at("xy", 2)),), words)
    lines = [line.text for line in error_lines([found], 80)]
    assert max(map(len, lines)) <= 80
    assert " ".join(lines).count("word") == 6 * 50
    (hint,) = (number for number, line in enumerate(lines) if line.startswith("  hint:"))
    assert lines[hint + 1].startswith(" " * 12 + "word")


def test_a_place_beyond_the_end_of_its_line() -> None:
    assert shown(Diagnostic("x", "wrong", at("ab", 9, 3)))[2] == "      | " + " " * 8 + "^"
    assert shown(Diagnostic("x", "wrong", at("ab", 1, 1, line=9))) == ["a.yaml:9:1: error: wrong"]


def test_everything_that_a_diagnostic_holds() -> None:
    related = (Related("see here", at("xy", 2)),)
    found = Diagnostic("x", "wrong", at("ab", 1), "this", "that", "try", related, "input  3\nconv1  4")
    assert shown(found) == [
        "a.yaml:1:1: error: wrong",
        "    1 | ab",
        "      | ^",
        "  expected: this",
        "  received: that",
        "  hint:     try",
        "  see here: a.yaml:1:2",
        "    1 | xy",
        "      |  ^",
        "    input  3",
        "    conv1  4",
    ]


def test_without_a_place() -> None:
    assert shown(*usage_error("no file", expected="a file").diagnostics) == [
        "error: no file",
        "  expected: a file",
    ]


def test_several_are_counted_and_a_flood_is_cut() -> None:
    several = [Diagnostic("x", f"wrong {i}") for i in range(60)]
    assert shown(*several[:2]) == ["error: wrong 0", "", "error: wrong 1", "", "2 errors"]
    lines = shown(*several)
    assert lines[-1] == "60 errors, 10 of them not shown"
    assert "error: wrong 49" in lines
    assert "error: wrong 50" not in lines


def test_nothing_steers_the_terminal() -> None:
    found = Diagnostic("x", "a\x1b[31m", at("b\x1b]0;c\x07", 1), "d\r", "e\x9b", "f\x00", detail="g\x1b")
    text = "".join(shown(found))
    assert text.isprintable()


def test_a_very_long_message_is_cut() -> None:
    assert max(map(len, shown(Diagnostic("x", "a" * 10_000, hint="b" * 10_000)))) < 500
