"""Fixtures for tests of networks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    """torch gives up on a function that it has compiled too often; all networks share theirs."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()
