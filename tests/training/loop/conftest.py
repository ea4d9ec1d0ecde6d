"""What all tests of the loop need."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from cnncli.interrupts import SIGNALS


@pytest.fixture(autouse=True)
def _heeded() -> Iterator[None]:
    """No signal is ignored, even if the tests were started by ``nohup`` or in the background."""
    before = {each: signal.getsignal(each) for each in SIGNALS}
    for each, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(each, signal.SIG_DFL)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)
