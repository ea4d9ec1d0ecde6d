"""Memory that is kept between batches, measured as the system counts it, in a process of its own.

In the process of the tests a block may fit into what others have freed, in the middle of what is still used.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from typing import Final

import pytest
import torch

from cnncli.training import kept_memory

_BLOCK: Final = 40 << 20
"""Bytes of a block that glibc always returns on its own: more than its threshold can rise to."""

_SCRIPT: Final = """
import json, os, sys
from contextlib import suppress
import torch
from cnncli.training.kept_memory import memory_kept

block = int(sys.argv[1])

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def left():
    before = resident()
    torch.zeros(block, dtype=torch.uint8).fill_(1)
    return resident() - before

begun = resident()
found = {"alone": left()}
with suppress(ZeroDivisionError), memory_kept(torch.device("cpu")):
    found["within"] = left()
    raise ZeroDivisionError
found["at the end"], found["afterwards"] = resident() - begun, left()
print(json.dumps(found))
"""
"""Prints how many bytes more are in memory after a block was allocated, written and freed."""


def kept(environment: dict[str, str]) -> list[str]:
    """Return when a freed block remained in memory."""
    arguments = [sys.executable, "-c", _SCRIPT, str(_BLOCK)]
    one_thread = {"OMP_NUM_THREADS": "1"}
    whole = os.environ | one_thread | environment
    done = subprocess.run(arguments, env=whole, capture_output=True, text=True, check=True)
    return [moment for moment, left in json.loads(done.stdout).items() if left > _BLOCK / 2]


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"),
    reason="the C library is not glibc",
)
@pytest.mark.parametrize(
    ("environment", "moments"),
    [
        ({}, ["within"]),
        ({"MALLOC_TRIM_THRESHOLD_": "65536"}, []),
        ({"GLIBC_TUNABLES": "glibc.malloc.arena_max=8"}, []),
    ],
)
def test_a_freed_block_is_kept_until_the_end(environment: dict[str, str], moments: list[str]) -> None:
    assert kept(environment) == moments


class OldLibrary:
    """glibc 2.31, of which malloc.c has: "Forbid setting the threshold too high", HEAP_MAX_SIZE / 2."""

    def __init__(self) -> None:
        self.settings: dict[int, int] = {}

    def mallopt(self, parameter: int, value: int) -> int:
        if parameter == -3 and value > 32 << 20:
            return 0
        self.settings[parameter] = value
        return 1

    def malloc_trim(self, _: int) -> int:
        return 1


def test_an_older_library_keeps_the_largest_blocks_that_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the other threshold is set, this one does not rise on its own."""
    library = OldLibrary()
    monkeypatch.setattr(kept_memory, "_glibc", lambda: library)
    with kept_memory.memory_kept(torch.device("cpu")):
        assert library.settings == {-1: -1, -3: 32 << 20}
