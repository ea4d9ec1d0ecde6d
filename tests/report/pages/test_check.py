"""The page of ``cnncli check``."""

from __future__ import annotations

from cnncli.analysis.check import Verdict
from cnncli.report.pages.check import Checked, page
from cnncli.report.show import text


def test_a_share_that_does_not_exist_is_blank() -> None:
    verdicts = (Verdict("params", 10, 9, (), 4), Verdict("memory", 10, 9, (), batch=1))
    lines = text(page([Checked("net.yaml", verdicts)])).splitlines()
    assert lines[1].split() == ["figure", "limit", "network", "without", "output", "verdict"]
    assert lines[3].split() == ["params", "10", "9", "4", "ok,", "1", "left"]
    assert lines[4].split() == ["memory", "(batch", "1)", "10", "9", "ok,", "1", "left"]
