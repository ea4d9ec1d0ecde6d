"""Exit codes: one table in the program, the same in the documents."""

from __future__ import annotations

import re
from pathlib import Path

from cnncli.cli import exit_codes

DOCUMENT = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_table_of_the_documents() -> None:
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", DOCUMENT, re.MULTILINE)}
    plain = {exit_codes.OK, exit_codes.NOT_MET, *exit_codes.OF_DIAGNOSTICS.values(), exit_codes.WRONG}
    assert rows == plain
    assert len(plain) == 6
    for code in (exit_codes.INTERRUPTED, exit_codes.READER_LEFT):
        assert f" {code} " in DOCUMENT[DOCUMENT.index("| 128 + n |") :]


def test_codes_of_errors_are_not_those_of_answers() -> None:
    assert not {exit_codes.OK, exit_codes.NOT_MET} & {*exit_codes.OF_DIAGNOSTICS.values()}
