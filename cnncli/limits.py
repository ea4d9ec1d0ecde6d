"""Every limit that a file, a spec and an answer are held to, in one place.

A limit is a count, never a time: the same file is answered or refused on every machine. Together they keep
any question within 5 s of CPU time and 1 GiB on an ordinary machine. Limits of a single text or number are
compared where it is read; :mod:`cnncli.work` adds up what one question costs.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Limit(NamedTuple):
    """A bound on the work of one question: what is counted, and how much of it is allowed."""

    of: str
    """The plural of what is counted, for the message: ``terms of formulas``."""
    most: int


TERMS: Final = Limit("terms of formulas", 2_000_000)
"""Terms that the arithmetic of formulas visits or makes."""

RESIDUES: Final = Limit("residue classes of sizes", 2_000_000)
"""Residue classes that are examined to decide conditions and to intersect sets of sizes."""
