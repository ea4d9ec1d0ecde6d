"""Run docs/python.ipynb and store its outputs in it.

    python scripts/make_notebook.py

Cells with the tag ``varies`` have outputs that differ between machines; tests/test_notebook.py runs them too
but does not compare their outputs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import nbformat
from nbclient import NotebookClient

NOTEBOOK: Final = Path(__file__).resolve().parent.parent / "docs" / "python.ipynb"


def executed(path: Path = NOTEBOOK) -> nbformat.NotebookNode:
    """Return a notebook with fresh outputs.

    Raises:
        CellExecutionError: a cell fails.
    """
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, record_timing=False)
    client.execute(cwd=str(path.parent))
    notebook.metadata.pop("language_info", None)
    return notebook


def main() -> None:
    """Replace the outputs in the file."""
    nbformat.write(executed(), NOTEBOOK)


if __name__ == "__main__":
    main()
