"""The pages of CONTRIBUTING.md are followed to the letter, each in a copy of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.copies import ROOT, Block, append, blocks, copied, follow, replace, sections

PAGES = {
    name: page
    for name, page in sections((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")).items()
    if any(block.path for block in page)
}


def test_what_can_be_added_has_a_page() -> None:
    assert {*PAGES} >= {"Add a kind of layer"}


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_following_a_page_works(name: str, tmp_path: Path) -> None:
    page = PAGES[name]
    assert page[-1].kind == "sh", "a page ends with the commands that check it"
    follow(page, copied(tmp_path))


def test_a_page_that_goes_wrong_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nothing like it"):
        follow((Block("sh", "", "echo nothing like it\nfalse\n"),), tmp_path)


def test_blocks_are_put_where_they_say(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.py"
    append(path, "x = 1\n")
    append(path, "y = 2\n")
    assert path.read_text() == "x = 1\n\n\ny = 2\n"
    replace(path, " x = 1\n+z = 3\n")
    assert path.read_text() == "x = 1\nz = 3\n\n\ny = 2\n"
    with pytest.raises(AssertionError, match="0 times"):
        replace(path, "-w = 1\n")
    assert [*blocks("```python a/b.py\nx = 1\n```\n\n```sh\nls\n```\n")] == [
        Block("python", "a/b.py", "x = 1\n"),
        Block("sh", "", "ls\n"),
    ]
