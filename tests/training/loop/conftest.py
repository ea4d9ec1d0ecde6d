"""Settings for the tests of the loop."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of runs are made here; that files are synced, and when, is tested in test_files.py."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)
