"""What the exit code of every command means; docs/training.md has the same table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OK: Final = 0

NOT_MET: Final = 1
"""An answer that a script should notice: over budget, not as torch computes it, not moved as predicted, worse
with 8 bits than is allowed."""

WRONG: Final = 2
"""A wrong spec, command line, data set or run folder."""

DIVERGED: Final = 3
"""A training whose loss or weights grew out of bounds."""

UNWRITABLE: Final = 4
"""A file or the output could not be written: the disk is full, for example."""

LOST: Final = 5
"""Another process of the same training has ended."""

SIGNALED: Final = 128
"""Added to the number of the signal that ended the command, as shells do: 130 after Ctrl-C."""

INTERRUPTED: Final = SIGNALED + 2
"""After Ctrl-C."""

READER_LEFT: Final = SIGNALED + 13
"""The reader of the output closed it, as in ``cnncli inspect ... | head``."""

OF_DIAGNOSTICS: Final[Mapping[str, int]] = {
    "diverged": DIVERGED,
    "unwritable": UNWRITABLE,
    "lost": LOST,
}
"""Exit codes by the code of an error's first diagnostic; all others are :data:`WRONG`."""
