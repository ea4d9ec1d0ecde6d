"""The pages of CONTRIBUTING.md are followed, all of them in one copy of the project.

Linters, types, tests and documents see what all of them add at once, which takes as long as for one page.
`make campaign` follows each page to the letter, alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.copies import ROOT, Block, append, blocks, copied, follow, replace, run, sections

PAGES = {
    name: page
    for name, page in sections((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")).items()
    if any(block.path for block in page)
}
CHECKS = """
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/python scripts/check_prose.py
"""

ADDED = ("celu", "shapes", "stripes", "solarize", "squared_hinge", "centralize", "csv", "all_cnn")
"""What each page adds."""


def test_what_can_be_added_has_a_page() -> None:
    things = (
        "kind",
        "command",
        "data source",
        "transform",
        "loss",
        "setting",
        "report format",
        "network",
    )
    assert [*PAGES] == [f"Add a {thing}" for thing in things]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_ends_with_commands_that_check_it(name: str) -> None:
    assert PAGES[name][-1].language == "sh"
    assert "pytest" in PAGES[name][-1].text


@pytest.mark.campaign
@pytest.mark.parametrize("name", PAGES)
def test_following_a_page_works(name: str, tmp_path: Path) -> None:
    copy = copied(tmp_path)
    follow(PAGES[name], copy)
    assert (copy / PAGES[name][0].path).read_bytes() != b""


@pytest.mark.slow
def test_what_all_pages_add_passes_the_checks(tmp_path: Path) -> None:
    copy = copied(tmp_path, with_types=True)
    for page in PAGES.values():
        follow(tuple(block for block in page if block.path), copy)
    run(CHECKS, copy)
    assert all((copy / page[0].path).read_bytes() != b"" for page in PAGES.values())


@pytest.mark.slow
def test_what_all_pages_add_works(tmp_path: Path) -> None:
    """Tests with the name of what is added pass, in the files that a page runs, and so do its commands."""
    copy = copied(tmp_path)
    for page in PAGES.values():
        follow(tuple(block for block in page if block.path), copy)
    lines = [line for page in PAGES.values() for line in page[-1].text.splitlines()]
    made = {line for line in lines if line.endswith("make_docs.py")}
    tested = [line.partition("pytest ")[2].partition(" -k ")[0] for line in lines if "pytest " in line]
    called = [line for line in lines if "/cnncli " in line]
    assert len(made) == 1
    assert len(lines) == sum(line in made for line in lines) + len(tested) + len(called)
    paths = " ".join(dict.fromkeys(" ".join(tested).split()))
    names = " or ".join((*ADDED, "up_to_date"))
    run("\n".join((*made, f'.venv/bin/pytest -p no:cacheprovider {paths} -k "{names}"', *called)), copy)


def test_a_command_that_fails_is_seen() -> None:
    with pytest.raises(AssertionError, match="nothing like it"):
        follow((Block("sh", "", "echo nothing like it\nfalse\ntrue\n"),), ROOT)


def test_blocks_go_where_they_say(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.py"
    append(path, "x = 1\n")
    append(path, "y = 2\n")
    assert path.read_text() == "x = 1\n\n\ny = 2\n"
    replace(path, " x = 1\n+z = 3\n\n")
    assert path.read_text() == "x = 1\nz = 3\n\n\ny = 2\n"
    with pytest.raises(AssertionError, match="has these lines 0 times"):
        replace(path, "-w = 1\n")
    append(path, "y = 2\n")
    with pytest.raises(AssertionError, match="has these lines 2 times"):
        replace(path, "-y = 2\n")


def test_blocks_of_a_document() -> None:
    text = "# A\n\n## B\n\n```python a/b.py\nx = 1\n```\n\n```sh\nls\n```\n\n## C\n\nNone.\n"
    assert sections(text) == {"B": (Block("python", "a/b.py", "x = 1\n"), Block("sh", "", "ls\n")), "C": ()}
    assert [*blocks("no block")] == []
