"""The notebook in docs/ runs from top to bottom, and shows what it shows."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from scripts.make_notebook import NOTEBOOK, executed

pytestmark = pytest.mark.slow


def outputs(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """What every cell prints or returns, as text, but for cells whose output differs between machines."""
    return [
        [each.get("text") or each["data"]["text/plain"] for each in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code" and "varies" not in cell.metadata.get("tags", ())
    ]


def test_the_notebook_shows_what_happens() -> None:
    stored = outputs(nbformat.read(NOTEBOOK, as_version=4))
    assert sum(map(bool, stored)) >= 10
    assert outputs(executed()) == stored


def test_a_cell_that_fails_is_noticed(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("assert 1 == 2")])
    nbformat.write(notebook, tmp_path / "wrong.ipynb")
    with pytest.raises(CellExecutionError, match="1 == 2"):
        executed(tmp_path / "wrong.ipynb")
