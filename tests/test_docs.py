"""Generated pages are up to date, and the checker can tell when they are not."""

from __future__ import annotations

from scripts.make_docs import DOCS, pages, with_operations


def test_generated_pages_are_up_to_date() -> None:
    for path, text in pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run scripts/make_docs.py"


def test_a_changed_table_is_noticed() -> None:
    text = (DOCS / "counting.md").read_text(encoding="utf-8")
    assert with_operations(text) == text
    stale = text.replace("| `relu` | 1 for each value |", "| `relu` | 2 for each value |")
    assert stale != text
    assert with_operations(stale) == text
