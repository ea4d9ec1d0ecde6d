"""Check spelling and wording: codespell, and the phrases of ``scripts/wording.txt``.

python scripts/check_prose.py              check the whole tree
python scripts/check_prose.py FILE ...     show the phrases in these files
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDERS: Final = ("benchmarks", "cnncli", "docs", "scripts", "specs", "tests")
SUFFIXES: Final = frozenset({".md", ".py", ".yaml"})
WORDING: Final = Path(__file__).with_name("wording.txt")
_PROSE_TOKENS: Final = frozenset({tokenize.STRING, tokenize.COMMENT})
_BETWEEN_TOKENS: Final = frozenset({tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT})
_DEFINING: Final = frozenset({"def", "class"})
_DECORATION: Final = re.compile(r"\A(?:#+|[rbuf]*(?:\"\"\"|'''|\"|'))|(?:\"\"\"|'''|\"|')\Z", re.IGNORECASE)

QUOTING: Final = frozenset({"tests/test_prose.py"})
"""Files about the phrases."""

NAMES: Final = "teh,theis,grey"
"""Two authors and a transform that codespell would correct."""
MISSPELLED: Final = Path(__file__).with_name("misspelled.txt")
"""The words that tests misspell on purpose."""


class Phrase(NamedTuple):
    """An entry of the list: what to look for, an example of it, and what to write."""

    pattern: re.Pattern[str]
    example: str
    better: str


class Found(NamedTuple):
    """A phrase in a file."""

    line: int
    text: str
    better: str


def main() -> None:
    """Check the tree and exit with 1 if something is wrong, or show the phrases in some files."""
    phrases = read_phrases(WORDING.read_text(encoding="utf-8"))
    if len(sys.argv) > 1:
        for name in sys.argv[1:]:
            print(*shown(name, found_in(Path(name), phrases)), sep="\n")
        return
    faults = [*spelling(ROOT), *wording(ROOT, phrases)]
    if faults:
        print(*faults, sep="\n")
        sys.exit(f"{len(faults)} places with wrong spelling or wording")


def read_phrases(text: str) -> tuple[Phrase, ...]:
    """Return the entries of the list. Raises ValueError for a line without three columns."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    entries = [line.split(" :: ") for line in lines]
    return tuple(
        Phrase(re.compile(pattern, re.IGNORECASE), example, better) for pattern, example, better in entries
    )


def files(root: Path) -> Iterator[Path]:
    """Yield every file whose wording is checked."""
    found = [*root.iterdir(), *(path for folder in FOLDERS for path in (root / folder).rglob("*"))]
    quoting = {root / name for name in QUOTING}
    yield from sorted(path for path in found if path.suffix in SUFFIXES and path not in quoting)


def wording(root: Path, phrases: Iterable[Phrase]) -> Iterator[str]:
    """Yield the phrases in all files."""
    phrases = tuple(phrases)
    for path in files(root):
        yield from shown(path.relative_to(root).as_posix(), found_in(path, phrases))


def shown(name: str, found: Iterable[Found]) -> Iterator[str]:
    """Yield one line for each phrase."""
    return (f"{name}:{line}: '{text}'; better, for example: {better}" for line, text, better in found)


def found_in(path: Path, phrases: Iterable[Phrase]) -> list[Found]:
    """Return the phrases in a file, in order."""
    text = path.read_text(encoding="utf-8")
    return sorted(search(prose_of(text) if path.suffix == ".py" else text, phrases))


def search(text: str, phrases: Iterable[Phrase]) -> Iterator[Found]:
    """Yield the phrases in a text, with the numbers of their lines."""
    words = [*re.finditer(r"\S+", text)]
    joined = " ".join(word[0] for word in words)
    starts: list[int] = []
    for word in words:
        starts.extend([word.start()] * (len(word[0]) + 1))
    for phrase in phrases:
        for match in phrase.pattern.finditer(joined):
            yield Found(text.count("\n", 0, starts[match.start()]) + 1, match[0], phrase.better)


def prose_of(code: str) -> str:
    """Return a text of the same lines with the strings and comments of Python code, and the names it defines.

    Strings that are joined, and comments on consecutive lines, are one text each; code between them is ``|``.
    """
    lines: list[list[str]] = [[] for _ in range(code.count("\n") + 2)]
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        number = token.start[0] - 1
        if token.type in _PROSE_TOKENS:
            for offset, line in enumerate(_DECORATION.sub("", token.string).split("\n")):
                lines[number + offset].append(line)
        elif before in _DEFINING:
            lines[number] += ["|", token.string.replace("_", " "), "|"]
        elif token.type not in _BETWEEN_TOKENS:
            lines[number].append("|")
        before = token.string
    return "\n".join(" ".join(line) for line in lines)


def spelling(root: Path) -> Iterator[str]:
    """Yield what codespell finds."""
    package = [path.name for path in root.iterdir() if path.suffix in {*SUFFIXES, ".toml", ".txt"}]
    package += ["Makefile", *(folder for folder in FOLDERS if folder != "tests")]
    yield from codespell(root, package)
    yield from codespell(root, ["tests"], "--ignore-words", str(MISSPELLED))


def codespell(root: Path, paths: Iterable[str], *more: str) -> Iterator[str]:
    """Yield the lines that codespell prints. Raises OSError if it could not run."""
    program = Path(sys.executable).with_name("codespell")
    skipped = f"*.svg,*.json,__pycache__,{WORDING.name},{MISSPELLED.name}"
    options = ("--builtin", "clear,rare,en-GB_to_en-US", "--skip", skipped, "-L", NAMES, *more)
    there = [path for path in paths if (root / path).exists()]
    if not there:
        return iter(())  # without a path, codespell would check the working directory
    done = subprocess.run([program, *options, *there], cwd=root, capture_output=True, text=True, check=False)
    if done.stderr:
        raise OSError(done.stderr)
    return iter(done.stdout.splitlines())


if __name__ == "__main__":
    main()
