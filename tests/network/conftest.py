"""Fixtures for tests of networks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    """Reset torch, which stops compiling a function that was compiled too often; networks share theirs."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()
